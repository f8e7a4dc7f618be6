"""Drawings to scale: places keep the order and the proportions of the numbers they stand for."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lazarus_bench.report.html.lanes import axis, bar, lane
from lazarus_bench.report.html.scale import Scale
from sample_report import estimate

from lazarus_bench.judge import Above, AtMost, Interval, Within

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(finite | st.floats(), max_size=6), finite)
def test_every_number_has_a_place_on_any_axis(values, value):
    scale = Scale.over(values)
    assert math.isfinite(scale.low)
    assert scale.low < scale.high
    assert 0 <= scale.at(value) <= 100
    places = [scale.at(v) for v in sorted(filter(math.isfinite, values))]
    assert places == sorted(places)


@given(st.lists(finite, min_size=1, max_size=4))
def test_ticks_lie_on_the_axis(values):
    scale = Scale.over(values)
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


def test_a_region_reaches_to_the_end_of_the_axis_where_it_has_no_edge():
    item = estimate(0.5, 0.4, 0.6)
    above, below = axis(Above(0.5), [item]).region, axis(AtMost(0.5), [item]).region
    assert (above.start, above.end) == (50, 100)
    assert (below.start, below.end) == (0, 50)
    within = axis(Within(0.4, 0.6), [item])
    assert within.edges == (within.region.start, within.region.end)


def test_an_estimate_is_drawn_where_it_lies():
    item = estimate(0.5, 0.0, 1.0, by_seed=(0.0, 0.25, 1.0))
    own = axis(Within(0.0, 1.0), [item])
    drawn = lane(item, own)
    assert drawn.at == 50
    assert drawn.wide.width > drawn.plain.width
    assert [dot.text for dot in drawn.dots] == ["seed 0: 0", "seed 1: 0.25", "seed 2: 1.00"]
    assert drawn.dots[1].at == pytest.approx((drawn.dots[0].at * 3 + drawn.dots[2].at) / 4)


def test_an_open_interval_goes_to_the_end_and_says_so():
    drawn = bar(Interval(low=0.0, high=math.inf, level=0.95), Scale(low=-1, high=1))
    assert (drawn.start, drawn.end, drawn.open_start, drawn.open_end) == (50, 100, False, True)


def test_without_an_interval_the_value_stands_alone():
    item = estimate(0.65, -math.inf, math.inf, scope="reported", seeds=0, prompts=0)
    drawn = lane(item, axis(Above(0.5), [item]))
    assert drawn.at is not None
    assert (drawn.wide, drawn.plain) == (None, None)
    assert lane(None, axis(Above(0.5), [])).at is None
