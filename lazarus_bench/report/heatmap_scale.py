"""Scales of a heat map: which colour a number has, and what the key says of the colours."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from lazarus_bench.report import printed
from lazarus_bench.report.heatmap import COLOURS, KEY, level


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Numbers as colours.

    Attributes:
        level: Index into `COLOURS` of a number; None for NaN, which is not drawn.
        key: What stands below the colours: at the first, and at the end of every second one.
    """

    level: Callable[[float], int | None]
    key: tuple[str, ...]


PROBABILITY = Scale(level=level, key=KEY)
"""Logarithmic, two colours a factor of ten from 10⁻⁶ up."""


def linear(largest: float) -> Scale:
    """Even steps from 0 to `largest`; what is beyond either end has its colour.

    Raises:
        ValueError: `largest` is not positive.
    """
    if not largest > 0:
        raise ValueError(f"a scale from 0 ends above 0, not at {largest}")

    def of(value: float) -> int | None:
        if math.isnan(value):
            return None
        return min(max(int(len(COLOURS) * value / largest), 0), len(COLOURS) - 1)

    steps = len(KEY) - 1
    return Scale(
        level=of, key=tuple(printed.number(largest * at / steps) for at in range(steps + 1))
    )
