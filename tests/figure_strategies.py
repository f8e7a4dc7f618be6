"""Any figure of a report, with whatever words and numbers, for the property tests."""

from types import SimpleNamespace

from hypothesis import strategies as st

from lazarus_bench.figures.heatmap import HeatGroup, HeatMap, HeatRow
from lazarus_bench.figures.layers import LayerCurves, LayerSeries, NullBand
from lazarus_bench.figures.scatter import Scatter
from lazarus_bench.figures.training import Curve, Curves

POINTS = st.lists(st.tuples(st.floats(), st.floats()), max_size=12).map(tuple)


def listed(what, least=0, most=3):
    return st.lists(what, min_size=least, max_size=most).map(tuple)


@st.composite
def heatmaps(draw, words, deepest):
    depth = draw(st.integers(1, deepest))
    numbers = listed(st.floats(), depth, depth)
    rows = listed(st.builds(HeatRow, prompt=words, gold=words, probability=numbers), 1)
    return HeatMap(
        title=draw(words),
        subject=draw(words),
        layer=draw(st.integers(0, depth - 1)),
        seeds=draw(st.integers(1, 9)),
        groups=draw(listed(st.builds(HeatGroup, name=words, rows=rows), 1)),
    )


@st.composite
def layer_curves(draw, words, deepest):
    count = draw(st.integers(1, deepest))
    numbers = listed(st.floats(), count, count)
    about = {"name": words, "mean": numbers}
    series = st.builds(
        LayerSeries, **about, lowest=numbers, highest=numbers, seeds=st.integers(1, 9)
    )
    return LayerCurves(
        title=draw(words),
        subject=draw(words),
        unit=draw(words),
        layers=tuple(range(0, 3 * count, 3)),
        series=draw(listed(series, most=7)),
        null=draw(st.none() | st.builds(NullBand, **about, upper=st.floats())),
    )


def figures_with(words, deepest=6):
    """Strategies for each kind of figure, its words drawn from `words`."""
    curve = st.builds(Curve, name=words, lines=listed(POINTS))
    named = {"title": words, "subject": words}
    points = st.tuples(st.floats(), st.floats(), st.integers(0, 1))
    return SimpleNamespace(
        heat=heatmaps(words, deepest),
        layers=layer_curves(words, deepest),
        curves=st.builds(Curves, **named, x=words, unit=words, series=listed(curve, most=5)),
        scatter=st.builds(
            Scatter,
            **named,
            classes=st.tuples(words, words),
            points=listed(points, most=20),
            explained=st.tuples(st.floats(), st.floats()),
        ),
    )


def luminance(colour):
    """Relative luminance (WCAG 2.2) of #rrggbb."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
