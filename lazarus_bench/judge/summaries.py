"""Evidence printed as means and deviations: the difference of two."""

# ruff: noqa: D102 (overrides inherit the docstring of what they override)
from __future__ import annotations

import math
from dataclasses import dataclass

from lazarus_bench.judge.effects import hedges_g
from lazarus_bench.judge.estimate import Effect
from lazarus_bench.judge.evidence import Evidence
from lazarus_bench.judge.student import Student, Welch


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Mean and standard deviation (ddof 1) of `n` independent numbers."""

    mean: float
    sd: float
    n: int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and math.isfinite(self.sd)):
            raise ValueError(f"a summary needs finite numbers, not {self.mean} and {self.sd}")
        if self.sd < 0 or self.n < 1:
            raise ValueError(f"no sample has a deviation of {self.sd} over {self.n} numbers")


@dataclass(frozen=True, kw_only=True)
class SummaryDifferences(Evidence):
    """first − second of two independent samples of which only summaries are known: Welch's t.

    Means and deviations are all that Welch's interval reads of a sample, so nothing is lost.

    Attributes:
        first: the minuend.
        second: the subtrahend.
    """

    first: Summary
    second: Summary

    @property
    def point(self) -> float:
        return self.first.mean - self.second.mean

    @property
    def method(self) -> str:
        return "Welch t on printed means and deviations"

    @property
    def shape(self) -> tuple[int, int]:
        return 1, min(self.first.n, self.second.n)

    @property
    def items(self) -> str:
        return "trials"

    def sampling(self) -> Welch:
        first, second = (
            Student(mean=side.mean, sd=side.sd, n=side.n) for side in (self.first, self.second)
        )
        return Welch(first=first, second=second)

    def effect(self, level: float, edge: float | None = None) -> Effect | None:  # noqa: ARG002
        a, b = self.first, self.second
        df = a.n + b.n - 2
        if df < 2:
            return None
        pooled = math.sqrt(((a.n - 1) * a.sd**2 + (b.n - 1) * b.sd**2) / df)
        return hedges_g(self.point, pooled, math.sqrt(1 / a.n + 1 / b.n), df, level)
