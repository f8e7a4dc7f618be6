"""Evidence of one run whose statistic is no mean: its value, and its values in resamples."""

# ruff: noqa: D102 (overrides inherit the docstring of what they override)
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lazarus_bench.judge.bounds import Limits
from lazarus_bench.judge.evidence import Evidence, array, freeze
from lazarus_bench.judge.sampling import NOTHING

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
