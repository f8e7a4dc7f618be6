"""Numbers, durations and long lines, printed the same everywhere; loads no statistics."""

import math

from lazarus_bench.figures.tables import cut as cut
from lazarus_bench.figures.text import columns as columns
from lazarus_bench.figures.text import number as number
from lazarus_bench.figures.text import numbers as numbers
from lazarus_bench.figures.text import over_seeds as over_seeds
from lazarus_bench.figures.text import signed as signed


def share(value: float) -> str:
    """Print a part of a whole to two decimals: 0.43."""
    return f"{value:.2f}"


def many(number: int, what: str) -> str:
    """Print a count with its noun: 1 claim, 5 claims."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def duration(seconds: float) -> str:
    """Print a time: 0.3 s, 42 s, 3 min 20 s, 1 h 4 min; NaN and infinity are unknown."""
    if not math.isfinite(seconds):
        return "an unknown time"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def brackets(low: float, high: float, left: str, right: str) -> str:
    """Print an interval whose ends are printed already, open where it has no end."""
    opening = "[" if math.isfinite(low) else "("
    closing = "]" if math.isfinite(high) else ")"
    return f"{opening}{left}, {right}{closing}"


def with_limits(value: float, low: float, high: float) -> str:
    """Print a number and its interval with the same decimals: "0.900 [0.860, 0.940]"."""
    shown, left, right = numbers([value, low, high])
    return f"{shown} {brackets(low, high, left, right)}"
