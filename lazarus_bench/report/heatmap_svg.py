"""A heat map as one SVG that stands alone: prompts by row, layers by column, and its key."""

from __future__ import annotations

from collections.abc import Iterator

from lazarus_bench.report import wording
from lazarus_bench.report.escaping import visible, xml
from lazarus_bench.report.heatmap import COLOURS, KEY, HeatMap, HeatRow, course, level

LONGEST = 14
"""Characters of a prompt that are drawn; the table beside the drawing has all of them."""

MOST_TICKS = 8

_LEFT, _RIGHT, _ROW, _HEAD, _AXIS, _KEY = 112, 16, 18, 24, 26, 44
_WIDE, _WHOLE = 34, 480
"""Widest column, and the width that many columns share."""


def svg(item: HeatMap) -> str:
    """Draw a heat map on white; a cell's number shows when it is pointed at."""
    step = min(_WIDE, _WHOLE / item.depth)
    width = _LEFT + max(step * item.depth, 240) + _RIGHT
    parts = list(_rows(item, step))
    height = _bottom(item) + _AXIS + _KEY
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" '
        f'width="{width:g}" height="{height}" role="img" font-family="sans-serif" font-size="12">'
    )
    titled = f"<title>{xml(f'{item.title}: {item.subject}')}</title>"
    told = f"<desc>{xml(course(item))}</desc>"
    ground = f'<rect width="{width:g}" height="{height}" fill="white"/>'
    drawn = [head, titled, told, ground, *parts, *_axis(item, step), *_key(item), "</svg>"]
    return "\n".join(drawn) + "\n"


def ticks(item: HeatMap) -> range:
    """The layers whose numbers an axis has room for, the marked one among them."""
    step = -(-item.depth // MOST_TICKS)
    return range(item.layer % step, item.depth, step)


def label(row: HeatRow) -> str:
    """A prompt as a drawing names it, cut where it is long."""
    shown = visible(row.prompt.rstrip()).replace("␣", " ")
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"


def _rows(item: HeatMap, step: float) -> Iterator[str]:
    top = 0
    for group in item.groups:
        yield f'<text x="{_LEFT}" y="{top + 16}" fill="#555555">{xml(group.name)}</text>'
        top += _HEAD
        first = top
        for row in group.rows:
            yield from _row(row, top, step)
            top += _ROW
        # Black alone is lost on the darkest cells.
        for stroke, wide in (("white", 4), ("black", 1.5)):
            yield (
                f'<rect x="{_LEFT + item.layer * step - 0.5:g}" y="{first - 0.5:g}" '
                f'width="{step:g}" height="{top - first}" fill="none" stroke="{stroke}" '
                f'stroke-width="{wide:g}"/>'
            )


def _row(row: HeatRow, top: int, step: float) -> Iterator[str]:
    yield (
        f'<text x="{_LEFT - 8}" y="{top + 13}" text-anchor="end" fill="#222222" '
        f'font-family="monospace">{xml(label(row))}</text>'
    )
    for layer, value in enumerate(row.probability):
        at = level(value)
        if at is not None:
            yield (
                f'<rect x="{_LEFT + layer * step:g}" y="{top}" width="{step - 1:g}" '
                f'height="{_ROW - 1}" fill="{COLOURS[at]}">'
                f"<title>L{layer}: {wording.number(value)}</title></rect>"
            )


def _bottom(item: HeatMap) -> int:
    return sum(_HEAD + _ROW * len(group.rows) for group in item.groups)


def _axis(item: HeatMap, step: float) -> Iterator[str]:
    y = _bottom(item) + 16
    for layer in ticks(item):
        x = _LEFT + (layer + 0.5) * step
        weight = "bold" if layer == item.layer else "normal"
        yield (
            f'<text x="{x:g}" y="{y}" text-anchor="middle" fill="#222222" '
            f'font-weight="{weight}">L{layer}</text>'
        )


def _key(item: HeatMap) -> Iterator[str]:
    top, step = _bottom(item) + _AXIS, 240 / len(COLOURS)
    for at, colour in enumerate(COLOURS):
        yield (
            f'<rect x="{_LEFT + at * step:g}" y="{top + 6}" width="{step:g}" height="12" '
            f'fill="{colour}"/>'
        )
    for at, name in enumerate(KEY):
        x = _LEFT + 2 * at * step
        yield (
            f'<text x="{x:g}" y="{top + 33}" text-anchor="middle" font-size="11" '
            f'fill="#222222">{name}</text>'
        )
