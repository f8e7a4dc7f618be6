"""Bytes and times for people."""

from __future__ import annotations


def size(amount: int) -> str:
    """`amount` bytes in the largest unit that leaves a whole part: 1.5 MB (1 MB = 10⁶ bytes)."""
    value, unit = float(amount), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "B" or value >= 99.95 else f"{value:.1f} {unit}"


def span(seconds: float) -> str:
    """A time span in its largest unit: 12 s, 3 min, 5 h, 2 d."""
    for limit, divisor, unit in ((100, 1, "s"), (6000, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{max(seconds, 0) / divisor:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"
