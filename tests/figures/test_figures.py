"""What holds of every figure: well formed, closed to any words, inside its frame, any numbers."""

import math
import re
from itertools import pairwise

import pytest
from drawn import SVG, Drawn
from figure_strategies import figures_with, listed
from hypothesis import given, settings
from hypothesis import strategies as st

from lazarus_bench.figures.cost import CostCurve, Costs
from lazarus_bench.figures.draw import PALETTE, stylesheet
from lazarus_bench.figures.forest import Forest, Lane
from lazarus_bench.figures.layers import LayerCurves, LayerSeries, NullBand
from lazarus_bench.figures.scatter import MOST, Scatter
from lazarus_bench.figures.training import Curve, Curves, trainings

WORDS = st.text("<>&'\"|`\\ ab2≤乘\x00\n]", max_size=30) | st.text(max_size=30)
SPAN = st.tuples(st.floats(), st.floats())
NAMES = {"title": WORDS, "subject": WORDS}
FIGURES = figures_with(WORDS)
LANE = st.builds(
    Lane,
    value=st.none() | st.floats(),
    wide=st.none() | SPAN,
    plain=st.none() | SPAN,
    dots=listed(st.tuples(st.floats(), WORDS)),
    shape=st.sampled_from(["dot", "hollow", "square", "diamond", "none"]),
    weight=st.floats(0, 1),
    dashed=st.booleans(),
)
FOREST = st.builds(
    Forest, **NAMES, region=SPAN, rows=listed(st.tuples(WORDS, LANE, st.text("0123", max_size=9)))
)
COST = st.floats(1e-9, 1e9)
COSTS = st.builds(
    Costs,
    **NAMES,
    along=WORDS,
    unit=WORDS,
    curves=listed(
        st.builds(CostCurve, name=WORDS, points=listed(st.tuples(COST, COST, COST, COST)))
    ),
)
DRAWN = FIGURES.heat | FIGURES.layers | FIGURES.curves | FIGURES.scatter | COSTS
ANY = DRAWN | FOREST


@settings(deadline=None, max_examples=150)
@given(ANY, st.booleans())
def test_any_figure_is_one_closed_svg_that_asks_for_nothing(item, heading):
    text = item.svg(heading=heading)
    drawn = Drawn(text)
    assert drawn.root.tag == f"{SVG}svg"
    assert drawn.root.get("role") == "img"
    assert len(drawn.root.findall(f"{SVG}title")) == 1
    tags = {at.tag.removeprefix(SVG) for at in drawn.root.iter()}
    shapes = {"rect", "text", "line", "path", "polyline", "polygon", "circle"}
    assert tags <= shapes | {"svg", "g", "title", "desc"}
    attributes = {name for at in drawn.root.iter() for name in at.keys()}  # noqa: SIM118
    assert not attributes & {"id", "style", "href", "onload"}
    assert not [word for word in drawn.numbers if re.fullmatch(r"[a-zA-Z]{2,}", word)]
    assert text == item.svg(heading=heading), "the same data, the same bytes"


@settings(deadline=None, max_examples=100)
@given(DRAWN, st.booleans())
def test_every_shape_is_inside_the_frame(item, heading):
    drawn = Drawn(item.svg(heading=heading))
    for at in drawn.root.iter():
        if at is drawn.root:
            continue
        across = [float(at.get(name)) for name in ("x", "x1", "x2") if at.get(name)]
        down = [float(at.get(name)) for name in ("y", "y1", "y2") if at.get(name)]
        assert all(-1 <= x <= drawn.wide for x in across), at.attrib
        assert all(-1 <= y <= drawn.high for y in down), at.attrib


@given(ANY)
def test_every_colour_has_a_class_that_a_dark_page_repaints(item):
    sheet = stylesheet()
    for at in Drawn(item.svg()).root.iter():
        for paint, prefix in (("fill", ""), ("stroke", "s-")):
            colour = at.get(paint)
            if colour not in (None, "none", "currentColor"):
                name = at.get("class").removeprefix("s-")
                assert at.get("class") == prefix + name
                assert colour == PALETTE[name][0]
                assert f".{prefix}{name} {{" in sheet


@given(WORDS)
def test_words_stay_words(words):
    shown = "".join(c if c.isprintable() else " " for c in words)
    item = Scatter(title=words, subject="s", classes=(words,), points=(), explained=(0.5, 0.2))
    drawn = Drawn(item.svg())
    assert drawn.root.findtext(f"{SVG}title") == f"{shown}: s"
    assert drawn.words == [f"{shown} (0)"]


def scatter(*points, classes=("a", "b")):
    return Scatter(title="t", subject="s", classes=classes, points=points, explained=(0.5, 0.25))


def test_a_scatter_has_one_scale_for_both_axes_and_up_is_up():
    (x0, y0), (x1, y1), _ = Drawn(scatter((0.0, 0.0, 0), (4.0, 1.0, 0)).svg()).marks("c0")
    assert x1 - x0 == pytest.approx(4 * (y0 - y1))
    assert (x0, x1) == (14, 338)
    assert Drawn(scatter((7.0, -2.0, 0)).svg()).marks("c0")[0] == (176, 176), "alone in the middle"


def test_a_scatter_leaves_out_what_has_no_place_and_counts_it_in_the_key():
    drawn = Drawn(scatter((0.0, 0.0, 0), (math.nan, 1.0, 0), (1.0, 1.0, 1)).svg())
    assert (len(drawn.marks("c0")), len(drawn.marks("c1"))) == (2, 2), "each with its key"
    assert drawn.words == ["a (2)", "b (1)"]


def test_classes_differ_in_colour_and_in_shape():
    marks = Drawn(scatter(classes=tuple("abcdef")).svg()).all("path")
    assert len({at.get("fill") for at in marks}) == 6
    assert len({at.get("d").partition("m")[2] for at in marks}) == 6


def test_a_scatter_refuses_too_many_points_and_a_point_of_no_class():
    with pytest.raises(ValueError, match="more than 300"):
        scatter(*[(0.0, 0.0, 0)] * (MOST + 1))
    with pytest.raises(ValueError, match="of no class"):
        scatter((0.0, 0.0, 2))


def layers(*values, null=None, seeds=None):
    series = tuple(LayerSeries.of(f"series {i}", seeds or [own]) for i, own in enumerate(values))
    numbers = tuple(range(len(values[0])))
    return LayerCurves(
        title="t", subject="s", unit="fraction", layers=numbers, series=series, null=null
    )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_every_layer_has_a_mark_and_more_is_higher(values):
    drawn = Drawn(layers(values).svg())
    marks = drawn.marks("c0")[:-1]
    assert len(marks) == len(values)
    assert all(a < b for (a, _), (b, _) in pairwise(marks))
    ordered = [marks[i][1] for i in sorted(range(len(values)), key=values.__getitem__)]
    assert ordered == sorted(ordered, reverse=True)


def test_a_band_reaches_from_the_lowest_seed_to_the_highest():
    (one,) = layers((0, 0), seeds=[(0.0, 0.5), (1.0, 0.5)]).series
    assert (one.mean, one.lowest, one.highest) == ((0.5, 0.5), (0.0, 0.5), (1.0, 0.5))
    drawn = Drawn(layers((0, 0), seeds=[(0.0, 0.5), (1.0, 0.5)]).svg())
    (band,) = drawn.all("polygon")
    points = [float(p.partition(",")[2]) for p in band.get("points").split()]
    assert max(points) - min(points) > 140
    assert "series 0, L0: 0.50 (0 to 1.00)" in drawn.told
    assert not Drawn(layers((0.0, 1.0)).svg()).all("polygon")


def test_the_null_is_a_dotted_line_and_its_upper_limit_a_dashed_one():
    null = NullBand(name="permuted labels", mean=(0.25, 0.25), upper=0.5)
    drawn = Drawn(layers((0.5, 1.0), null=null).svg())
    dotted = drawn.lines("soft")[0]
    (across,) = [at for at in drawn.all("line") if at.get("stroke-dasharray") == "6 4"]
    first = drawn.marks("c0")[0]
    assert float(across.get("y1")) == pytest.approx(first[1], abs=0.1)
    assert dotted[0][1] == dotted[1][1] > first[1]
    assert any("permuted labels" in words for words in drawn.words)


def test_a_line_breaks_where_a_number_is_missing_and_a_lone_point_is_seen():
    drawn = Drawn(layers((0.1, 0.2, math.nan, 0.4)).svg())
    assert [len(line) for line in drawn.lines("c0")] == [2, 2]
    first, last = drawn.lines("c0")[1]
    assert first == last, "a stroke of no length with round ends"
    assert len(drawn.marks("c0")) == 3 + 1


def test_columns_seeds_or_a_null_of_another_length_are_refused():
    for field in ("mean", "lowest", "highest"):
        numbers = dict.fromkeys(("mean", "lowest", "highest"), (1.0, 2.0)) | {field: (1.0,)}
        one = LayerSeries(name="a", **numbers)
        with pytest.raises(ValueError, match="'a' has 1 numbers for 2 layers"):
            LayerCurves(title="t", subject="s", unit="u", layers=(0, 1), series=(one,))
    with pytest.raises(ValueError, match="argument 2"):
        LayerSeries.of("a", ((1.0, 2.0), (1.0,)))
    with pytest.raises(ValueError, match="'n' has 1 numbers for 2 layers"):
        layers((1.0, 2.0), null=NullBand(name="n", mean=(1.0,), upper=1.0))
    with pytest.raises(ValueError, match="have no layer"):
        LayerCurves(title="t", subject="s", unit="u", layers=(), series=())


def training(*names, lines=(((1.0, 2.0), (10.0, 1.0), (20.0, 0.5)),), title="SFT"):
    series = tuple(Curve(name=name, lines=lines) for name in names)
    return Curves(title=title, subject="lab:llama", unit="nats", series=series)


def test_each_number_has_a_panel_and_each_training_a_heading():
    drawn = Drawn(trainings([training("loss", "class"), training("loss", title="dual reward")]))
    assert len(drawn.lines("c0")) == 3
    assert drawn.words.count("loss") == 2
    assert {"SFT: lab:llama", "dual reward: lab:llama"} <= set(drawn.words)
    assert drawn.words.count("nats, by step") == 2
    line = drawn.lines("c0")[0]
    assert line == sorted(line), "a falling loss goes right"
    assert [y for _, y in line] == sorted(y for _, y in line), "and down"


def test_seeds_are_thin_lines_below_their_mean():
    two = (((1.0, 0.0), (2.0, 4.0)), ((1.0, 2.0), (2.0, math.nan)))
    drawn = Drawn(training("loss", lines=two).svg())
    (first, second), (mean,) = drawn.lines("strong"), drawn.lines("c0")
    assert mean[0][1] == pytest.approx((first[0][1] + second[0][1]) / 2)
    assert mean[1] == first[1], "one seed has a number there"
    assert drawn.all("polyline")[-1].get("class") == "s-c0"


@pytest.mark.parametrize("count", [0, 1, 3, 4, 7])
def test_many_numbers_take_several_rows_and_stay_inside(count):
    drawn = Drawn(training(*(f"part {n}" for n in range(count))).svg())
    lines = drawn.lines("c0")
    assert len(lines) == count
    assert all(0 <= x <= drawn.wide and 0 <= y <= drawn.high for line in lines for x, y in line)
    assert len({line[0] for line in lines}) == count


def test_costs_that_grow_in_proportion_are_a_straight_line():
    points = tuple((10.0**i, 3 * 10.0**i, 2 * 10.0**i, 4 * 10.0**i) for i in range(4))
    curve = CostCurve(name="lens", points=points)
    drawn = Drawn(Costs(title="t", along="prompts", unit="ms", curves=(curve,)).svg())
    (line,) = drawn.lines("c0")
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(line)]
    assert slopes == pytest.approx([slopes[0]] * 3, rel=0.02)
    assert slopes[0] < 0
    assert "lens, 1000: 3,000 [2,000, 4,000] ms" in drawn.told
    ends = [at for at in drawn.all("line", "s-c0") if at.get("x1") == at.get("x2")]
    assert len(ends) == 4
    assert all(
        float(at.get("y1")) < y < float(at.get("y2")) for at, (_, y) in zip(ends, line, strict=True)
    )
