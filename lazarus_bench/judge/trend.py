"""Evidence about a monotone trend over checkpoints (Page's test and its inversion)."""

# ruff: noqa: D102 (overrides inherit the docstring of what they override)
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import permutations
from typing import Self

import numpy as np
from scipy import stats

from lazarus_bench.judge.bounds import Array, Limits
from lazarus_bench.judge.evidence import Effect, Evidence, array, freeze
from lazarus_bench.judge.sampling import Sampling

_EXACT_CHECKPOINTS = 8
_EXACT_SEEDS = 64


@lru_cache(maxsize=64)
def _null_counts(checkpoints: int, seeds: int) -> Array:
    """Null probabilities of Page's Σ j·Rⱼ summed over seeds, indexed from its minimum."""
    ranks = np.arange(1, checkpoints + 1)
    sums = np.array([ranks @ np.array(order) for order in permutations(ranks.tolist())])
    single = np.bincount(sums - sums.min()) / sums.size
    total = np.ones(1)
    for _ in range(seeds):
        total = np.convolve(total, single)
    return np.asarray(total, dtype=np.float64)


def critical_correlation(seeds: int, checkpoints: int, tail: float) -> float:
    """Return the mean rank correlation beyond which Page's one-sided p is at most `tail`.

    The value lies halfway between the last attainable correlation that fails and the first that
    rejects, so rounding cannot move a verdict; above 1 when no outcome rejects.

    Source: Page, JASA 58 (1963); exact null up to 8 checkpoints and 64 seeds, else his normal
    approximation.
    """
    if checkpoints > _EXACT_CHECKPOINTS or seeds > _EXACT_SEEDS:
        return float(stats.norm.isf(tail)) / math.sqrt(seeds * (checkpoints - 1))
    counts = _null_counts(checkpoints, seeds)
    survival = np.cumsum(counts[::-1])[::-1]
    # The tolerance keeps a p-value that equals the tail up to rounding on the rejecting side.
    rejecting = np.flatnonzero(survival <= tail * (1 + 1e-9))
    first = float(rejecting[0]) if rejecting.size else float(counts.size)
    return (first - 0.5) / (counts.size - 1) * 2 - 1


@dataclass(frozen=True, kw_only=True)
class PageInversion(Sampling):
    """Mean rank correlation ± the critical value of Page's test; one seed claims nothing."""

    correlation: float
    seeds: int
    checkpoints: int

    @property
    def size(self) -> int:
        return self.seeds

    def limits(self, level: float) -> Limits:
        if self.seeds < 2:
            return -1.0, 1.0
        half = critical_correlation(self.seeds, self.checkpoints, (1 - level) / 2)
        return max(-1.0, self.correlation - half), min(1.0, self.correlation + half)

    def resized(self, size: int) -> Self:
        return replace(self, seeds=size)

    def standard_error(self) -> tuple[float, float]:
        return 1 / math.sqrt(self.seeds * (self.checkpoints - 1)), 1e6


@dataclass(frozen=True, kw_only=True)
class Trend(Evidence):
    """A monotone trend over checkpoints; the estimand is the mean over seeds of Spearman's ρ.

    The interval inverts Page's test: its lower limit exceeds 0 exactly when Page's one-sided p is
    at most (1 − level)/2. Checkpoints of one run depend on each other, so one seed yields [−1, 1].

    Attributes:
        values: `values[seed][checkpoint]`, at least two checkpoints, in training order.
    """

    values: Sequence[Sequence[float]]

    def __post_init__(self) -> None:
        freeze(self, 2, "values")
        if len(self.values[0]) < 2:
            raise ValueError("Trend needs at least two checkpoints per seed")

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.values), len(self.values[0])

    @property
    def point(self) -> float:
        return float(np.mean(self.seed_values()))

    def seed_values(self) -> Array:
        k = self.shape[1]
        ranks = stats.rankdata(array(self.values), axis=1)
        distance = ((ranks - np.arange(1, k + 1)) ** 2).sum(axis=1)
        # On ties the linear form that Page's statistic implies, not Pearson's on midranks.
        ties = (ranks**2).sum(axis=1) - k * (k + 1) * (2 * k + 1) / 6
        correlations: Array = 1 - 6 * (distance - ties) / (k * (k**2 - 1))
        return correlations

    @property
    def method(self) -> str:
        return "Page's trend test, inverted"

    @property
    def unit(self) -> str:
        return "seeds"

    @property
    def caveat(self) -> str:
        return "" if self.shape[0] > 1 else "checkpoints of one run depend on each other"

    def sampling(self) -> PageInversion:
        seeds, checkpoints = self.shape
        return PageInversion(correlation=self.point, seeds=seeds, checkpoints=checkpoints)

    def effect(self, level: float, edge: float | None = None) -> Effect | None:  # noqa: ARG002
        low, high = self.limits(level)
        return Effect(name="rank correlation", value=self.point, low=low, high=high, level=level)
