"""Sampling models of values on a known support: exact, free of shape, valid without spread."""

# ruff: noqa: D102 (overrides inherit the docstring of what they override)
from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from lazarus_bench.judge.bounds import (
    Array,
    Limits,
    bounded_mean_high,
    bounded_mean_low,
    clopper_pearson,
    t_quantile,
)
from lazarus_bench.judge.sampling import Outer, Sampling
from lazarus_bench.judge.student import Student

LEAST_CORRELATION = 0.04
_PLANNING_ATOMS = 32


@dataclass(frozen=True, kw_only=True)
class Bounded(Sampling):
    """Mean on a known support: exact for 0/1 data, with a design effect when units are clustered.

    Korn and Graubard (1998): replace the n observations by n/deff effective ones, shrunk by
    (t with n − 1 df / t with units − 1 df)² because deff rests on few units. A few units that
    happen to agree are no evidence that units agree, so deff never falls below 1, nor the count
    of effective observations above what an intraclass correlation of LEAST_CORRELATION allows.
    With beta-binomial units this keeps both errors within alpha up to a correlation of 0.05 (at a
    rate of 0.9, a standard deviation of 0.07 between seeds); rarer, larger failures of a whole
    seed need more seeds, not another formula.

    Attributes:
        atoms: distinct values.
        shares: their relative frequencies, summing to 1.
        support: smallest and largest possible value.
        per_unit: observations in each unit (1 when each observation is its own unit).
        units: number of independent units.
        deff: design effect, ≥ 1.
        offset: known constant subtracted from mean and limits.
    """

    atoms: tuple[float, ...]
    shares: tuple[float, ...]
    support: Limits
    per_unit: int
    units: int
    deff: float = 1.0
    offset: float = 0.0

    @classmethod
    def of(cls, values: Array, support: Limits, offset: float = 0.0) -> Bounded:
        """Summarise values of shape (units, per_unit)."""
        units, per_unit = values.shape
        atoms, counts = np.unique(values, return_counts=True)
        within = float(values.var()) / values.size
        between = float(values.mean(axis=1).var(ddof=1)) / units if units > 1 else 0.0
        clustered = per_unit > 1 and within > 0
        return cls(
            atoms=tuple(atoms.tolist()),
            shares=tuple((counts / values.size).tolist()),
            support=support,
            per_unit=per_unit,
            units=units,
            deff=max(1.0, between / within) if clustered else 1.0,
            offset=offset,
        )

    @property
    def size(self) -> int:
        return self.units

    def effective(self, level: float) -> float:
        """Return the effective number of observations at a level."""
        total = self.units * self.per_unit
        if self.per_unit == 1 or self.units < 2:
            return total / self.deff
        upper = (1 + level) / 2
        shrink = t_quantile(upper, total - 1) / t_quantile(upper, self.units - 1)
        assumed = 1 + (self.per_unit - 1) * LEAST_CORRELATION
        return min(total / self.deff * shrink**2, total / assumed)

    @property
    def binary(self) -> bool:
        """Whether every value lies at an end of the support."""
        return set(self.atoms) <= set(self.support)

    @property
    def hit_rate(self) -> float:
        """Share of values at the upper end of the support."""
        return dict(zip(self.atoms, self.shares, strict=True)).get(self.support[1], 0.0)

    def limits(self, level: float) -> Limits:
        return self.low(level), self.high(level)

    def low(self, level: float) -> float:
        count = self.effective(level)
        if self.binary:
            start, end = self.support
            rate = clopper_pearson(self.hit_rate * count, count, level)[0]
            return start + rate * (end - start) - self.offset
        atoms, weights = np.asarray(self.atoms), np.asarray(self.shares) * count
        return bounded_mean_low(atoms, weights, self.support[0], level) - self.offset

    def high(self, level: float) -> float:
        count = self.effective(level)
        if self.binary:
            start, end = self.support
            rate = clopper_pearson(self.hit_rate * count, count, level)[1]
            return start + rate * (end - start) - self.offset
        atoms, weights = np.asarray(self.atoms), np.asarray(self.shares) * count
        return bounded_mean_high(atoms, weights, self.support[1], level) - self.offset

    def resized(self, size: int) -> Self:
        if len(self.atoms) <= _PLANNING_ATOMS:
            return replace(self, units=size)
        # Planning needs no more digits than a few dozen atoms give, and many sizes are tried.
        atoms, shares = np.asarray(self.atoms), np.asarray(self.shares)
        group = np.minimum(np.cumsum(shares) * _PLANNING_ATOMS, _PLANNING_ATOMS - 1).astype(int)
        masses = np.bincount(group, weights=shares)
        centres = np.bincount(group, weights=shares * atoms)[masses > 0] / masses[masses > 0]
        shares = masses[masses > 0]
        return replace(
            self, units=size, atoms=tuple(centres.tolist()), shares=tuple(shares.tolist())
        )

    def standard_error(self) -> tuple[float, float]:
        atoms, shares = np.asarray(self.atoms), np.asarray(self.shares)
        variance = float(shares @ (atoms - shares @ atoms) ** 2)
        total = self.units * self.per_unit
        if total < 2:
            return 0.0, 0.0
        return math.sqrt(variance * self.deff / (total - 1)), max(self.units, 2) - 1

    def sampling_error(self) -> tuple[float, float]:
        # A rate's variance follows the rate: the few misses of a high one make it look sure, and
        # the pool of six rates of 0.98 then misses them in 10% of cases. Their exact limits do not.
        return (0.0, 0.0) if self.binary else self.standard_error()


def one_run(units: Array, support: Limits) -> Sampling:
    """Return the sampling of one run's prompt or cluster values, shape (n,).

    Values inside the support get the hull of Gaffke's limits and t: t alone undercovers skewed
    probabilities at few prompts, Gaffke alone trusts a support that the values only suggest.
    """
    student = Student.of(units)
    if units.min() < support[0] or units.max() > support[1]:
        return student
    bounded = Bounded.of(units[:, None], support)
    parts = (bounded, student) if student.sd > 0 else (bounded,)
    return Outer(lows=parts, highs=parts, point=student)
