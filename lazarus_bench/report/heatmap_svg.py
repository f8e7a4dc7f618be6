"""A heat map as one SVG that stands alone: prompts by row, layers by column, and its key."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from lazarus_bench.report import printed
from lazarus_bench.report.escaping import visible, xml
from lazarus_bench.report.heatmap import COLOURS, HeatMap, HeatRow, course
from lazarus_bench.report.heatmap_scale import PROBABILITY, Scale

LONGEST = 14
"""Characters of a prompt that a report draws; the table beside the drawing has all of them."""

MOST_TICKS = 8

_CHARACTER, _GAP, _RIGHT, _ROW, _HEAD, _AXIS, _KEY = 7.3, 10, 16, 18, 24, 26, 44
_WIDE, _WHOLE = 34, 480
"""Widest column, and the width that many columns share."""

_NUMBER = 24
"""Width of a column that has room for its layer's number."""


def svg(
    item: HeatMap,
    *,
    outlined: Collection[int] | None = None,
    longest: int = LONGEST,
    scale: Scale = PROBABILITY,
) -> str:
    """Draw a heat map on white; a cell's number shows when it is pointed at.

    Args:
        item: the heat map.
        outlined: the layers to mark, instead of its own alone.
        longest: characters of a prompt to draw.
        scale: which colour a number has.
    """
    sheet = _Sheet.of(item, {item.layer} if outlined is None else outlined, longest, scale)
    width = sheet.left + max(sheet.step * item.depth, 240) + _RIGHT
    parts = list(_rows(item, sheet))
    height = _bottom(item) + _AXIS + _KEY
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" '
        f'width="{width:g}" height="{height}" role="img" font-family="sans-serif" font-size="12">'
    )
    titled = f"<title>{xml(f'{item.title}: {item.subject}')}</title>"
    told = f"<desc>{xml(course(item))}</desc>"
    ground = f'<rect width="{width:g}" height="{height}" fill="white"/>'
    drawn = [head, titled, told, ground, *parts, *_axis(item, sheet), *_key(item, sheet), "</svg>"]
    return "\n".join(drawn) + "\n"


@dataclass(frozen=True, kw_only=True)
class _Sheet:
    """Where things go: the cells' left edge, a column's width, which layers are marked; colours."""

    left: int
    step: float
    outlined: Collection[int]
    longest: int
    scale: Scale

    @classmethod
    def of(cls, item: HeatMap, outlined: Collection[int], longest: int, scale: Scale) -> _Sheet:
        left = round(_CHARACTER * longest) + _GAP
        step = min(_WIDE, _WHOLE / item.depth)
        return cls(left=left, step=step, outlined=outlined, longest=longest, scale=scale)


def ticks(item: HeatMap) -> range:
    """The layers whose numbers an axis has room for, the marked one among them."""
    step = -(-item.depth // MOST_TICKS)
    return range(item.layer % step, item.depth, step)


def label(row: HeatRow, longest: int = LONGEST) -> str:
    """A prompt as a drawing names it, cut where it is long."""
    shown = visible(row.prompt.rstrip()).replace("␣", " ")
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def _rows(item: HeatMap, sheet: _Sheet) -> Iterator[str]:
    top = 0
    for group in item.groups:
        yield f'<text x="{sheet.left}" y="{top + 16}" fill="#555555">{xml(group.name)}</text>'
        top += _HEAD
        first = top
        for row in group.rows:
            yield from _row(row, top, sheet)
            top += _ROW
        for layer in sheet.outlined:
            yield from _outline(layer, first, top, sheet)


def _outline(layer: int, first: int, top: int, sheet: _Sheet) -> Iterator[str]:
    # Black alone is lost on the darkest cells.
    for stroke, wide in (("white", 4), ("black", 1.5)):
        yield (
            f'<rect x="{sheet.left + layer * sheet.step - 0.5:g}" y="{first - 0.5:g}" '
            f'width="{sheet.step:g}" height="{top - first}" fill="none" stroke="{stroke}" '
            f'stroke-width="{wide:g}"/>'
        )


def _row(row: HeatRow, top: int, sheet: _Sheet) -> Iterator[str]:
    yield (
        f'<text x="{sheet.left - 8}" y="{top + 13}" text-anchor="end" fill="#222222" '
        f'font-family="monospace">{xml(label(row, sheet.longest))}</text>'
    )
    for layer, value in enumerate(row.probability):
        at = sheet.scale.level(value)
        if at is not None:
            yield (
                f'<rect x="{sheet.left + layer * sheet.step:g}" y="{top}" '
                f'width="{sheet.step - 1:g}" height="{_ROW - 1}" fill="{COLOURS[at]}">'
                f"<title>L{layer}: {printed.number(value)}</title></rect>"
            )


def _bottom(item: HeatMap) -> int:
    return sum(_HEAD + _ROW * len(group.rows) for group in item.groups)


def _axis(item: HeatMap, sheet: _Sheet) -> Iterator[str]:
    y = _bottom(item) + 16
    roomy = sheet.step >= _NUMBER
    for layer in sorted({*ticks(item), *(sheet.outlined if roomy else ())}):
        x = sheet.left + (layer + 0.5) * sheet.step
        weight = "bold" if layer in sheet.outlined else "normal"
        yield (
            f'<text x="{x:g}" y="{y}" text-anchor="middle" fill="#222222" '
            f'font-weight="{weight}">L{layer}</text>'
        )


def _key(item: HeatMap, sheet: _Sheet) -> Iterator[str]:
    top, step = _bottom(item) + _AXIS, 240 / len(COLOURS)
    for at, colour in enumerate(COLOURS):
        yield (
            f'<rect x="{sheet.left + at * step:g}" y="{top + 6}" width="{step:g}" height="12" '
            f'fill="{colour}"/>'
        )
    for at, name in enumerate(sheet.scale.key):
        x = sheet.left + 2 * at * step
        yield (
            f'<text x="{x:g}" y="{top + 33}" text-anchor="middle" font-size="11" '
            f'fill="#222222">{name}</text>'
        )
