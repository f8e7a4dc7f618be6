"""Regions: what lies inside, what lies outside, and never both."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge_strategies import intervals, numbers, regions

from lazarus_bench.judge import Above, AtLeast, AtMost, Below, Within, region_of


@given(regions, intervals)
def test_no_interval_is_both_inside_and_outside(region, interval):
    assert not (region.contains(*interval) and region.excludes(*interval))


@given(regions, numbers)
def test_every_point_is_inside_or_outside(region, x):
    assert region.contains_value(x) != region.excludes(x, x)


@given(regions, intervals, st.floats(0, 1))
def test_a_contained_interval_holds_only_points_of_the_region(region, interval, share):
    low, high = interval
    if math.isinf(low) or math.isinf(high):
        assert not region.contains(-math.inf, math.inf)
        return
    point = min(max(low + share * (high - low), low), high)
    assert region.contains_value(point) or not region.contains(low, high)
    assert not (region.contains_value(point) and region.excludes(low, high))


@given(regions)
def test_nothing_follows_from_the_whole_line(region):
    assert not region.contains(-math.inf, math.inf)
    assert not region.excludes(-math.inf, math.inf)


@pytest.mark.parametrize(
    ("region", "inside", "outside"),
    [
        (AtLeast(0.3), 0.3, 0.29),
        (AtMost(0.3), 0.3, 0.31),
        (Above(0.3), 0.31, 0.3),
        (Below(0.3), 0.29, 0.3),
        (Within(-0.1, 0.3), 0.3, 0.31),
        (Within(-0.1, 0.3), -0.1, -0.11),
    ],
)
def test_edges_belong_where_the_symbol_says(region, inside, outside):
    assert region.contains_value(inside)
    assert not region.contains_value(outside)


@pytest.mark.parametrize(
    ("region", "text"),
    [
        (AtLeast(0.36), "≥ 0.36"),
        (AtMost(0.05), "≤ 0.05"),
        (Above(0), "> 0"),
        (Below(-1), "< −1"),
        (Within(-0.05, 0.05), "within [−0.05, 0.05]"),
    ],
)
def test_regions_read_as_written(region, text):
    assert region.describe() == text


def test_an_edge_must_be_finite_and_ordered():
    with pytest.raises(ValueError, match="finite"):
        AtLeast(math.inf)
    with pytest.raises(ValueError, match="finite"):
        Within(math.nan, 1)
    with pytest.raises(ValueError, match="a ≤ b"):
        Within(1, 0)


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("> 0", Above(0)),
        (">=.5", AtLeast(0.5)),
        (" <= -1e-3 ", AtMost(-0.001)),
        ("< +2.", Below(2)),
        ("[-0.01, 0.01]", Within(-0.01, 0.01)),
        ("Within [−1, 1]", Within(-1, 1)),
    ],
)
def test_a_region_is_read_from_text(text, region):
    assert region_of(text) == region
    assert region_of(region.describe()) == region


@pytest.mark.parametrize("text", ["", "0", "> x", "> 0 1", ">> 0", "[1, 0]", "> 1e999", "[0; 1]"])
def test_a_text_that_is_no_region_is_refused(text):
    with pytest.raises(ValueError, match=r"region|Within"):
        region_of(text)
