"""Training curves as PNG, by matplotlib (the extra `plots`): the same panels as the SVG.

matplotlib comes with the first drawing, since most sessions draw none.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from lazarus_bench.report.charts import Curves

DOTS = 150
"""Dots an inch."""

_WIDE, _HIGH = 3.0, 2.2
"""Inches of a panel."""


def png(items: Sequence[Curves]) -> bytes:
    """Draw a row a training on white, a panel each number that it logged."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = max((len(item.series) for item in items), default=1)
    with rc_context({"text.parse_math": False}):
        size = (_WIDE * columns, _HIGH * max(len(items), 1) + 0.3)
        figure = Figure(figsize=size, dpi=DOTS, layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(max(len(items), 1), columns, squeeze=False)
        for item, places in zip(items, grid, strict=True):
            _row(item, places)
        stream = io.BytesIO()
        figure.savefig(stream, format="png")
    return stream.getvalue()


def _row(item: Curves, places: Sequence[Any]) -> None:
    for curve, place in zip(item.series, places, strict=False):
        for line in curve.lines:
            place.plot(*zip(*line, strict=True), color="#0b5e7f", linewidth=1.2)
        place.set_title(curve.name, loc="left", fontsize=9)
        place.set_xlabel(item.x, fontsize=8)
        place.tick_params(labelsize=8)
    places[0].set_ylabel(f"{item.title}\n{item.subject}\n{item.unit}", fontsize=7)
    for place in places[len(item.series) :]:
        place.set_axis_off()
