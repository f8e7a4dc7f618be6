"""Training curves as one SVG that stands alone: a row a training, a panel each number it logged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lazarus_bench.report.charts import Curves
from lazarus_bench.report.escaping import xml
from lazarus_bench.report.html.charts import Panel, training_panels

COLUMNS = 4
"""Panels beside one another."""

_WIDE, _HIGH = 220, 130
_LEFT, _ABOVE, _BELOW = 52, 24, 26
_HEADING = 44
STROKE = "#0b5e7f"


def svg(items: Sequence[Curves]) -> str:
    """Draw curves on white; each number has an axis of its own, and all count the same steps."""
    rows = [row for item in items for row in _rows(item)]
    across = max((len(panels) for _, panels in rows), default=1)
    width = across * (_LEFT + _WIDE) + 16
    headings = sum(1 for heading, _ in rows if heading)
    height = headings * _HEADING + len(rows) * (_ABOVE + _HIGH + _BELOW) + 8
    title = "; ".join(f"{item.title}: {item.subject}" for item in items)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" font-family="sans-serif" font-size="11">'
    )
    ground = f'<rect width="{width}" height="{height}" fill="white"/>'
    lines = [head, f"<title>{xml(title)}</title>", ground, *_drawn(rows), "</svg>"]
    return "\n".join(lines) + "\n"


_Row = tuple[tuple[str, str] | None, tuple[Panel, ...]]


def _rows(item: Curves) -> Iterator[_Row]:
    """Panels in rows of at most `COLUMNS`, the first with a heading."""
    panels = training_panels(item)
    for start in range(0, len(panels), COLUMNS):
        below = f"{item.unit}, by {item.x}"
        heading = None if start else (f"{item.title}: {item.subject}", below)
        yield heading, panels[start : start + COLUMNS]


def _drawn(rows: Sequence[_Row]) -> Iterator[str]:
    top = 0
    for heading, panels in rows:
        if heading is not None:
            yield f'<text x="16" y="{top + 20}" font-size="13">{xml(heading[0])}</text>'
            yield f'<text x="16" y="{top + 36}" fill="#555555">{xml(heading[1])}</text>'
            top += _HEADING
        for at, panel in enumerate(panels):
            yield from _panel(panel, _LEFT + at * (_LEFT + _WIDE), top + _ABOVE)
        top += _ABOVE + _HIGH + _BELOW


def _panel(panel: Panel, left: int, top: int) -> Iterator[str]:
    """One chart whose corner is at (left, top); what it shows is told when it is pointed at."""
    yield f'<text x="{left}" y="{top - 8}" font-weight="bold">{xml(panel.title)}</text>'
    for tick in panel.y:
        y = top + _HIGH * (1 - tick.at / 100)
        yield f'<line x1="{left}" x2="{left + _WIDE}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>'
        yield f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{xml(tick.text)}</text>'
    for tick in panel.x:
        x = left + _WIDE * tick.at / 100
        y = top + _HIGH + 15
        yield f'<text x="{x:.1f}" y="{y}" text-anchor="middle">{xml(tick.text)}</text>'
    yield (
        f'<svg x="{left}" y="{top}" width="{_WIDE}" height="{_HIGH}" viewBox="0 0 100 100" '
        f'preserveAspectRatio="none"><title>{xml(panel.description)}</title>'
    )
    yield '<rect width="100" height="100" fill="none" pointer-events="all"/>'
    for points in (path for trace in panel.traces for path in trace.paths):
        yield (
            f'<polyline points="{points}" fill="none" stroke="{STROKE}" stroke-width="1.5" '
            f'vector-effect="non-scaling-stroke"/>'
        )
    yield "</svg>"
