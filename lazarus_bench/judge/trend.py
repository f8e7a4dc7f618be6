"""Evidence about a monotone trend over checkpoints, by each seed's own rank correlation."""

# ruff: noqa: D102 (overrides inherit the docstring of what they override)
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from lazarus_bench.judge.bounds import Array, Limits
from lazarus_bench.judge.evidence import Effect, OneSample, array, freeze
from lazarus_bench.judge.sampling import Bounded, Sampling, Student


@dataclass(frozen=True, kw_only=True)
class Trend(OneSample):
    """A monotone trend over checkpoints; the estimand is the mean over seeds of Spearman's ρ.

    t over the seeds' correlations, so that checkpoints of one run may depend on each other in any
    way. Seeds that all agree show no spread: Gaffke's bound on [−1, 1] then. One seed has no
    interval.

    Attributes:
        values: `values[seed][checkpoint]`, at least two checkpoints, in training order.
    """

    values: Sequence[Sequence[float]]

    def __post_init__(self) -> None:
        freeze(self, 2, "values")
        if len(self.values[0]) < 2:
            raise ValueError("Trend needs at least two checkpoints per seed")

    @property
    def point(self) -> float:
        return float(np.mean(self.seed_values()))

    def seed_values(self) -> Array:
        k = self.shape[1]
        ranks = stats.rankdata(array(self.values), axis=1)
        distance = ((ranks - np.arange(1, k + 1)) ** 2).sum(axis=1)
        # On ties the linear form of Page (JASA 58, 1963), not Pearson's on midranks.
        ties = (ranks**2).sum(axis=1) - k * (k + 1) * (2 * k + 1) / 6
        correlations: Array = 1 - 6 * (distance - ties) / (k * (k**2 - 1))
        return correlations

    @property
    def method(self) -> str:
        spread = isinstance(self.sampling(), Student)
        return "t over seeds' rank correlations" if spread else "bounded mean of rank correlations"

    @property
    def kind(self) -> str:
        return "trends"

    def error_of_a_seed(self) -> float:
        # The spread of a correlation where there is no trend.
        return float(1 / np.sqrt(self.shape[1] - 1))

    @property
    def unit(self) -> str:
        return "seeds"

    @property
    def bounds(self) -> Limits:
        return -1.0, 1.0

    @property
    def caveat(self) -> str:
        return "" if self.shape[0] > 1 else "checkpoints of one run depend on each other"

    def sampling(self) -> Sampling:
        student = Student.of(self.seed_values())
        if student.n > 1 and not student.spread_known():
            return Bounded.of(self.seed_values(), (-1.0, 1.0))
        return student

    def effect(self, level: float, edge: float | None = None) -> Effect | None:  # noqa: ARG002
        low, high = self.limits(level)
        return Effect(name="rank correlation", value=self.point, low=low, high=high, level=level)
