"""Figures: a file each, plain data in, one SVG out. Imports nothing of ours but `errors`.

A figure is a frozen dataclass of plain data (numbers, words, tuples of them) with

    figure.title, figure.subject        name it in a report
    figure.svg(heading=False) -> str    one `<svg>` element; `heading=True` where it stands alone

and so satisfies the protocol `draw.Figure`. An instrument's result yields its own figure: build one
of these, or write a dataclass with the same three members in a new file, which is all it takes.

    heatmap     HeatMap: a number for each prompt and layer, by colour
    layers      LayerCurves: lines over layers, with the null
    training    Curves: logged numbers over a training
    scatter     Scatter: points of classes in a plane
    forest      Forest: estimates with intervals on one axis
    cost        Costs: costs against sizes on logarithmic axes

Markdown links the SVG, HTML inlines it: every coloured shape has a light colour as an attribute and
a class, and `draw.stylesheet()` is the CSS by which a page's theme takes over. To draw a new figure
use `draw` (document, text, line, mark, Scale, Plot, the palette) and `text` (numbers, escaping).
`draw.png(svg)` rasterises for a person who asks for a PNG.
"""
