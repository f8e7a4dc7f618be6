"""A row of numbers as a row of bars, and which of many numbers a table has room for."""

import math
from collections.abc import Iterator, Sequence
from typing import TypeVar

_BARS = "▁▂▃▄▅▆▇█"
_T = TypeVar("_T")

NONE = "·"
"""Stands where there is no number."""


def bars(values: Sequence[float], among: Sequence[float] | None = None) -> Iterator[str]:
    """Draw a bar for each value, from the least to the greatest of `among`, or of all values."""
    finite = [y for y in (values if among is None else among) if math.isfinite(y)]
    # Scaled to at most 1 first: the span of the largest floats is no float.
    scale = max(map(abs, finite), default=0.0) or 1.0
    low = min(finite, default=0.0) / scale
    span = max(finite, default=0.0) / scale - low
    for y in values:
        height = (y / scale - low) / span if span else 0.5
        yield _BARS[min(int(height * len(_BARS)), len(_BARS) - 1)] if math.isfinite(y) else NONE


def spread(items: Sequence[_T], count: int) -> list[_T]:
    """At most `count` of `items`, evenly spaced, the first and the last among them."""
    if len(items) <= count:
        return list(items)
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]
