"""Curves over layers in Markdown: what a cell, the null's row and a bar say."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lazarus_bench.report.layer_curves import layer_curves_section
from rendered_page import NASTY, TAGS, Page, one_line

from lazarus_bench.figures import LayerCurves, LayerSeries, NullBand


@st.composite
def layer_curves(draw):
    count = draw(st.integers(1, 60))
    numbers = st.lists(st.floats(), min_size=count, max_size=count).map(tuple)
    series = st.builds(
        LayerSeries,
        name=NASTY,
        mean=numbers,
        lowest=numbers,
        highest=numbers,
        seeds=st.integers(1, 9),
    )
    null = st.builds(NullBand, name=NASTY, mean=numbers, upper=st.floats())
    return LayerCurves(
        title=draw(NASTY),
        subject=draw(NASTY),
        unit=draw(NASTY),
        layers=tuple(range(count)),
        series=tuple(draw(st.lists(series, max_size=3))),
        null=draw(st.none() | null),
    )


def shown(*series, null=None, layers=None):
    layers = layers or tuple(range(len(series[0].mean)))
    item = LayerCurves(
        title="t", subject="s", unit="accuracy", layers=layers, series=series, null=null
    )
    return "\n\n".join(layer_curves_section([item]))


def row(text, position=1):
    return Page(text).rows[position][1:]


def test_no_curves_no_section():
    assert list(layer_curves_section([])) == []


@given(layer_curves())
def test_whatever_was_read_becomes_one_fold_with_one_table(item):
    page = Page("\n\n".join(layer_curves_section([item])))
    assert set(page.tags) <= TAGS | {"strong"}
    assert [page.tags.count(tag) for tag in ("h2", "details", "summary", "table")] == [1, 1, 1, 1]
    assert len(page.rows) == 1 + len(item.series) + (item.null is not None)
    assert {len(line) for line in page.rows} == {min(len(item.layers), 8) + 3}
    title, subject, unit = map(one_line, (item.title, item.subject, item.unit))
    assert page.summary == f"{title}: {subject}, {unit}"
    names = [one_line(series.name) for series in item.series]
    assert [line[0] for line in page.rows[1 : 1 + len(names)]] == names
    if item.null:
        assert page.rows[-1][0] == one_line(f"null: {item.null.name}")


def test_a_cell_has_the_mean_and_the_range_over_seeds():
    text = shown(LayerSeries.of("a", ((0.25, 1.0), (0.75, 3.0))))
    assert "Mean over 2 seeds" in text
    assert row(text) == ["0.500 (0.250 to 0.750)", "2 (1 to 3)", "2 at L1", "▁█"]


def test_one_seed_has_no_range():
    text = shown(LayerSeries.of("a", ((0.25, 0.5),)))
    assert "seeds" not in text
    assert row(text)[:2] == ["0.250", "0.500"]


def test_only_what_is_above_the_best_layer_of_the_null_is_bold():
    null = NullBand(name="permuted", mean=(0.1, 0.1, 0.1), upper=0.4)
    text = shown(LayerSeries.of("a", ((0.4, 0.401, 0.2),)), null=null)
    assert text.count("**") == 2
    assert "**0.401**" in text
    assert row(text, 2) == ["0.100", "0.100", "0.100", "95%: 0.400", "▁▁▁"]
    assert "Bold is above 0.400" in text


def test_the_rows_share_one_scale():
    text = shown(
        LayerSeries.of("high", ((0.9, 1.0),)),
        LayerSeries.of("low", ((0.1, 0.2),)),
        null=NullBand(name="n", mean=(0.0, 0.0), upper=0.1),
    )
    assert [line[-1] for line in Page(text).rows[1:]] == ["██", "▁▂", "▁▁"]


def test_eight_columns_from_the_first_layer_to_the_last():
    depth = 40
    series = LayerSeries.of("a", (tuple(layer / depth for layer in range(depth)),))
    head, line = Page(shown(series, layers=tuple(range(depth)))).rows
    assert (head[1], head[-3], len(head)) == ("L0", "L39", 11)
    assert line[-2] == "0.975 at L39"
    assert len(line[-1]) == depth


def test_the_layers_that_were_read_name_the_columns():
    head = Page(shown(LayerSeries.of("a", ((1.0, 2.0),)), layers=(4, 12))).rows[0]
    assert head == ["Layer", "L4", "L12", "Highest", "Course"]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_layer_without_a_number_is_no_number(bad):
    one = LayerSeries(name="a", mean=(bad, 1.0), lowest=(bad, 1.0), highest=(bad, 1.0))
    assert row(shown(one)) == ["·", "1", "1 at L1", "·▅"]
    none = LayerSeries(name="a", mean=(bad,), lowest=(bad,), highest=(bad,))
    assert row(shown(none)) == ["·", "·", "·"]


@pytest.mark.parametrize("field", ["mean", "lowest", "highest"])
def test_a_column_of_another_length_is_refused(field):
    numbers = {"mean": (1.0, 2.0), "lowest": (1.0, 2.0), "highest": (1.0, 2.0), field: (1.0,)}
    with pytest.raises(ValueError, match="'a' has 1 numbers for 2 layers"):
        shown(LayerSeries(name="a", **numbers), layers=(0, 1))


def test_a_null_of_another_length_is_refused():
    with pytest.raises(ValueError, match="'n' has 1 numbers for 2 layers"):
        shown(LayerSeries.of("a", ((1.0, 2.0),)), null=NullBand(name="n", mean=(1.0,), upper=1.0))


def test_seeds_of_different_depth_are_refused():
    with pytest.raises(ValueError, match="argument 2"):
        LayerSeries.of("a", ((1.0, 2.0), (1.0,)))
