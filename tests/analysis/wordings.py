"""Prompts to split: sixteen of them, and pairs that recur in every wording."""

from lazarus_bench.analysis.probe_prompts import ProbePrompts, in_symbols, words_in_turn
from lazarus_bench.tasks.arithmetic import Operation, held_out
from lazarus_bench.tasks.words import word_problem


def in_every_wording(problems) -> ProbePrompts:
    """Each problem in all four templates of its operation, so that its pair recurs in each."""
    rows = [(problem, template) for template in range(4) for problem in problems]
    return ProbePrompts(
        texts=tuple(word_problem(problem, template) for problem, template in rows),
        labels=tuple(list(Operation).index(problem.operation) for problem, _ in rows),
        classes=tuple(Operation),
        pairs=tuple(problem.key for problem, _ in rows),
        templates=tuple(template for _, template in rows),
    )


def by_class(each: int):
    """`each` held-out problems of every operation, class by class."""
    return sorted(
        held_out(4 * each, 0), key=lambda problem: list(Operation).index(problem.operation)
    )


def sixteen_words() -> ProbePrompts:
    """Four problems of each operation in words, the k-th of each in template k."""
    return words_in_turn(by_class(4))


def sixteen_symbols() -> ProbePrompts:
    """The same in symbols."""
    return in_symbols(by_class(4))
