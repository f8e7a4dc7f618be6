"""Curves over layers as one SVG that stands alone: fractions from 0 to 1, and the null below them.

Each series is a line with dots; the null's mean is dashed, and below the 95th percentile of its
best layer the ground is grey: a curve that stays in there shows nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lazarus_bench.report import printed
from lazarus_bench.report.charts import LayerCurves, LayerSeries
from lazarus_bench.report.escaping import xml
from lazarus_bench.report.sparkline import spread

STROKES = ("#0b5e7f", "#b3541e", "#5b3a8c", "#2c7a3f")
"""Colours of the series, again from the first after the last."""

_LEFT, _TOP, _WIDE, _HIGH, _RIGHT = 48, 40, 480, 200, 16
_AXIS, _LINE = 24, 18
_MOST_TICKS = 12


def svg(item: LayerCurves) -> str:
    """Draw curves on white; a dot's number shows when it is pointed at."""
    width = _LEFT + _WIDE + _RIGHT
    names = list(_names(item))
    height = _TOP + _HIGH + _AXIS + _LINE * len(names) + 12
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" font-family="sans-serif" font-size="12">'
    )
    titled = f"<title>{xml(f'{item.title}: {item.subject}')}</title>"
    ground = f'<rect width="{width}" height="{height}" fill="white"/>'
    drawn = [*_null(item), *_axes(item)]
    for at, series in enumerate(item.series):
        drawn += _line(item, series, STROKES[at % len(STROKES)])
    return "\n".join([head, titled, ground, *_heading(item), *drawn, *names, "</svg>"]) + "\n"


def _heading(item: LayerCurves) -> Iterator[str]:
    yield f'<text x="{_LEFT}" y="16" fill="#222222">{xml(f"{item.title}: {item.subject}")}</text>'
    yield f'<text x="{_LEFT}" y="32" font-size="11" fill="#555555">{xml(item.unit)}</text>'


def _x(item: LayerCurves, at: int) -> float:
    return _LEFT + (at + 0.5) * _WIDE / len(item.layers)


def _y(value: float) -> float:
    return _TOP + _HIGH * (1 - min(max(value, 0.0), 1.0))


def _points(item: LayerCurves, values: Sequence[float]) -> str:
    return " ".join(f"{_x(item, at):.1f},{_y(y):.1f}" for at, y in enumerate(values))


def _null(item: LayerCurves) -> Iterator[str]:
    if item.null is None:
        return
    top = _y(item.null.upper)
    yield (
        f'<rect x="{_LEFT}" y="{top:.1f}" width="{_WIDE}" height="{_TOP + _HIGH - top:.1f}" '
        f'fill="#eeeeee"/>'
    )
    yield (
        f'<polyline points="{_points(item, item.null.mean)}" fill="none" stroke="#777777" '
        f'stroke-dasharray="4 3"/>'
    )


def _line(item: LayerCurves, series: LayerSeries, stroke: str) -> Iterator[str]:
    yield (
        f'<polyline points="{_points(item, series.mean)}" fill="none" stroke="{stroke}" '
        f'stroke-width="1.5"/>'
    )
    for at, value in enumerate(series.mean):
        yield (
            f'<circle cx="{_x(item, at):.1f}" cy="{_y(value):.1f}" r="3" fill="{stroke}">'
            f"<title>L{item.layers[at]}: {printed.number(value)}</title></circle>"
        )


def _axes(item: LayerCurves) -> Iterator[str]:
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _y(value)
        yield (
            f'<line x1="{_LEFT}" x2="{_LEFT + _WIDE}" y1="{y:.1f}" y2="{y:.1f}" stroke="#cccccc"/>'
        )
        yield (
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#222222">{value:g}'
            f"</text>"
        )
    for at in spread(range(len(item.layers)), _MOST_TICKS):
        yield (
            f'<text x="{_x(item, at):.1f}" y="{_TOP + _HIGH + 16}" text-anchor="middle" '
            f'fill="#222222">L{item.layers[at]}</text>'
        )


def _names(item: LayerCurves) -> Iterator[str]:
    known = [(s.name, STROKES[at % len(STROKES)]) for at, s in enumerate(item.series)]
    if item.null is not None:
        said = f"{item.null.name}: mean (dashed); grey up to the best layer's 95th percentile"
        known.append((f"{said}, {printed.number(item.null.upper)}", "#777777"))
    for at, (name, stroke) in enumerate(known):
        y = _TOP + _HIGH + _AXIS + _LINE * (at + 1)
        yield f'<rect x="{_LEFT}" y="{y - 9}" width="10" height="10" fill="{stroke}"/>'
        yield f'<text x="{_LEFT + 16}" y="{y}" fill="#222222">{xml(name)}</text>'
