"""Evidence without a sample: computed numbers, and numbers printed without their sample."""

# ruff: noqa: D102 (overrides inherit the docstring of what they override)
from __future__ import annotations

import math
from dataclasses import dataclass

from lazarus_bench.judge.bounds import Limits
from lazarus_bench.judge.estimate import Scope
from lazarus_bench.judge.evidence import Evidence, freeze
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
        freeze(
            self, 0, "value", *(name for name in ("low", "high") if getattr(self, name) is not None)
        )
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
