"""Sampling models: the limits a sample supports, and those of a larger sample of its kind."""

# ruff: noqa: D102 (overrides inherit the docstring of what they override)
from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np

from lazarus_bench.judge.bounds import (
    Array,
    Limits,
    bounded_mean_high,
    bounded_mean_low,
    clopper_pearson,
    student_t,
)

NOTHING: Limits = (-math.inf, math.inf)


class Sampling(ABC):
    """Limits for one estimand, for the sample at hand or for one of another size."""

    @property
    @abstractmethod
    def size(self) -> int:
        """How many independent units were seen."""

    @abstractmethod
    def limits(self, level: float) -> Limits:
        """Return the confidence limits at a two-sided level."""

    def low(self, level: float) -> float:
        """Return the lower limit alone."""
        return self.limits(level)[0]

    def high(self, level: float) -> float:
        """Return the upper limit alone."""
        return self.limits(level)[1]

    @abstractmethod
    def resized(self, size: int) -> Self:
        """Return the same sample as if it had `size` units and looked alike."""

    def spread_known(self) -> bool:
        """Whether the sample shows how far its units differ, without which no limit is finite."""
        return True

    @abstractmethod
    def standard_error(self) -> tuple[float, float]:
        """Return the standard error (0 when unknown) and its degrees of freedom."""

    def sampling_error(self) -> tuple[float, float]:
        """Return the point estimate's own standard error (0 when unknown) and its freedom.

        `standard_error` plans with the limits in mind, so it is 0 where they are wider than a
        sampling error makes them. This one is of the estimate alone, however wide its limits are.
        """
        return 0.0, 0.0


def welch_df(first: float, first_df: float, second: float, second_df: float) -> float:
    """Return the degrees of freedom of the sum of two independent squared errors, positive.

    Source: Welch, Biometrika 34 (1947).
    """
    return (first + second) ** 2 / (first**2 / first_df + second**2 / second_df)


@dataclass(frozen=True, kw_only=True)
class Outer(Sampling):
    """The hull of several valid answers: as low as the lowest, as high as the highest.

    Attributes:
        lows: whose lower limits count.
        highs: whose upper limits count.
        point: whose spread is the point estimate's, among these or apart from them.
    """

    lows: tuple[Sampling, ...]
    highs: tuple[Sampling, ...]
    point: Sampling

    @property
    def size(self) -> int:
        return self.highs[0].size

    def limits(self, level: float) -> Limits:
        return self.low(level), self.high(level)

    def low(self, level: float) -> float:
        return min(part.low(level) for part in self.lows)

    def high(self, level: float) -> float:
        return max(part.high(level) for part in self.highs)

    def resized(self, size: int) -> Self:
        lows = tuple(part.resized(size) for part in self.lows)
        highs = tuple(part.resized(size) for part in self.highs)
        return replace(self, lows=lows, highs=highs, point=self.point.resized(size))

    def spread_known(self) -> bool:
        return all(part.spread_known() for part in (*self.lows, *self.highs))

    def standard_error(self) -> tuple[float, float]:
        if len(self.lows) > 1:
            # A hull is wider than any part's standard error tells; a smallest detectable distance
            # from one would contradict the interval beside it.
            return 0.0, 0.0
        return max(part.standard_error() for part in (*self.lows, *self.highs))

    def sampling_error(self) -> tuple[float, float]:
        return self.point.sampling_error()


@dataclass(frozen=True, kw_only=True)
class Highest(Sampling):
    """The largest of several estimands, each with its own pointwise limits."""

    parts: tuple[Sampling, ...]

    @property
    def size(self) -> int:
        return self.parts[0].size

    def limits(self, level: float) -> Limits:
        return self.low(level), self.high(level)

    def low(self, level: float) -> float:
        return max(part.low(level) for part in self.parts)

    def high(self, level: float) -> float:
        return max(part.high(level) for part in self.parts)

    def resized(self, size: int) -> Self:
        return replace(self, parts=tuple(part.resized(size) for part in self.parts))

    def spread_known(self) -> bool:
        return any(part.spread_known() for part in self.parts)

    def standard_error(self) -> tuple[float, float]:
        return max(part.standard_error() for part in self.parts)


@dataclass(frozen=True, kw_only=True)
class Recovered(Sampling):
    """Difference of two independent estimates from their own limits (MOVER).

    Source: Zou and Donner, Statistics in Medicine 27 (2008); with Wilson limits it is Newcombe's.

    Attributes:
        first: sampling of the minuend.
        second: sampling of the subtrahend.
        means: their point estimates.
    """

    first: Sampling
    second: Sampling
    means: tuple[float, float]

    @property
    def size(self) -> int:
        return min(self.first.size, self.second.size)

    def limits(self, level: float) -> Limits:
        a, b = self.means
        (l1, u1), (l2, u2) = self.first.limits(level), self.second.limits(level)
        return a - b - math.hypot(a - l1, u2 - b), a - b + math.hypot(u1 - a, b - l2)

    def resized(self, size: int) -> Self:
        return replace(self, first=self.first.resized(size), second=self.second.resized(size))

    def standard_error(self) -> tuple[float, float]:
        (a, da), (b, db) = self.first.standard_error(), self.second.standard_error()
        return math.hypot(a, b), min(da, db)

    def sampling_error(self) -> tuple[float, float]:
        (a, da), (b, db) = self.first.sampling_error(), self.second.sampling_error()
        # The error of one side alone would pass for that of both.
        return (math.hypot(a, b), welch_df(a**2, da, b**2, db)) if a and b else (0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Student(Sampling):
    """t over independent units; with fewer than two units or no spread it claims nothing.

    Attributes:
        mean: sample mean.
        sd: sample standard deviation (ddof 1); 0 means the spread is unknown.
        n: number of units.
    """

    mean: float
    sd: float
    n: int

    @classmethod
    def of(cls, units: Array) -> Student:
        """Summarise one value per unit, shape (n,)."""
        # Rounding of equal means leaves a spread of a few ulp, which is no evidence of precision.
        negligible = 1e-12 * float(np.abs(units).max())
        sd = float(units.std(ddof=1)) if units.size > 1 else 0.0
        return cls(mean=float(units.mean()), sd=sd if sd > negligible else 0.0, n=units.size)

    @property
    def size(self) -> int:
        return self.n

    def limits(self, level: float) -> Limits:
        error, df = self.standard_error()
        return student_t(self.mean, error, df, level) if error > 0 else NOTHING

    def resized(self, size: int) -> Self:
        return replace(self, n=size)

    def spread_known(self) -> bool:
        return self.standard_error()[0] > 0

    def standard_error(self) -> tuple[float, float]:
        return (self.sd / math.sqrt(self.n) if self.n > 1 else 0.0), self.n - 1

    def sampling_error(self) -> tuple[float, float]:
        return self.standard_error()


@dataclass(frozen=True, kw_only=True)
class Welch(Recovered):
    """Difference of two independent means with unequal variances (Welch, 1947)."""

    def limits(self, level: float) -> Limits:
        error, df = self.standard_error()
        return student_t(self.means[0] - self.means[1], error, df, level) if error else NOTHING

    def spread_known(self) -> bool:
        return self.standard_error()[0] > 0

    def standard_error(self) -> tuple[float, float]:
        (a, da), (b, db) = self.first.standard_error(), self.second.standard_error()
        if self.size < 2 or a + b == 0:
            return 0.0, 0.0
        # A side without spread has no freedom to lose.
        df = welch_df(a**2, da, b**2, db) if a and b else da if a else db
        return math.hypot(a, b), df

    def sampling_error(self) -> tuple[float, float]:
        return self.standard_error()


@dataclass(frozen=True, kw_only=True)
class Exponential(Sampling):
    """Limits found on the log scale and read on the original one."""

    log: Student

    @property
    def size(self) -> int:
        return self.log.n

    def limits(self, level: float) -> Limits:
        low, high = self.log.limits(level)
        return (math.exp(low), math.exp(min(high, 700.0))) if self.log.sd > 0 else (0.0, math.inf)

    def resized(self, size: int) -> Self:
        return replace(self, log=self.log.resized(size))

    def spread_known(self) -> bool:
        return self.standard_error()[0] > 0

    def standard_error(self) -> tuple[float, float]:
        error, df = self.log.standard_error()
        return math.exp(self.log.mean) * error, df  # delta method, for planning only


_PLANNING_ATOMS = 32


@dataclass(frozen=True, kw_only=True)
class Bounded(Sampling):
    """Mean of independent units on a known support: exact for values at its ends, else Gaffke's.

    Attributes:
        atoms: distinct values.
        shares: their relative frequencies, summing to 1.
        support: smallest and largest possible value.
        units: number of independent units.
        offset: known constant subtracted from mean and limits.
    """

    atoms: tuple[float, ...]
    shares: tuple[float, ...]
    support: Limits
    units: int
    offset: float = 0.0

    @classmethod
    def of(cls, units: Array, support: Limits, offset: float = 0.0) -> Bounded:
        """Summarise values of shape (units,)."""
        atoms, counts = np.unique(units, return_counts=True)
        return cls(
            atoms=tuple(atoms.tolist()),
            shares=tuple((counts / units.size).tolist()),
            support=support,
            units=units.size,
            offset=offset,
        )

    @property
    def size(self) -> int:
        return self.units

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
        return self._limit(level, 0)

    def high(self, level: float) -> float:
        return self._limit(level, 1)

    def _limit(self, level: float, side: Literal[0, 1]) -> float:
        if self.binary:
            start, end = self.support
            rate = clopper_pearson(self.hit_rate * self.units, self.units, level)[side]
            return start + rate * (end - start) - self.offset
        atoms, weights = np.asarray(self.atoms), np.asarray(self.shares) * self.units
        bound = (bounded_mean_low, bounded_mean_high)[side]
        return bound(atoms, weights, self.support[side], level) - self.offset

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
        if self.units < 2:
            return 0.0, 0.0
        atoms, shares = np.asarray(self.atoms), np.asarray(self.shares)
        variance = float(shares @ (atoms - shares @ atoms) ** 2)
        return math.sqrt(variance / (self.units - 1)), self.units - 1

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
    bounded = Bounded.of(units, support)
    parts = (bounded, student) if student.sd > 0 else (bounded,)
    return Outer(lows=parts, highs=parts, point=student)
