"""Training curves as a picture: every number has its panel, and nothing breaks out of the file."""

import math
import xml.etree.ElementTree as ET

import pytest
from lazarus_bench.report.training_curves_svg import COLUMNS, svg

from lazarus_bench.figures import Curve, Curves


def curves(names, line=((1.0, 2.0), (10.0, 1.0), (20.0, 0.5)), title="SFT"):
    series = tuple(Curve(name=name, lines=(line,)) for name in names)
    return Curves(title=title, subject="lab:llama, seed 0", unit="nats", series=series)


def drawn(*items):
    root = ET.fromstring(svg(items))
    words = [e.text for e in root.iter() if e.tag.endswith("text")]
    return root, words, [e for e in root.iter() if e.tag.endswith("polyline")]


def test_each_number_has_a_panel_and_each_training_a_heading():
    _, words, lines = drawn(curves(["loss", "class"]), curves(["loss"], title="dual reward"))
    assert len(lines) == 3
    assert words.count("loss") == 2
    assert {"SFT: lab:llama, seed 0", "dual reward: lab:llama, seed 0"} <= set(words)
    assert words.count("nats, by step") == 2


def test_a_falling_loss_goes_down_the_panel():
    _, _, (line,) = drawn(curves(["loss"]))
    points = [tuple(map(float, point.split(","))) for point in line.get("points").split()]
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert [y for _, y in points] == sorted(y for _, y in points)
    assert all(0 <= c <= 100 for point in points for c in point)


@pytest.mark.parametrize("count", [1, COLUMNS, COLUMNS + 1, 2 * COLUMNS + 1])
def test_many_numbers_take_several_rows_and_stay_inside(count):
    root, _, lines = drawn(curves([f"part {n}" for n in range(count)]))
    wide, high = float(root.get("width")), float(root.get("height"))
    assert len(lines) == count
    for panel in root.iter("{http://www.w3.org/2000/svg}svg"):
        if panel is not root:
            left, top = float(panel.get("x")), float(panel.get("y"))
            assert left + float(panel.get("width")) <= wide
            assert top + float(panel.get("height")) <= high


def test_a_name_is_text_and_a_missing_number_is_passed_over():
    line = ((1.0, 1.0), (2.0, math.nan), (3.0, 2.0), (4.0, 1.0))
    _, words, lines = drawn(curves(["<b> & 'x'"], line=line, title="</svg>"))
    assert "<b> & 'x'" in words
    assert "</svg>: lab:llama, seed 0" in words
    assert [len(line.get("points").split()) for line in lines] == [3]


def test_the_same_as_png():
    pytest.importorskip("matplotlib", reason="PNG needs the extra `plots`")
    from lazarus_bench.report.training_curves_png import png

    item = curves(["loss", "$class"], title="a $ sign")
    assert png([item, curves(["loss"])]).startswith(b"\x89PNG\r\n")
