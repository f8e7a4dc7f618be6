"""Evidence without a sampling model: computed, printed, and bootstrapped numbers."""

# ruff: noqa: D102 (overrides inherit the docstring of what they override)
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lazarus_bench.judge.bounds import Limits
from lazarus_bench.judge.evidence import Evidence, Scope, array, freeze
from lazarus_bench.judge.region import Region
from lazarus_bench.judge.sampling import NOTHING


@dataclass(frozen=True, kw_only=True)
class _Stated(Evidence):
    """Shared by both kinds: there is no sample, hence nothing to resize."""

    @property
    def shape(self) -> tuple[int, int]:
        return 0, 0

    def sampling(self) -> None:
        return None

    def needed(self, region: Region, level: float) -> str | None:  # noqa: ARG002
        return None


@dataclass(frozen=True, kw_only=True)
class Exact(_Stated):
    """A computed number, such as a parameter count: an interval of zero width.

    Attributes:
        value: the number.
        note: where it comes from.
    """

    value: float
    note: str = ""

    def __post_init__(self) -> None:
        freeze(self, 0, "value")

    @property
    def point(self) -> float:
        return self.value

    @property
    def method(self) -> str:
        return "computed"

    @property
    def scope(self) -> Scope:
        return "exact"

    @property
    def caveat(self) -> str:
        return self.note

    def limits(self, level: float) -> Limits:  # noqa: ARG002
        return self.value, self.value


@dataclass(frozen=True, kw_only=True)
class Reported(_Stated):
    """A number printed without its sample: it supports no interval, so nothing follows from it.

    Attributes:
        value: the printed number.
        low: lower end of a printed range, or None; a range of outcomes is no confidence interval.
        high: upper end of a printed range, or None.
        note: what was printed, and where.
    """

    value: float
    low: float | None = None
    high: float | None = None
    note: str = ""

    def __post_init__(self) -> None:
        given = (name for name in ("low", "high") if getattr(self, name) is not None)
        freeze(self, 0, "value", *given)
        if not (self.low if self.low is not None else -math.inf) <= self.value:
            raise ValueError(f"Reported.low {self.low} lies above the value {self.value}")
        if not self.value <= (self.high if self.high is not None else math.inf):
            raise ValueError(f"Reported.high {self.high} lies below the value {self.value}")

    @property
    def point(self) -> float:
        return self.value

    @property
    def method(self) -> str:
        return "as printed"

    @property
    def scope(self) -> Scope:
        return "reported"

    @property
    def caveat(self) -> str:
        reason = "printed without its sample"
        return f"{reason}: {self.note}" if self.note else reason

    def limits(self, level: float) -> Limits:  # noqa: ARG002
        return NOTHING

    def needed(self, region: Region, level: float) -> str | None:  # noqa: ARG002
        return "the sample itself: one value per prompt or per seed"


SLACK = 1e-9


@dataclass(frozen=True, kw_only=True)
class Resampled(Evidence):
    """A statistic of one run, recomputed on bootstrap samples of its items: a percentile interval.

    For statistics such as an adjusted Rand index, whose range a normal interval would leave. A
    limit is the draw of rank ⌊tail · (draws + 1)⌋ from its end, so that few draws widen it; at
    tails that no draw reaches there is no limit, and none where all draws agree, since a sample
    that shows no spread does not tell how much there is.

    Source: Efron and Tibshirani, *An Introduction to the Bootstrap* (1993), chapter 13.

    Attributes:
        value: the statistic of the sample itself.
        draws: the statistic of each resample.
        size: how many items were resampled.
        items: what they are.
    """

    value: float
    draws: Sequence[float]
    size: int
    items: str = "prompts"

    def __post_init__(self) -> None:
        freeze(self, 0, "value")
        freeze(self, 1, "draws")
        if self.size < 1:
            raise ValueError(f"Resampled.size is {self.size}; a sample has at least one item")

    @property
    def point(self) -> float:
        return self.value

    @property
    def method(self) -> str:
        return f"bootstrap over {self.items}"

    @property
    def shape(self) -> tuple[int, int]:
        return 1, self.size

    @property
    def caveat(self) -> str:
        return "" if np.ptp(array(self.draws)) > 0 else "all resamples agree exactly"

    def sampling(self) -> None:
        return None

    def limits(self, level: float) -> Limits:
        draws = np.sort(array(self.draws))
        rank = math.floor((1 - level) / 2 * (len(draws) + 1) + SLACK)
        if rank < 1 or draws[0] == draws[-1]:
            return NOTHING
        # The sample itself is one of its resamples, and belongs inside.
        return min(self.value, float(draws[rank - 1])), max(self.value, float(draws[-rank]))

    def _error(self) -> tuple[float, float] | tuple[None, None]:
        draws = array(self.draws)
        if draws.size < 2 or np.ptp(draws) == 0:
            return None, None
        return float(draws.std(ddof=1)), float(self.size - 1)
