"""Figures: a file each, plain data in, one SVG out. Imports nothing of ours but `errors`.

A figure is a frozen dataclass of plain data (numbers, words, tuples of them) with

    figure.title, figure.subject        name it in a report
    figure.svg(heading=False) -> str    one `<svg>` element; `heading=True` where it stands alone

and so satisfies the protocol `Figure`. A result of an instrument yields its own figure: build one
of these, or write a dataclass with the same three members in a file of your own.

    HeatMap(title, subject, layer, seeds, groups)   a number for each prompt and layer, by colour;
        HeatGroup(name, rows), HeatRow(prompt, gold, probability); `svg(outlined=…, longest=…,
        shades=…)`: layers to outline, columns of a prompt, `PROBABILITY` or `linear(largest)`
    LayerCurves(title, subject, unit, layers, series, null)   lines over layers; LayerSeries.of(
        name, values[seed][layer]), NullBand(name, mean, upper)
    Curves(title, subject, x, unit, series)   logged numbers over a training; Curve(name, lines);
        `trainings(items)` draws several below one another
    Scatter(title, subject, classes, points, explained)   points of classes in a plane
    Forest(title, subject, region, rows)   estimates with intervals on one axis; Lane, Axis
    Costs(title, subject, along, unit, curves)   costs against sizes on logarithmic axes; CostCurve

Markdown links the SVG, HTML inlines it: every coloured shape has a light colour as an attribute and
a class, and `stylesheet()` is the CSS by which a page's theme takes over. To draw a new figure use
`draw` (document, text, line, mark, Scale, Plot, the palette) and `text` (numbers, escaping).
`draw.png(svg)` rasterises for a person who asks for a PNG.
"""

from lazarus_bench.figures.cost import CostCurve, Costs
from lazarus_bench.figures.draw import Figure, spread, stylesheet
from lazarus_bench.figures.forest import Axis, Forest, Lane, Span
from lazarus_bench.figures.heatmap import (
    PROBABILITY,
    HeatGroup,
    HeatMap,
    HeatRow,
    Shades,
    linear,
)
from lazarus_bench.figures.layers import LayerCurves, LayerSeries, NullBand
from lazarus_bench.figures.scatter import MOST, Scatter
from lazarus_bench.figures.training import Curve, Curves, Line, trainings

__all__ = [
    "MOST",
    "PROBABILITY",
    "Axis",
    "CostCurve",
    "Costs",
    "Curve",
    "Curves",
    "Figure",
    "Forest",
    "HeatGroup",
    "HeatMap",
    "HeatRow",
    "Lane",
    "LayerCurves",
    "LayerSeries",
    "Line",
    "NullBand",
    "Scatter",
    "Shades",
    "Span",
    "linear",
    "spread",
    "stylesheet",
    "trainings",
]
