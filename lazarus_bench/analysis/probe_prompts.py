"""What a probe is asked about: prompts, their classes, and what must not be on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import cycle

from lazarus_bench.errors import UserError
from lazarus_bench.tasks.arithmetic import Key, Operation, Problem
from lazarus_bench.tasks.words import TEMPLATES, word_problem

OPERATIONS = tuple(operation.word for operation in Operation)
"""The classes of an arithmetic probe, in `Operation`'s order."""

TEMPLATE_COUNT = min(len(templates) for templates in TEMPLATES.values())

IN_SYMBOLS = -1
"""Stands for the template of a prompt in symbols."""


@dataclass(frozen=True, kw_only=True)
class ProbePrompts:
    """Prompts with one class each; all tuples have one entry a prompt but `classes`.

    `labels` index `classes`. `pairs` are the operand pairs, with their operation ("" where a pair
    comes in all of them), and `templates` the wordings: a split holds either out. Hashable, so a
    reading is taken once a session.
    """

    texts: tuple[str, ...]
    labels: tuple[int, ...]
    classes: tuple[str, ...]
    pairs: tuple[tuple[str, int, int], ...]
    templates: tuple[int, ...]

    def __post_init__(self) -> None:
        lengths = {len(self.texts), len(self.labels), len(self.pairs), len(self.templates)}
        if len(lengths) != 1:
            raise ValueError(f"probe prompts have unequal lengths {sorted(lengths)}")
        if len(set(self.labels)) < 2:
            raise UserError("a probe needs prompts of at least two classes: ask for more problems")

    def __len__(self) -> int:
        return len(self.texts)


def check_classes(labels: Sequence[int], wanted: Sequence[int]) -> None:
    """Make sure that the classes `wanted` occur among `labels`.

    Raises:
        UserError: one does not.
    """
    for label in wanted:
        if label not in labels:
            raise UserError(
                f"no prompt is of class {label} (there are {sorted(set(labels))}): ask for prompts "
                f"of it"
            )


def gather(asked: Sequence[tuple[str, Problem, int]]) -> ProbePrompts:
    """Probe prompts of texts, each with its problem and the number of its template.

    Raises:
        UserError: the problems are of fewer than two operations.
    """
    order = list(Operation)
    return ProbePrompts(
        texts=tuple(text for text, _, _ in asked),
        labels=tuple(order.index(problem.operation) for _, problem, _ in asked),
        classes=OPERATIONS,
        pairs=tuple((str(key[0]), *key[1:]) for key in (problem.key for _, problem, _ in asked)),
        templates=tuple(template for _, _, template in asked),
    )


def crossed(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """The operand pairs of the divisions among `problems`, each in all four operations.

    Which operands occur depends on the operation: a quotient is whole, a product's factors are
    small. From the operands alone a probe of the lab's held-out problems, templates held out, is
    right on three in four. Where every pair comes in every operation they tell it nothing.
    """
    pairs = [(p.a, p.b) for p in problems if p.operation is Operation.DIVIDE]
    return tuple(Problem(a=a, operation=o, b=b) for a, b in pairs for o in Operation)


def matched(prompts: ProbePrompts) -> ProbePrompts:
    """`prompts` of `crossed` problems, so that a split holds a pair out in all its operations."""
    # A commuting operation's key has its operands in order, the others' in the order asked.
    return replace(prompts, pairs=tuple(("", min(a, b), max(a, b)) for _, a, b in prompts.pairs))


def in_symbols(problems: Sequence[Problem]) -> ProbePrompts:
    """``7 * 8 = ``: one prompt a problem.

    Raises:
        UserError: the problems are of fewer than two operations.
    """
    return gather([(problem.symbols, problem, IN_SYMBOLS) for problem in problems])


def words_in_turn(problems: Sequence[Problem]) -> ProbePrompts:
    """Every problem in one wording, its operation's four in turn: holding out one holds out pairs.

    Where a problem comes in several wordings, its operands tell its class in the one held out.

    Raises:
        UserError: the problems are of fewer than two operations.
    """
    return gather([(word_problem(p, template), p, template) for p, template in in_turn(problems)])


def in_turn(problems: Sequence[Problem]) -> list[tuple[Problem, int]]:
    """Each problem with the template whose turn it is; 7 * 8 and 8 * 7 get the same."""
    turns = {operation: cycle(range(TEMPLATE_COUNT)) for operation in Operation}
    given: dict[Key, int] = {}
    for problem in problems:
        if problem.key not in given:
            given[problem.key] = next(turns[problem.operation])
    return [(problem, given[problem.key]) for problem in problems]


def stated(problems: Sequence[Problem]) -> ProbePrompts:
    """Each problem with its right and with a wrong answer: ``7 * 8 = 56``, ``7 * 8 = 57``.

    A probe of them reads correct against incorrect. The wrong answer is off by one, up or down by
    turns, so neither its size nor its length gives it away.

    Raises:
        UserError: there are no problems.
    """
    asked = [(p, right, 1 if i % 2 else -1) for i, p in enumerate(problems) for right in (1, 0)]
    return ProbePrompts(
        texts=tuple(f"{p.symbols}{p.answer + (0 if ok else off)}" for p, ok, off in asked),
        labels=tuple(ok for _, ok, _ in asked),
        classes=("incorrect", "correct"),
        pairs=tuple((str(p.key[0]), *p.key[1:]) for p, _, _ in asked),
        templates=(IN_SYMBOLS,) * len(asked),
    )
