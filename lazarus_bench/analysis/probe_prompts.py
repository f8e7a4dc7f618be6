"""What a probe is asked: prompts and their classes, and which of them a split holds out.

A split also says what stays together when labels are permuted.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from typing import TYPE_CHECKING, Literal

import numpy as np

from lazarus_bench.analysis.measured import Ints
from lazarus_bench.errors import UserError
from lazarus_bench.tasks.arithmetic import Key, Operation, Problem
from lazarus_bench.tasks.words import TEMPLATES, word_problem

if TYPE_CHECKING:
    from sklearn.model_selection import BaseCrossValidator

HeldOut = Literal["pairs", "templates", "in-order"]

OPERATIONS = tuple(operation.word for operation in Operation)
"""The classes of an arithmetic probe, in `Operation`'s order."""

TEMPLATE_COUNT = min(len(templates) for templates in TEMPLATES.values())

IN_SYMBOLS = -1
"""Stands for the template of a prompt in symbols."""

PAIR_FOLDS = 5
ORDERED_FOLDS = 4
SEED = 0


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


def in_classes(classes: Mapping[str, Sequence[str]]) -> ProbePrompts:
    """Prompts of classes of one's own: a split that holds out "pairs" holds out texts.

    Raises:
        UserError: there are fewer than two classes with prompts.
    """
    rows = [(text, at) for at, texts in enumerate(classes.values()) for text in texts]
    groups = {text: at for at, text in enumerate(dict.fromkeys(text for text, _ in rows))}
    return ProbePrompts(
        texts=tuple(text for text, _ in rows),
        labels=tuple(label for _, label in rows),
        classes=tuple(classes),
        pairs=tuple(("text", groups[text], groups[text]) for text, _ in rows),
        templates=(IN_SYMBOLS,) * len(rows),
    )


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


@dataclass(frozen=True, kw_only=True)
class Split:
    """Every prompt is held out in one fold; all arrays are `[prompt]`.

    `folds`: the fold that tests the prompt. `blocks`: prompts that carry one label by construction
    and so get one when labels are permuted. `strata`: labels are permuted inside a stratum only.
    `types`: what the control task gives a random label each; it recurs in training and test, or
    there would be nothing to memorise.
    """

    folds: Ints
    blocks: Ints
    strata: Ints
    types: Ints


def split(prompts: ProbePrompts, held_out: HeldOut) -> Split:
    """Split `prompts` by operand pair, by template, or in the given order.

    Raises:
        UserError: too few pairs, templates or prompts of a class for the split, or there is no such
            split.
    """
    splits = {"pairs": by_pair, "templates": by_template, "in-order": in_order}
    if held_out not in splits:
        raise UserError(f"split {held_out!r} is unknown: hold out {', '.join(splits)}")
    return splits[held_out](prompts)


def by_pair(prompts: ProbePrompts, folds: int = PAIR_FOLDS) -> Split:
    """Hold out operand pairs, stratified by class (scikit-learn's `StratifiedGroupKFold`).

    Labels are permuted over whole pairs inside a fold; where a pair's prompts differ in class
    (right and wrong answers to one problem), inside the pair. Types: the second operand.
    """
    labels, pairs = np.array(prompts.labels), _codes(prompts.pairs)
    least = min(len(np.unique(pairs[labels == label])) for label in np.unique(labels))
    if least < folds:
        raise UserError(
            f"holding out operand pairs needs at least {folds} pairs a class, and one class has "
            f"{least}: ask for more problems"
        )
    from sklearn.model_selection import StratifiedGroupKFold  # Takes a second to import.

    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=SEED)
    held = _folds(splitter, labels, pairs)
    types = _codes([pair[2] for pair in prompts.pairs])
    one_label_each = len(set(zip(labels, pairs, strict=True))) == len(np.unique(pairs))
    if one_label_each:
        return Split(folds=held, blocks=pairs, strata=held, types=types)
    return Split(folds=held, blocks=np.arange(len(labels)), strata=pairs, types=types)


def by_template(prompts: ProbePrompts) -> Split:
    """Leave one template out.

    A template words each class in one phrase, so whole phrases swap labels inside a template.
    Types: the operand pair where it recurs in every template, else the second operand. A pair that
    recurs tells its class in the template held out, which permuted phrases do not: ask each pair
    in one template (`words_in_turn`) for a null that is exact.
    """
    templates = _codes(prompts.templates)
    if len(np.unique(templates)) < 2:
        raise UserError("holding out templates needs at least two of them: ask in words")
    labels = np.array(prompts.labels)
    for label in np.unique(labels):
        if len(np.unique(templates[labels == label])) < 2:
            raise UserError(
                f"holding out templates needs every class in at least two of them, and "
                f"{prompts.classes[label]!r} is in one: ask for more problems of it"
            )
    from sklearn.model_selection import LeaveOneGroupOut

    held = _folds(LeaveOneGroupOut(), labels, templates)
    phrases = _codes(list(zip(prompts.templates, prompts.labels, strict=True)))
    recurs = len(set(prompts.pairs)) * len(np.unique(templates)) == len(labels)
    types: Sequence[Hashable] = prompts.pairs if recurs else [pair[2] for pair in prompts.pairs]
    return Split(folds=held, blocks=phrases, strata=templates, types=_codes(types))


def in_order(prompts: ProbePrompts) -> Split:
    """Four stratified folds in the given order, whatever they share.

    Of four prompts a class, the k-th in template k, this leaves one template out. With fewer
    prompts of a class than folds it would be missing from one.
    """
    labels = np.array(prompts.labels)
    counts = np.bincount(labels, minlength=len(prompts.classes))
    if counts.min() < ORDERED_FOLDS:
        raise UserError(
            f"folds in the given order need {ORDERED_FOLDS} prompts a class, and "
            f"{prompts.classes[counts.argmin()]!r} has {counts.min()}: ask for more problems of it"
        )
    from sklearn.model_selection import StratifiedKFold

    held = _folds(StratifiedKFold(n_splits=ORDERED_FOLDS), labels, None)
    one_each = np.arange(len(labels))
    types = _codes([pair[2] for pair in prompts.pairs])
    return Split(folds=held, blocks=one_each, strata=held, types=types)


def permuted(labels: Ints, chosen: Split, count: int, rng: np.random.Generator) -> Ints:
    """`count` labellings `[permutation, prompt]`, permuted over blocks inside strata."""
    drawn = np.tile(labels, (count, 1))
    for stratum in np.unique(chosen.strata):
        inside = np.flatnonzero(chosen.strata == stratum)
        _, first, member = np.unique(chosen.blocks[inside], return_index=True, return_inverse=True)
        given = np.tile(labels[inside][first], (count, 1))
        drawn[:, inside] = rng.permuted(given, axis=1)[:, member]
    return drawn


def random_by_type(classes: int, chosen: Split, count: int, rng: np.random.Generator) -> Ints:
    """`count` control labellings `[draw, prompt]`: a random class for each type, as even as can be.

    Source: J. Hewitt and P. Liang, Designing and interpreting probes with control tasks, EMNLP
    2019.
    """
    types = int(chosen.types.max()) + 1
    even = np.tile(np.arange(types) % classes, (count, 1))
    return np.asarray(rng.permuted(even, axis=1)[:, chosen.types], dtype=np.int64)


def _codes(values: Sequence[Hashable]) -> Ints:
    """Indices of the distinct values, in order of their first occurrence."""
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(value, len(known)) for value in values], dtype=np.int64)


def _folds(splitter: BaseCrossValidator, labels: Ints, groups: Ints | None) -> Ints:
    folds = np.full(len(labels), -1, dtype=np.int64)
    for fold, (_, tested) in enumerate(splitter.split(np.zeros((len(labels), 1)), labels, groups)):
        folds[tested] = fold
    return folds
