"""Axes and lanes: places keep the order and the proportions of their numbers."""

import math
import re
import struct
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazarus_bench.errors import UserError
from lazarus_bench.figures import draw
from lazarus_bench.figures.draw import Scale, spread
from lazarus_bench.figures.forest import Axis, Forest, Lane
from lazarus_bench.figures.heatmap import HeatGroup, HeatMap, HeatRow
from lazarus_bench.figures.text import columns, wrapped

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(finite | st.floats(), max_size=6), finite)
def test_every_number_has_a_place_on_any_axis(values, value):
    scale = Scale.over(values)
    assert math.isfinite(scale.low)
    assert scale.low < scale.high
    assert 0 <= scale.at(value) <= 100
    places = [scale.at(v) for v in sorted(filter(math.isfinite, values))]
    assert places == sorted(places)
    ticks = scale.ticks()
    assert 1 <= len(ticks) <= 10
    assert all(0 <= tick.at <= 100 and tick.text for tick in ticks)


def test_places_are_proportional():
    scale = Scale(low=-1.0, high=3.0)
    assert [scale.at(x) for x in (-2, -1, 0, 1, 3, math.inf)] == [0, 0, 25, 50, 100, 100]


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0.0, 1.0, ["0", "0.25", "0.50", "0.75", "1.00"]),
        (-0.3, 0.1, ["−0.3", "−0.2", "−0.1", "0", "0.1"]),
        (0.0, 500.0, ["0", "200", "400"]),
        (851_000.0, 853_000.0, ["851,000", "851,500", "852,000", "852,500", "853,000"]),
        (0.0, 4e-6, ["0", "1e-06", "2e-06", "3e-06", "4e-06"]),
    ],
)
def test_ticks_are_round(low, high, texts):
    assert [tick.text for tick in Scale(low=low, high=high).ticks()] == texts


@given(st.lists(st.integers(), max_size=99), st.integers(2, 20))
def test_spread_keeps_the_ends_and_the_order(items, count):
    kept = spread(list(enumerate(items)), count)
    assert len(kept) == min(len(items), count)
    assert kept == sorted(kept)
    assert not items or (kept[0][0], kept[-1][0]) == (0, len(items) - 1)


@given(st.text(), st.integers(1, 40))
def test_wrapped_lines_have_all_words_and_break_only_between_them(text, room):
    lines = wrapped(text, room)
    assert " ".join(lines).split() == text.split()
    assert all(columns(line) <= room or " " not in line for line in lines)


AXIS = Axis(scale=Scale(low=0.0, high=2.0), region=(0.5, math.inf))


def drawn(lane, axis=AXIS, **about):
    return ElementTree.fromstring(axis.draw(lane, **about))


def stretch(root, tag, **having):
    """Where the elements of a tag with these attributes begin and end, in percent."""
    found = [at for at in root.iter(tag) if all(at.get(n) == v for n, v in having.items())]
    ends = [(at.get("x1"), at.get("x2")) for at in found]
    return [tuple(float(end.rstrip("%")) for end in pair) for pair in ends]


def test_a_region_reaches_to_the_end_of_the_axis_where_it_has_no_edge():
    cases = {(0.5, math.inf): (25, 75), (-math.inf, 0.5): (0, 25), (0.5, 1.0): (25, 25)}
    for region, expected in cases.items():
        root = drawn(Lane(), Axis(scale=AXIS.scale, region=region))
        (ground,) = root.iter("rect")
        place = tuple(float(ground.get(name).rstrip("%")) for name in ("x", "width"))
        assert place == expected
        edges = [start for start, _ in stretch(root, "line", **{"stroke-dasharray": "3 2"})]
        assert edges == [50 * edge for edge in region if math.isfinite(edge)]


def test_an_estimate_is_drawn_where_it_lies():
    lane = Lane(value=1.0, wide=(0.5, 1.5), plain=(0.8, 1.2), dots=((0.9, "seed 0"), (1.1, "b")))
    root = drawn(lane, told="1.00", kind="ours")
    assert stretch(root, "line", **{"stroke-width": "1.4"}) == [(25, 75)]
    assert stretch(root, "line", **{"stroke-width": "5"}) == [(40, 60)]
    assert [at.get("cx") for at in root.iter("circle") if at.get("cx")] == ["45.0%", "55.0%"]
    assert [at.text for at in root.iter("title")] == ["1.00", "seed 0", "b"]
    assert [at.get("x") for at in root.iter("svg")][1:] == ["25.0%", "75.0%", "50.0%"]


def test_an_open_interval_goes_to_the_end_and_says_so_by_an_arrow():
    paths = [at.get("d") for at in drawn(Lane(value=1.0, wide=(-9.0, 1.5))).iter("path")]
    assert paths == ["M5-4L0 0l5 4", "M0-4v8"]
    assert "M-5-4L0 0l-5 4" in AXIS.draw(Lane(value=1.0, wide=(0.5, math.inf)))


def test_without_an_interval_only_the_value_is_drawn_and_without_a_value_nothing():
    assert len(list(drawn(Lane(value=1.0)).iter("circle"))) == 1
    for lane in (Lane(), Lane(value=math.nan), Lane(value=1.0, shape="none")):
        root = drawn(lane)
        assert not list(root.iter("circle"))
        assert root.get("aria-hidden") == "true"


def test_a_square_grows_in_area_with_its_weight():
    def side(weight):
        root = drawn(Lane(value=1.0, shape="square", weight=weight))
        (square,) = (at for at in root.iter("rect") if at.get("class") == "ink")
        return float(square.get("width"))

    assert side(0.0) < side(0.25) < side(1.0)
    assert side(1.0) - side(0.0) == pytest.approx(2 * (side(0.25) - side(0.0)))


def test_a_diamond_is_as_wide_as_its_interval_with_its_tip_at_the_value():
    (path,) = drawn(Lane(value=1.1, wide=(0.5, 1.5), shape="diamond")).iter("path")
    assert re.findall(r"[\d.]+", path.get("d"))[:4] == ["25.0", "7", "55.0", "0"]


def test_an_axis_holds_all_but_a_prediction():
    lanes = [Lane(value=0.5, wide=(0.4, 0.6)), Lane(wide=(-90.0, 90.0), dashed=True)]
    axis = Axis.over((0.0, math.inf), lanes)
    assert -0.1 < axis.scale.low < 0
    assert 0.6 < axis.scale.high < 0.7


def test_a_forest_has_a_row_for_each_estimate_on_one_axis():
    rows = (
        ("llama", Lane(value=0.95, wide=(0.86, 1.04), shape="square", weight=0.5), "0.95 [0.86]"),
        ("pooled", Lane(value=0.9, wide=(0.15, 1.64), shape="diamond"), "0.90 [0.15, 1.64]"),
    )
    root = ElementTree.fromstring(Forest(title="a/b", region=(0.5, math.inf), rows=rows).svg())
    words = [at.text for at in root.iter() if at.tag.endswith("text")]
    assert words[:4] == ["llama", "0.95 [0.86]", "pooled", "0.90 [0.15, 1.64]"]
    assert "1.0" in words
    assert len([at for at in root.iter() if at.get("class") == "lane"]) == 2
    wide = [at.get("x") for at in root.iter() if at.get("width") == "280"]
    assert len(wide) == 3
    assert len(set(wide)) == 1


def figure(depth, prompt="'$\\frac$ 乘'"):
    row = HeatRow(prompt=prompt, gold="a", probability=(0.5,) * depth)
    groups = (HeatGroup(name="g", rows=(row,)),)
    return HeatMap(title="a $ sign", subject="s", layer=0, seeds=1, groups=groups).svg(heading=True)


def test_a_png_has_the_figures_proportions_its_colours_and_its_words():
    pytest.importorskip("resvg_py", reason="PNG needs the extra `png`")
    draw.check_png("--plot x.png")
    for depth in (4, 90):
        svg = figure(depth)
        made = draw.png(svg)
        assert made.startswith(b"\x89PNG\r\n")
        size = struct.unpack(">II", made[16:24])
        drawn_ = ElementTree.fromstring(svg)
        assert size == tuple(2 * int(float(drawn_.get(side))) for side in ("width", "height"))
    assert draw.png(figure(4)) != draw.png(figure(4, prompt="another"))


def test_without_a_font_or_resvg_a_png_is_refused_in_one_sentence(monkeypatch):
    monkeypatch.setattr(draw, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"--plot x.png needs resvg: `pip install 'lazarus-bench"):
        draw.check_png("--plot x.png")
    monkeypatch.setattr(draw, "find_spec", lambda _: object())
    monkeypatch.setattr(draw, "_family", lambda _: None)
    with pytest.raises(UserError, match="needs a font and this machine has none"):
        draw.check_png("--plot x.png")
