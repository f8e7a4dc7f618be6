"""An axis: numbers to percentages of its length, and the round numbers to print along it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_PAD = 0.06
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_TICKS = 4


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A number on an axis: where it stands, in percent, and how it is printed."""

    at: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A linear axis from `low` to `high`, finite and in this order."""

    low: float
    high: float

    @classmethod
    def over(cls, values: Iterable[float], pad: float = _PAD) -> Scale:
        """Make the axis that shows every finite value, with room at both ends."""
        finite = [value for value in values if math.isfinite(value)] or [0.0]
        low, high = min(finite), max(finite)
        # Halves, because the span of the largest floats is no float.
        half = high / 2 - low / 2
        room = 2 * half * pad if half > 0 and math.isfinite(2 * half) else max(abs(high) * 0.1, 0.5)
        return cls(low=_finite(low - room), high=_finite(high + room))

    def at(self, value: float) -> float:
        """Return the place of `value` in percent, kept within the axis; NaN has none."""
        half = self.high / 2 - self.low / 2
        share = (value / 2 - self.low / 2) / half if half else 0.5
        return round(100 * min(max(share, 0.0), 1.0), 2)

    def ticks(self) -> tuple[Tick, ...]:
        """Return about four round numbers inside the axis."""
        step = _step(self.high / _TICKS - self.low / _TICKS)
        slack = 1e-9 * step
        first = math.ceil((self.low - slack) / step)
        values = [(first + i) * step for i in range(2 * _TICKS + 2)]
        inside = [value for value in values if value <= self.high + slack]
        return tuple(Tick(at=self.at(value), text=_text(value, step)) for value in inside)


def _finite(value: float) -> float:
    return min(max(value, -1.7e308), 1.7e308)


def _step(rough: float) -> float:
    magnitude = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    return next((s * magnitude for s in _STEPS if s * magnitude >= rough), 10 * magnitude)


def _text(value: float, step: float) -> str:
    decimals = max(0, -math.floor(math.log10(step)))
    # A step of 2.5 has one digit more than its magnitude.
    decimals += not math.isclose(step * 10.0**decimals, round(step * 10.0**decimals))
    few = decimals <= 4 and abs(value) < 1e7
    shown = f"{value:,.{decimals}f}" if few else f"{value:.3g}"
    if float(shown.replace(",", "")) == 0:
        return "0"
    return f"−{shown[1:]}" if shown.startswith("-") else shown
