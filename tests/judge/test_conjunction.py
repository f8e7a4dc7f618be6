"""Several conditions at once: supported when all are, refuted when one is, sound on both sides."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judge_strategies import closed, conjunctions, simple_evidence

from lazarus_bench.judge import (
    Above,
    AllOf,
    AtLeast,
    AtMost,
    Below,
    Condition,
    Hits,
    Means,
    Outcome,
    Reported,
    Resampled,
    Within,
    decide,
)
from lazarus_bench.judge.conjunction import stricter

HIGH = Means(values=[[0.9, 0.92], [0.91, 0.93], [0.9, 0.93]])
LOW = Means(values=[[0.1, 0.12], [0.11, 0.13], [0.1, 0.13]])


HALF, INSIDE = AtLeast(0.5), AtLeast(0.0)


def both(first, second, region=HALF):
    return AllOf(
        conditions=[
            Condition(name="first", evidence=first, region=region),
            Condition(name="second", evidence=second, region=region),
        ]
    )


def outcome(sample):
    return decide(sample, INSIDE, family_size=1).outcome


def test_all_must_hold():
    assert outcome(both(HIGH, HIGH)) is Outcome.SUPPORTED
    assert outcome(both(HIGH, LOW)) is Outcome.REFUTED
    assert outcome(both(LOW, HIGH)) is Outcome.REFUTED
    unsure = Means(values=[[0.2], [0.9], [0.5]])
    assert outcome(both(HIGH, unsure)) is Outcome.INCONCLUSIVE
    assert outcome(both(LOW, unsure)) is Outcome.REFUTED


@settings(max_examples=100)
@given(conjunctions, st.floats(0.5, 0.98))
def test_it_follows_from_the_conditions_own_verdicts(sample, level):
    low, high = sample.limits(level)
    own = [c.region.contains(*c.evidence.limits(level)) for c in sample.conditions]
    strict = stricter(level, len(sample.conditions))
    refuted = [c.region.excludes(*c.evidence.limits(strict)) for c in sample.conditions]
    assert AtLeast(0.0).contains(low, high) == all(own)
    assert AtLeast(0.0).excludes(low, high) == any(refuted)
    assert sample.point == min(c.margin for c in sample.conditions)


@settings(max_examples=60)
@given(simple_evidence, closed, st.floats(0.5, 0.98))
def test_a_sampling_model_has_the_limits_of_its_evidence(first, region, level):
    sample = both(first, HIGH, region)
    model = sample.sampling()
    if isinstance(first, Resampled):  # its draws are all that is known of it
        assert model is None
    else:
        assert model.limits(level) == sample.limits(level)


def test_open_regions_exclude_their_edge():
    zero = both(Reported(value=0.0), Reported(value=1.0), Above(0.0))
    assert zero.point == 0.0
    assert not Above(0.0).contains_value(zero.point)
    assert AtLeast(0.0).contains_value(both(HIGH, HIGH, AtMost(0.915)).point)


def test_the_margin_counts_towards_the_inside_of_the_region():
    one = [[0.25, 0.25]]
    assert Condition(name="x", evidence=Means(values=one), region=AtMost(0.3)).margin == (
        pytest.approx(0.05)
    )
    assert Condition(name="x", evidence=Means(values=one), region=Below(0.2)).margin == (
        pytest.approx(-0.05)
    )
    assert Condition(name="x", evidence=Means(values=one), region=Above(0.2)).margin == (
        pytest.approx(0.05)
    )


def test_a_condition_without_a_sample_leaves_only_refutation():
    reported = Reported(value=0.9, note="printed once")
    sample = both(reported, HIGH)
    assert sample.scope == "reported"
    assert sample.sampling() is None
    assert outcome(sample) is Outcome.INCONCLUSIVE
    assert outcome(both(reported, LOW)) is Outcome.REFUTED
    assert "the sample itself" in decide(sample, AtLeast(0.0), family_size=1).needed


def test_the_reason_names_every_condition():
    verdict = decide(both(HIGH, LOW), AtLeast(0.0), family_size=1)
    assert "first 0.915 against ≥ 0.5" in verdict.reason
    assert "second 0.115 against ≥ 0.5" in verdict.reason


def test_more_seeds_are_said_to_decide():
    unsure = Means(values=[[0.5], [0.62], [0.6]])
    verdict = decide(both(HIGH, unsure), AtLeast(0.0), family_size=1)
    assert "seeds (now 3) with the same outcome would support" in verdict.needed
    assert verdict.detectable is None


def test_what_cannot_be_judged_together_is_refused():
    with pytest.raises(ValueError, match="one edge"):
        Condition(name="x", evidence=HIGH, region=Within(0.0, 1.0))
    with pytest.raises(ValueError, match="two conditions"):
        AllOf(conditions=[Condition(name="x", evidence=HIGH, region=AtLeast(0.5))])
    with pytest.raises(ValueError, match="all closed or all open"):
        AllOf(
            conditions=[
                Condition(name="x", evidence=HIGH, region=AtLeast(0.5)),
                Condition(name="y", evidence=HIGH, region=Above(0.5)),
            ]
        )


def test_a_run_beside_seeds_speaks_of_the_run():
    one = Hits(values=np.ones((1, 50)))
    assert both(one, HIGH).scope == "run"
    assert both(one, HIGH).shape == (1, 2)
    assert math.isfinite(both(one, HIGH).limits(0.9)[0])
