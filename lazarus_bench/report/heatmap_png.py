"""A heat map as PNG, by matplotlib (the extra `plots`): the same cells, colours and key as the SVG.

matplotlib comes with the first drawing, since most sessions draw none.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Collection
from typing import Any

from lazarus_bench.report.heatmap import COLOURS, HeatMap
from lazarus_bench.report.heatmap_scale import PROBABILITY, Scale
from lazarus_bench.report.heatmap_svg import LONGEST, label, ticks

DOTS = 150
"""Dots an inch."""

_COLUMN, _ROW, _BESIDE = 0.36, 0.2, 1.1
"""Inches of a column and a row, and of what stands above and below them."""


def png(
    item: HeatMap,
    *,
    outlined: Collection[int] | None = None,
    longest: int = LONGEST,
    scale: Scale = PROBABILITY,
) -> bytes:
    """Draw a heat map on white, each group below its name.

    Args:
        item: the heat map.
        outlined: the layers to mark, instead of its own alone.
        longest: characters of a prompt to draw.
        scale: which colour a number has.
    """
    from matplotlib import rc_context

    # A token may be a dollar sign, or of a script that matplotlib's own font lacks.
    with rc_context({"text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        return _drawn(item, {item.layer} if outlined is None else outlined, longest, scale)


def _drawn(item: HeatMap, marked: Collection[int], longest: int, scale: Scale) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    heights = [len(group.rows) for group in item.groups]
    size = (max(4.0, _COLUMN * item.depth + 0.08 * longest), _ROW * sum(heights) + _BESIDE * 2)
    figure = Figure(figsize=size, dpi=DOTS, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    for place, group in zip(axes, item.groups, strict=True):
        _group(place, item, [row.probability for row in group.rows], marked, scale)
        place.set_yticks(range(len(group.rows)), [label(row, longest) for row in group.rows])
        place.set_title(group.name, loc="left", fontsize=9)
    figure.suptitle(f"{item.title}: {item.subject}", fontsize=10)
    _key(figure, axes, scale)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()


def _group(
    place: Any,
    item: HeatMap,
    values: list[tuple[float, ...]],
    outlined: Collection[int],
    scale: Scale,
) -> None:
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Rectangle

    levels = [[scale.level(p) for p in row] for row in values]
    cells = [[math.nan if at is None else float(at) for at in row] for row in levels]
    place.imshow(
        cells, cmap=ListedColormap(COLOURS), vmin=-0.5, vmax=len(COLOURS) - 0.5, aspect="auto"
    )
    for layer in outlined:
        # Black alone is lost on the darkest cells.
        for stroke, wide in (("white", 4), ("black", 1.5)):
            corner, high = (layer - 0.5, -0.5), len(values)
            place.add_patch(Rectangle(corner, 1, high, fill=False, ec=stroke, lw=wide))
    shown = list(ticks(item))
    place.set_xticks(shown, [f"L{layer}" for layer in shown])
    place.tick_params(labelsize=8)


def _key(figure: Any, axes: Any, scale: Scale) -> None:
    bar = figure.colorbar(axes[0].images[0], ax=list(axes), location="bottom", aspect=40)
    bar.set_ticks([2 * at - 0.5 for at in range(len(scale.key))], labels=scale.key)
    bar.ax.tick_params(labelsize=8)
