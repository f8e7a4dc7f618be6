"""Figures: one per file, from plain data to one SVG. Of our modules, imports only `errors`.

A figure is a frozen dataclass of plain data (numbers, words, tuples of them) with

    figure.title, figure.subject        its names in a report
    figure.svg(heading=False) -> str    one `<svg>` element; `heading=True` for a file of its own

and so satisfies the protocol `draw.Figure`. An instrument's result produces its own figure: it
builds one of these, or a dataclass with the same three members in a new file.

    heatmap     HeatMap: one number per prompt and layer, as a colour
    layers      LayerCurves: lines over layers, with the null
    training    Curves: logged numbers over the steps of a training
    scatter     Scatter: points in a plane, by class
    forest      Forest: estimates with intervals on one axis
    cost        Costs: costs against sizes on logarithmic axes

Markdown links the SVG, HTML inlines it: every coloured shape has a light colour as an attribute and
a class, and `draw.stylesheet()` is the CSS that lets a page's theme override it. To draw a new
figure, use `draw` (document, text, line, mark, Scale, Plot, the palette) and `text` (numbers,
escaping). `draw.png(svg)` rasterises it.
"""
