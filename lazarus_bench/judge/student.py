"""Sampling models of continuous units whose spread is seen: Student, Welch, and log scale."""

# ruff: noqa: D102 (overrides inherit the docstring of what they override)
from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from lazarus_bench.judge.bounds import Array, Limits, student_t
from lazarus_bench.judge.sampling import NOTHING, Sampling, welch_df


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
class Welch(Sampling):
    """Difference of two independent means with unequal variances (Welch, 1947)."""

    first: Student
    second: Student

    @property
    def size(self) -> int:
        return min(self.first.n, self.second.n)

    def limits(self, level: float) -> Limits:
        error, df = self.standard_error()
        return student_t(self.first.mean - self.second.mean, error, df, level) if error else NOTHING

    def resized(self, size: int) -> Self:
        return replace(self, first=self.first.resized(size), second=self.second.resized(size))

    def spread_known(self) -> bool:
        return self.standard_error()[0] > 0

    def standard_error(self) -> tuple[float, float]:
        if self.size < 2:
            return 0.0, 0.0
        a, b = self.first.sd**2 / self.first.n, self.second.sd**2 / self.second.n
        if a + b == 0:
            return 0.0, 0.0
        return math.sqrt(a + b), welch_df(a, self.first.n - 1, b, self.second.n - 1)

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
