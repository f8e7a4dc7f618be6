"""Prompts whose pairs recur in every wording, which no claim asks and splits must bear."""

from lazarus_bench.analysis.probe_prompts import ProbePrompts
from lazarus_bench.tasks.arithmetic import Operation
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
