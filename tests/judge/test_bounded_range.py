"""An estimand's range: the interval ends there, and no verdict on a region inside it changes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from judge_strategies import grid, pairs, unit
from scipy import special

from lazarus_bench.judge import (
    SHARE,
    SHARE_DIFFERENCE,
    Above,
    AtLeast,
    AtMost,
    Below,
    Differences,
    LayerMax,
    Means,
    Outcome,
    Within,
    decide,
)

NOTHING = (-math.inf, math.inf)

# Half of the samples lie near an end, where a t interval passes it.
extreme = st.one_of(unit, st.sampled_from([0.0, 0.001, 0.98, 0.999, 1.0]))
shares = st.one_of(
    grid(extreme).map(lambda v: Means(values=v, bounds=SHARE)),
    grid(extreme).map(lambda v: LayerMax(values=np.stack([v, v**2], axis=2), bounds=SHARE)),
)
proper = st.lists(st.floats(0.001, 0.999), min_size=2, max_size=8)
differences = st.one_of(
    *(
        pairs(extreme).map(
            lambda v, paired=paired: Differences(
                first=v[0], second=v[1] ** 8, paired=paired, bounds=SHARE_DIFFERENCE
            )
        )
        for paired in ("prompts", "no")
    )
)


def inside(bounds):
    """Regions whose edges all lie between the bounds."""
    edge = st.floats(*bounds, exclude_min=True, exclude_max=True)
    return st.one_of(
        *(st.builds(kind, edge) for kind in (AtLeast, AtMost, Above, Below)),
        st.tuples(edge, edge).map(lambda pair: Within(min(pair), max(pair))),
    )


@settings(max_examples=300)
@given(differences.flatmap(lambda e: st.tuples(st.just(e), inside(e.bounds))))
def test_no_verdict_on_a_region_inside_the_range_depends_on_it(case):
    evidence, region = case
    told, untold = (
        decide(sample, region, family_size=3)
        for sample in (evidence, replace(evidence, bounds=NOTHING))
    )
    assert told.outcome is untold.outcome
    assert (told.detectable, told.needed) == (untold.detectable, untold.needed)


@settings(max_examples=300)
@given(differences, st.floats(0.5, 0.99))
def test_an_interval_loses_what_lies_outside_the_range_and_nothing_else(evidence, level):
    least, most = evidence.bounds
    found = evidence.estimate(level)
    plain = replace(evidence, bounds=NOTHING).estimate(level)
    for cut, whole in ((found.interval, plain.interval), (found.interval95, plain.interval95)):
        if math.isinf(whole.low) and math.isinf(whole.high):
            assert cut == whole
        else:
            assert cut.low == max(whole.low, least)
            assert cut.high == min(whole.high, most)
    assert replace(found, interval=plain.interval, interval95=plain.interval95) == plain


@settings(max_examples=200)
@given(shares, st.floats(0.5, 0.99))
def test_limits_of_shares_are_shares_around_the_estimate(evidence, level):
    found = evidence.estimate(level)
    low, high = found.interval.low, found.interval.high
    assert (low, high) == NOTHING or 0 <= low <= found.value + 1e-9
    assert (low, high) == NOTHING or found.value - 1e-9 <= high <= 1


@given(proper, st.floats(0.01, 0.99))
def test_shares_over_seeds_are_judged_as_their_log_odds(values, edge):
    assume(np.ptp(values) > 1e-3)
    as_shares = Means(values=[[v] for v in values], bounds=SHARE)
    logits = Means(values=[[special.logit(v)] for v in values])
    told = decide(as_shares, AtLeast(edge), family_size=3)
    expected = decide(logits, AtLeast(float(special.logit(edge))), family_size=3)
    span = told.estimate.interval
    assume(min(abs(span.low - edge), abs(span.high - edge)) > 1e-9)
    assert told.outcome is expected.outcome or Outcome.MIXED in (told.outcome, expected.outcome)
    assert told.estimate.value == pytest.approx(special.expit(expected.estimate.value))


def test_the_accuracies_of_five_seeds_end_at_one():
    seeds = Means(values=[[1.0], [1.0], [0.98], [1.0], [0.78]])
    assert seeds.estimate(0.95).interval.high > 1
    told = replace(seeds, bounds=SHARE).estimate(0.95)
    assert told.interval.high == 1
    assert told.interval.low == seeds.estimate(0.95).interval.low
    assert told.error == seeds.estimate(0.95).error


def test_one_seed_knows_nothing_rather_than_the_whole_range():
    one = Differences(
        first=[[0.5]], second=[[0.25]], paired="prompts", support=False, bounds=SHARE_DIFFERENCE
    )
    estimate = one.estimate(0.95)
    assert (estimate.interval.low, estimate.interval.high) == NOTHING


def test_a_sum_in_float32_may_pass_one():
    probabilities = np.float32([[1.0000001], [1.0], [1.0000001]])
    assert Means(values=probabilities, bounds=SHARE).estimate(0.95).interval.high == 1


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        (lambda: Means(values=[[81.2, 80]], bounds=SHARE), r"\(0, 1\) do not hold the value 81.2"),
        (lambda: LayerMax(values=[[[0.1, 2.0]]], bounds=SHARE), "do not hold the estimate, 2"),
        (
            lambda: Differences(first=[[3]], second=[[1]], paired="no", bounds=SHARE_DIFFERENCE),
            r"Differences\.bounds \(-1, 1\) do not hold the estimate, 2",
        ),
        (lambda: Means(values=[[0.5]], bounds=(1, 0)), r"\(1, 0\) are no range"),
    ],
)
def test_a_range_that_cannot_be_is_refused(build, complaint):
    with pytest.raises(ValueError, match=complaint):
        build()
