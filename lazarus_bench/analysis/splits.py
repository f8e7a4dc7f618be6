"""Splits: which prompts a probe is tested on, and what stays together when labels are permuted."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import (
    BaseCrossValidator,
    LeaveOneGroupOut,
    StratifiedGroupKFold,
    StratifiedKFold,
)

from lazarus_bench.analysis.probe_prompts import ProbePrompts
from lazarus_bench.errors import UserError

Ints = npt.NDArray[np.int64]
HeldOut = Literal["pairs", "templates", "in-order"]

PAIR_FOLDS = 5
ORDERED_FOLDS = 4
SEED = 0


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
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=SEED)
    held = _folds(splitter, labels, pairs)
    types = _codes([pair[2] for pair in prompts.pairs])
    if _one_label_each(labels, pairs):
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


def _one_label_each(labels: Ints, groups: Ints) -> bool:
    return len(np.unique(np.stack([labels, groups]), axis=1).T) == len(np.unique(groups))
