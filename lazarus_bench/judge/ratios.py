"""Evidence from paired positive numbers, one pair per seed or repeat: their ratio."""

# ruff: noqa: D102 (overrides inherit the docstring of what they override)
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lazarus_bench.judge.bounds import Array
from lazarus_bench.judge.estimate import Scope
from lazarus_bench.judge.evidence import Evidence, array, freeze
from lazarus_bench.judge.student import Exponential, Student


@dataclass(frozen=True, kw_only=True)
class Ratios(Evidence):
    """Positive paired numbers; the estimand is the geometric mean of numerator/denominator.

    t over log ratios; one pair shows no spread and has no interval.

    Attributes:
        numerator: one positive number per seed.
        denominator: one positive number per seed, in the same order.
        over: "seeds", or "repeats" of one measurement on one machine.
    """

    numerator: Sequence[float]
    denominator: Sequence[float]
    over: Literal["seeds", "repeats"] = "seeds"

    def __post_init__(self) -> None:
        freeze(self, 1, "numerator", "denominator")
        if len(self.numerator) != len(self.denominator):
            raise ValueError(
                f"Ratios pairs by seed, but has {len(self.numerator)} numerators and "
                f"{len(self.denominator)} denominators"
            )
        if self.over not in ("seeds", "repeats"):
            raise ValueError(f"Ratios.over is {self.over!r}; use seeds or repeats")
        if min(*self.numerator, *self.denominator) <= 0:
            raise ValueError("Ratios needs positive numbers on both sides")

    def _logs(self) -> Array:
        logs: Array = np.log(array(self.numerator)) - np.log(array(self.denominator))
        return logs

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.numerator), 1

    @property
    def point(self) -> float:
        return math.exp(float(self._logs().mean()))

    @property
    def method(self) -> str:
        return f"t on log ratios over {self.over}"

    @property
    def scope(self) -> Scope:
        several = len(self.numerator) > 1
        return "repeats" if several and self.over == "repeats" else super().scope

    @property
    def unit(self) -> str:
        return self.over

    def seed_values(self) -> Array:
        ratios: Array = np.exp(self._logs())
        return ratios

    def sampling(self) -> Exponential:
        return Exponential(log=Student.of(self._logs()))
