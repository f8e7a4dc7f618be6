"""Quirks: defects of the public source behind the writeups, each a switch of the recipes it fits.

All are off by default (methods, *Quirks*). One that is on is a field of the spec, so it is in the
digest, in the recipe's label, in the artifact's manifest and in every report that reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from lazarus_bench.errors import UserError

Quirk = Literal[
    "unshifted-labels",
    "class-at-answer-end",
    "sgd",
    "unbounded-kl",
    "clip-to-reference",
    "eval-in-train",
]
"""What the public source does instead:

unshifted-labels: the answer loss scores the logits at a position against the token at it.
class-at-answer-end: the classification loss is at the last answer token, which no lens reads.
sgd: an Adam is built and plain SGD is applied.
unbounded-kl: mean(log p − log p_ref) over prompt and answer is minimised, for a divergence.
clip-to-reference: the clipped ratio is to the frozen reference, not to the sampling policy.
eval-in-train: a part of the evaluation problems occurs in the training data.
"""

QUIRKS: tuple[Quirk, ...] = get_args(Quirk)

_OF: Mapping[Quirk, str] = {
    "unshifted-labels": "an answer loss on given labels",
    "class-at-answer-end": "a classification loss beside a given answer",
    "sgd": "an Adam",
    "unbounded-kl": "a penalty on the divergence from a reference",
    "clip-to-reference": "a clipped ratio",
    "eval-in-train": "arithmetic training data",
}
"""What a recipe must have for the quirk to be one of it."""


def settled(
    recipe: str, quirks: Iterable[Quirk], possible: Iterable[Quirk], idle: Mapping[Quirk, str]
) -> tuple[Quirk, ...]:
    """`quirks` once each, in the order of `QUIRKS`, so that equal sets share a digest.

    Args:
        recipe: its name, for the error.
        quirks: those that are on.
        possible: those that the recipe can have.
        idle: those that would change nothing as it is parameterised, with the parameter to blame.

    Raises:
        UserError: one is not possible here, or would change nothing.
    """
    chosen = tuple(quirk for quirk in QUIRKS if quirk in set(quirks))
    for quirk in chosen:
        if quirk not in possible:
            raise UserError(
                f"{recipe} cannot have the quirk {quirk!r}, which is one of {_OF[quirk]}: choose "
                f"from {', '.join(possible)}"
            )
        if quirk in idle:
            raise UserError(
                f"{recipe} with {idle[quirk]} trains without {_OF[quirk]}, so the quirk {quirk!r} "
                f"would change nothing: change that or leave the quirk off"
            )
    return chosen


def told(quirks: Iterable[str]) -> str:
    """What a label says of the quirks that are on: ", QUIRK sgd"; "" without any."""
    return "".join(f", QUIRK {quirk}" for quirk in quirks)
