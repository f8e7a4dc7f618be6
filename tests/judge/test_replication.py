"""Replication criteria: each can hold and fail, and says when it cannot be asked."""

import math

import numpy as np
import pytest
from scipy import stats

from lazarus_bench.judge import AtLeast, AtMost, Differences, Estimate, Hits, Interval, Within
from lazarus_bench.judge.replication import criteria, telescope


def estimate(value, low, high, scope="seeds", **rest):
    span = Interval(low=low, high=high, level=0.95)
    known = {"method": "t", "seeds": 5, "prompts": 8, **rest}
    return Estimate(value=value, interval=span, interval95=span, scope=scope, **known)


POSITIVE = AtLeast(0.0)


def answers(original, ours, region=POSITIVE):
    return [criterion.holds for criterion in criteria(original, ours, region)]


NOTHING = estimate(0.5, -math.inf, math.inf, scope="reported")


def test_an_estimate_replicates_itself():
    item = estimate(0.5, 0.3, 0.7)
    assert answers(item, item) == [True] * 5


def test_the_opposite_replicates_in_nothing():
    assert answers(estimate(0.5, 0.3, 0.7), estimate(-0.5, -0.7, -0.3)) == [False] * 5


def test_signs_agree_where_sides_do_not():
    original, ours = estimate(0.5, 0.3, 0.7), estimate(0.2, 0.1, 0.3)
    assert answers(original, ours, AtLeast(0.36))[:2] == [True, False]


def test_a_wide_interval_holds_what_a_narrow_one_does_not():
    wide, narrow = estimate(0.5, 0.1, 0.9), estimate(0.2, 0.19, 0.21)
    assert answers(wide, narrow)[2:4] == [True, False]
    assert answers(narrow, wide)[2:4] == [False, True]


def test_zero_has_no_sign_and_half_a_line_is_no_interval():
    open_ended = estimate(1.5, 0.0, math.inf)
    assert answers(open_ended, estimate(0.0, -0.1, 0.1)) == [None, True, None, False, None]


def test_a_number_without_its_sample_leaves_questions_open():
    assert answers(NOTHING, estimate(0.4, 0.3, 0.6)) == [True, True, None, True, None]
    assert answers(estimate(0.4, 0.3, 0.6), NOTHING) == [True, True, True, None, None]


def test_a_computed_number_has_no_interval_to_fall_into():
    exact = estimate(3.0, 3.0, 3.0, scope="exact")
    assert answers(exact, exact, AtLeast(3)) == [True, True, None, None, None]


def test_equivalence_has_no_effect_to_detect():
    item = estimate(0.0, -0.1, 0.1)
    asked = criteria(item, item, Within(-0.2, 0.2))[-1]
    assert asked.holds is None
    assert "two edges" in asked.detail


def test_a_telescope_sees_an_effect_one_time_in_three():
    rng = np.random.default_rng(7)
    sample = rng.normal(0.0, 1.0, (12, 1))
    zeros = np.zeros((12, 1))
    item = Differences(first=sample, second=zeros, paired="seeds").estimate(0.95)
    shift = telescope(item) / item.error
    seen = stats.nct.sf(stats.t.ppf(0.975, 11), 11, shift)
    assert seen == pytest.approx(1 / 3, abs=1e-6)
    draws = rng.normal(shift / math.sqrt(12), 1.0, (20_000, 12))
    share = (stats.ttest_1samp(draws, 0.0, axis=1).statistic > stats.t.ppf(0.975, 11)).mean()
    assert share == pytest.approx(1 / 3, abs=0.015)


def test_a_small_effect_is_beyond_a_small_telescope():
    eight = Hits(values=[[1, 1, 1, 1, 1, 1, 0, 0]]).estimate(0.95)
    assert eight.error is None
    small, large = estimate(0.52, 0.5, 0.54), estimate(0.95, 0.9, 0.99)
    assert answers(eight, small, AtLeast(0.5))[-1] is False
    assert answers(eight, large, AtLeast(0.5))[-1] is True
    assert answers(eight, small, AtMost(0.9))[-1] is True


def test_what_cannot_be_asked_says_why():
    for criterion in criteria(NOTHING, NOTHING, AtLeast(0.0)):
        assert criterion.detail
    with pytest.raises(ValueError, match="no finite interval"):
        telescope(NOTHING)
