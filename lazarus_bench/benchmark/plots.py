"""A cost against a size on two logarithmic axes, as one SVG that stands alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from lazarus_bench.benchmark.document import Curve
from lazarus_bench.report.escaping import xml

STROKES = ("#0b5e7f", "#b3541e", "#5b3a8c", "#2c7a3f")
"""Colours of the curves, again from the first after the last."""

_LEFT, _TOP, _WIDE, _HIGH, _RIGHT = 64, 32, 420, 220, 16
_AXIS, _LINE = 36, 18


def svg(title: str, curves: Sequence[Curve]) -> str:
    """Draw curves along one size on white, with the range of each point's interval.

    Args:
        title: above the drawing.
        curves: of the same size and unit.
    """
    width, height = _LEFT + _WIDE + _RIGHT, _TOP + _HIGH + _AXIS + _LINE * len(curves) + 12
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" font-family="sans-serif" font-size="12">'
    )
    frame = _Frame(curves)
    drawn = [*_axes(frame, curves[0])]
    for at, curve in enumerate(curves):
        drawn += _curve(frame, curve, STROKES[at % len(STROKES)], at)
    ground = f'<rect width="{width}" height="{height}" fill="white"/>'
    name = f'<text x="{_LEFT}" y="18" fill="#222222">{xml(title)}</text>'
    return "\n".join([head, f"<title>{xml(title)}</title>", ground, name, *drawn, "</svg>"]) + "\n"


class _Frame:
    """Where sizes and costs lie."""

    def __init__(self, curves: Sequence[Curve]) -> None:
        sizes = [size for curve in curves for size in curve.sizes]
        costs = [limit for curve in curves for c in curve.cost for limit in (c.low, c.high)]
        self.sizes = sorted(set(sizes))
        self._x = (math.log(min(sizes)), math.log(max(sizes)))
        self._y = (math.floor(math.log10(min(costs))), math.ceil(math.log10(max(costs))))

    def x(self, size: float) -> float:
        low, high = self._x
        return _LEFT + 16 + (_WIDE - 32) * (math.log(size) - low) / max(high - low, 1e-9)

    def y(self, cost: float) -> float:
        low, high = self._y
        return _TOP + _HIGH * (1 - (math.log10(cost) - low) / max(high - low, 1))

    @property
    def ticks(self) -> list[float]:
        low, high = self._y
        return [10.0**power for power in range(low, max(high, low + 1) + 1)]


def _axes(frame: _Frame, curve: Curve) -> Iterator[str]:
    for tick in frame.ticks:
        y = frame.y(tick)
        yield (
            f'<line x1="{_LEFT}" x2="{_LEFT + _WIDE}" y1="{y:.1f}" y2="{y:.1f}" stroke="#cccccc"/>'
        )
        yield _text(_LEFT - 6, y + 4, f"{tick:g}", "end")
    for size in frame.sizes:
        yield _text(frame.x(size), _TOP + _HIGH + 16, _short(size), "middle")
    yield _text(_LEFT + _WIDE / 2, _TOP + _HIGH + 31, curve.along, "middle")
    yield _text(_LEFT - 6, _TOP - 6, curve.unit, "end")


def _short(size: float) -> str:
    """A size on the axis: 128,000 is 128k."""
    return f"{size / 1000:g}k" if size >= 1000 else f"{size:g}"


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#222222">{xml(text)}</text>'


def _curve(frame: _Frame, curve: Curve, stroke: str, at: int) -> Iterator[str]:
    points = [(frame.x(s), frame.y(c.value)) for s, c in zip(curve.sizes, curve.cost, strict=True)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    yield f'<polyline points="{path}" fill="none" stroke="{stroke}" stroke-width="1.5"/>'
    for (x, y), size, cost in zip(points, curve.sizes, curve.cost, strict=True):
        yield (
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{frame.y(cost.low):.1f}" '
            f'y2="{frame.y(cost.high):.1f}" stroke="{stroke}"/>'
        )
        yield (
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{stroke}">'
            f"<title>{size:g}: {xml(str(cost))} {xml(curve.unit)}</title></circle>"
        )
    y = _TOP + _HIGH + _AXIS + _LINE * (at + 1)
    yield f'<rect x="{_LEFT}" y="{y - 9}" width="10" height="10" fill="{stroke}"/>'
    yield _text(_LEFT + 16, y, f"{curve.what}: exponent {curve.exponent}")
