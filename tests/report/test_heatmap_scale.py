"""Scales: even steps from 0, the same in the SVG's cells and key as in the PNG's."""

import math
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lazarus_bench.report.heatmap_svg import svg

from lazarus_bench.figures import (
    COLOURS,
    KEY,
    PROBABILITY,
    HeatGroup,
    HeatMap,
    HeatRow,
    level,
    linear,
)

SVG = "{http://www.w3.org/2000/svg}"


def test_steps_are_even_and_what_is_beyond_has_the_last():
    scale = linear(0.6)
    assert [scale.level(0.05 * at + 0.01) for at in range(12)] == list(range(12))
    assert (scale.level(-1), scale.level(0.6), scale.level(7)) == (0, 11, 11)
    assert scale.level(math.nan) is None
    assert scale.key == ("0", "0.100", "0.200", "0.300", "0.400", "0.500", "0.600")


@given(largest=st.floats(1e-6, 1e6), one=st.floats(0, 1), other=st.floats(0, 1))
def test_more_is_never_lighter(largest, one, other):
    less, more = sorted((one, other))
    of = linear(largest).level
    assert 0 <= of(less * largest) <= of(more * largest) < len(COLOURS)


def test_probabilities_keep_their_own_scale():
    assert PROBABILITY.key == KEY
    assert all(PROBABILITY.level(10.0**-at) == level(10.0**-at) for at in range(8))


@pytest.mark.parametrize("largest", [0.0, -1.0, math.nan])
def test_a_scale_ends_above_0(largest):
    with pytest.raises(ValueError, match="ends above 0"):
        linear(largest)


def test_the_drawing_has_the_scales_colours_and_key():
    row = HeatRow(prompt="expert 0", gold="", probability=(0.0, 0.29, 0.56))
    groups = (HeatGroup(name="add", rows=(row,)),)
    item = HeatMap(title="Use", subject="lab", layer=0, seeds=1, groups=groups)
    drawn = ET.fromstring(svg(item, scale=linear(0.6)))
    cells = [r.get("fill") for r in drawn.iter(f"{SVG}rect") if len(r) == 1]
    assert cells == [COLOURS[0], COLOURS[5], COLOURS[11]]
    assert {"0.600", "0.300"} <= {t.text for t in drawn.iter(f"{SVG}text")}


def test_a_png_takes_another_scale():
    pytest.importorskip("matplotlib", reason="PNG needs the extra `plots`")
    from lazarus_bench.report.heatmap_png import png

    row = HeatRow(prompt="expert 0", gold="", probability=(0.0, 0.2, 0.4))
    groups = (HeatGroup(name="add", rows=(row, row)),)
    item = HeatMap(title="Use", subject="lab", layer=0, seeds=1, groups=groups)
    assert png(item, scale=linear(0.4)) != png(item)
