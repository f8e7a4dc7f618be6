"""Sampling models: what limits a sample supports, and what a larger sample of its kind would."""

# ruff: noqa: D102 (overrides inherit the docstring of what they override)
from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Self

from lazarus_bench.judge.bounds import Limits

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
        (a, b), ((l1, u1), (l2, u2)) = (
            self.means,
            (
                self.first.limits(level),
                self.second.limits(level),
            ),
        )
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
