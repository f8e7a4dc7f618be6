"""A heat map alone: marked layers and long prompts in the SVG, the same cells in the PNG."""

import struct
import xml.etree.ElementTree as ET

import pytest
from lazarus_bench.report.heatmap_svg import svg

from lazarus_bench.figures import HeatGroup, HeatMap, HeatRow

SVG = "{http://www.w3.org/2000/svg}"
PROMPT = "What is seven times eight?"


def heat(depth=4, prompt=PROMPT):
    row = HeatRow(
        prompt=prompt, gold="multiply", probability=tuple(10.0**-at for at in range(depth))
    )
    groups = (HeatGroup(name="ours", rows=(row, row)),)
    return HeatMap(title="Lens", subject="lab", layer=1, seeds=1, groups=groups)


def outlines(text):
    drawn = ET.fromstring(text)
    return [float(r.get("x")) for r in drawn.iter(f"{SVG}rect") if r.get("stroke") == "black"]


def test_the_layers_asked_for_are_outlined_instead_of_its_own():
    own, two, none = (outlines(svg(heat(), outlined=given)) for given in (None, (0, 2), ()))
    assert len(own) == 1
    assert len(two) == 2
    assert two[0] < own[0] < two[1]
    assert none == []


def test_a_long_prompt_is_cut_where_it_is_told():
    assert "What is seven…" in svg(heat())
    whole = ET.fromstring(svg(heat(), longest=40))
    (name, _) = [t for t in whole.iter(f"{SVG}text") if t.text == PROMPT]
    assert float(name.get("x")) > 7 * len(PROMPT)


def test_a_png_is_drawn_to_its_size():
    pytest.importorskip("matplotlib", reason="PNG needs the extra `plots`")
    from lazarus_bench.report.heatmap_png import png

    short, long = (png(heat(depth), outlined=(0,)) for depth in (4, 40))
    sizes = [struct.unpack(">II", drawn[16:24]) for drawn in (short, long)]
    assert short.startswith(b"\x89PNG\r\n")
    assert sizes[1][0] > sizes[0][0]
    assert sizes[1][1] == sizes[0][1]


def test_a_png_takes_any_token():
    pytest.importorskip("matplotlib", reason="PNG needs the extra `plots`")
    from lazarus_bench.report.heatmap_png import png

    assert png(heat(prompt="'$\\frac$ 乘'")).startswith(b"\x89PNG\r\n")
