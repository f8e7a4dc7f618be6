"""Curves over layers as an SVG: well formed, every dot at its height, the null below."""

import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st
from lazarus_bench.report.layer_curves_svg import svg

from lazarus_bench.figures import LayerCurves, LayerSeries, NullBand

SVG = "{http://www.w3.org/2000/svg}"
fractions = st.lists(st.floats(0, 1), min_size=1, max_size=50)


def curves(values, null=None, title="A <probe> & more"):
    series = (LayerSeries.of("accuracy", [values]),)
    layers = tuple(range(len(values)))
    return LayerCurves(
        title=title, subject="lab", unit="fraction", layers=layers, series=series, null=null
    )


@given(fractions, st.text(max_size=20))
def test_every_layer_has_a_dot_and_more_is_higher(values, title):
    drawn = ET.fromstring(svg(curves(values, title=title)))
    heights = [float(dot.get("cy")) for dot in drawn.iter(f"{SVG}circle")]
    assert len(heights) == len(values)
    for one, y in zip(values, heights, strict=True):
        for other, below in zip(values, heights, strict=True):
            assert one <= other or y <= below


def test_the_null_is_a_dashed_line_above_a_grey_ground():
    null = NullBand(name="permuted labels", mean=(0.25, 0.25), upper=0.5)
    plain, drawn = (ET.fromstring(svg(curves([0.5, 1.0], given))) for given in (None, null))
    assert len(list(plain.iter(f"{SVG}polyline"))) == 1
    dashed = [line for line in drawn.iter(f"{SVG}polyline") if line.get("stroke-dasharray")]
    (grey,) = [r for r in drawn.iter(f"{SVG}rect") if r.get("fill") == "#eeeeee"]
    half = next(float(dot.get("cy")) for dot in drawn.iter(f"{SVG}circle"))
    assert len(dashed) == 1
    assert float(grey.get("y")) == half
