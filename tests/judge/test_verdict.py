"""Verdicts: the interval's place, controls, the family's level, and what it would take."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazarus_bench.judge import (
    Above,
    AtLeast,
    AtMost,
    Control,
    Differences,
    Exact,
    Hits,
    LayerMax,
    Means,
    Outcome,
    Ratios,
    Reported,
    Trend,
    Within,
    attainable,
    decide,
    family_level,
    not_applicable,
)


@pytest.mark.parametrize("family_size", [1, 2, 6, 8, 40])
@pytest.mark.parametrize(
    ("hit", "region", "enough"), [(1, AtLeast(0.9), 29), (0, AtMost(0.05), 59)]
)
def test_eight_alike_show_neither_ninety_percent_nor_five(hit, region, enough, family_size):
    def judged(prompts):
        return decide(Hits(values=[[hit] * prompts]), region, family_size=family_size)

    assert judged(8).outcome is Outcome.INCONCLUSIVE
    assert (
        f"prompts (now 8) with the same outcome would support {region.describe()}"
        in judged(8).needed
    )
    if family_size == 1:
        assert judged(8).needed.startswith(f"{enough} ")
        assert judged(enough).outcome is Outcome.SUPPORTED_RUN
        assert judged(enough - 1).outcome is Outcome.INCONCLUSIVE


def test_the_design_shows_lens_claims_both_ways_with_five_seeds():
    hits, misses = np.ones((5, 200)), np.zeros((5, 200))
    assert decide(Hits(values=hits), AtLeast(0.9), family_size=8).outcome == "supported"
    assert decide(Hits(values=misses), AtLeast(0.9), family_size=8).outcome == "refuted"
    assert decide(Hits(values=misses), AtMost(0.05), family_size=6).outcome == "supported"


@pytest.mark.parametrize(
    ("value", "outcome"), [(0.5, "supported"), (0.2, "refuted"), (0.37, "inconclusive")]
)
def test_the_interval_decides(value, outcome):
    values = value + np.array([[-0.02], [0.0], [0.02], [0.01], [-0.01]])
    verdict = decide(Means(values=values), AtLeast(0.36), family_size=1)
    assert verdict.outcome == outcome
    assert (verdict.needed is None) == (outcome != "inconclusive")
    assert verdict.detectable > 0


def test_no_effect_needs_equivalence_not_a_large_p():
    rng = np.random.default_rng(0)
    noisy = Differences(
        first=rng.normal(0, 1, (5, 3)), second=rng.normal(0, 1, (5, 3)), paired="no"
    )
    assert decide(noisy, Within(-0.05, 0.05), family_size=1).outcome is Outcome.INCONCLUSIVE
    calm = Means(values=rng.normal(0, 0.001, (5, 3)))
    assert decide(calm, Within(-0.05, 0.05), family_size=1).outcome is Outcome.SUPPORTED


def test_seeds_that_agree_exactly_are_inconclusive_with_the_reason():
    verdict = decide(Means(values=[[0.0, 0.0]] * 5), Within(-0.05, 0.05), family_size=1)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "seeds agree exactly" in verdict.reason
    assert verdict.detectable is None


def test_a_reported_number_decides_nothing_and_asks_for_its_sample():
    verdict = decide(Reported(value=0.9, note="C, table 3"), AtLeast(0.1), family_size=1)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "printed without its sample" in verdict.reason
    assert "sample" in verdict.needed


def test_an_exact_number_decides_alone():
    region = Within(851_968, 851_968)
    assert decide(Exact(value=851_968), region, family_size=9).outcome is Outcome.SUPPORTED
    assert decide(Exact(value=851_969), region, family_size=9).outcome is Outcome.REFUTED


def test_one_run_speaks_of_itself():
    verdict = decide(Means(values=[[0.4, 0.5, 0.6]]), AtLeast(0.9), family_size=1)
    assert "one training run" in verdict.reason


def test_a_failed_control_makes_the_verdict_invalid():
    good = Control(name="lens equals logits", value=0.0, expectation="≤ 1e-4", passed=True)
    bad = Control(name="overlap", value=3, expectation="0 shared pairs", passed=False)
    sample = Exact(value=1)
    verdict = decide(sample, AtLeast(0), family_size=1, controls=[good, bad])
    assert verdict.outcome is Outcome.INVALID
    assert verdict.reason == "overlap is 3, expected 0 shared pairs"
    assert verdict.controls == (good, bad)
    assert decide(sample, AtLeast(0), family_size=1, controls=[good]).outcome == "supported"


def test_a_value_on_the_edge_is_decided_by_no_number_of_seeds():
    values = [[0.35], [0.37], [0.36]]
    region = AtLeast(float(np.mean(values)))
    assert "no affordable number" in decide(Means(values=values), region, family_size=1).needed


@settings(max_examples=40, deadline=None)
@given(st.floats(0.3, 0.7), st.integers(3, 8))
def test_the_seeds_it_asks_for_would_indeed_decide(centre, seeds):
    values = centre + np.resize([-0.2, 0.2, 0.1, -0.1], (seeds, 1))
    sample, region = Means(values=values), AtLeast(0.5)
    verdict = decide(sample, region, family_size=1)
    if verdict.outcome is Outcome.INCONCLUSIVE and verdict.needed[0].isdigit():
        size = int(verdict.needed.split()[0])
        low, high = sample.sampling().resized(size).limits(verdict.level)
        assert size > seeds
        assert region.contains(low, high) or region.excludes(low, high)


def test_the_level_belongs_to_the_family():
    assert family_level(1) == pytest.approx(0.9)
    assert family_level(8) == pytest.approx(1 - 0.1 / 8)
    values = np.random.default_rng(0).normal(1, 1, (5, 1))
    alone = decide(Means(values=values), Above(0), family_size=1).estimate
    crowd = decide(Means(values=values), Above(0), family_size=20).estimate
    assert crowd.interval.low < alone.interval.low
    assert crowd.interval95 == alone.interval95


@pytest.mark.parametrize(("size", "alpha"), [(0, 0.05), (1, 0.0), (1, 0.5), (-2, 0.05)])
def test_an_empty_family_or_a_wild_alpha_is_refused(size, alpha):
    with pytest.raises(ValueError, match=r"family|alpha"):
        decide(Exact(value=1), AtLeast(0), family_size=size, alpha=alpha)


def test_not_applicable_carries_its_reason():
    verdict = not_applicable(AtLeast(0.1), "multiply is no single token")
    assert verdict.outcome == "not applicable"
    assert verdict.reason == "multiply is no single token"
    assert verdict.estimate is None


def test_a_verdict_is_deterministic():
    values = np.random.default_rng(0).random((1, 12, 5))
    region = AtMost(0.5)
    first = decide(LayerMax(values=values), region, family_size=6)
    assert first == decide(LayerMax(values=values), region, family_size=6)


def test_published_steps_are_no_trend_without_seeds():
    verdict = decide(Trend(values=[[0.4, 0.8, 1.2, 1.0]]), Above(0), family_size=7)
    assert verdict.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("region", "seeds", "prompts", "verb"),
    [
        (AtLeast(0.9), 1, 8, "support"),
        (AtMost(0.05), 1, 8, "support"),
        (AtLeast(0.05), 1, 8, "refute"),
        (Within(0.45, 0.55), 1, 20, "support"),
        (AtLeast(0.5), 1, 2, "support or refute"),
        (AtLeast(0.9), 2, 10, "support"),
    ],
)
def test_an_unattainable_rule_is_told_before_training(region, seeds, prompts, verb):
    told = attainable(region, binary=True, seeds=seeds, prompts=prompts, level=0.9)
    assert f"could {verb} {region.describe()}" in told.sentence
    assert told.hopeless == (verb == "support or refute")
    large = attainable(region, binary=True, seeds=5, prompts=2000, level=0.9)
    assert large.sentence == "" or isinstance(region, Within)


def test_attainable_designs_pass():
    assert attainable(AtLeast(0.9), binary=True, seeds=5, prompts=200, level=0.9875).sentence == ""
    assert attainable(AtMost(0.05), binary=True, seeds=5, prompts=200, level=1 - 0.1 / 6).supports
    assert attainable(AtLeast(0.36), binary=False, seeds=5, prompts=200, level=0.9).refutes
    alone = attainable(AtLeast(1), binary=False, seeds=1, prompts=1, level=0.9)
    assert alone.hopeless
    assert "no spread" in alone.sentence
    with pytest.raises(ValueError, match="at least one seed"):
        attainable(AtLeast(1), binary=False, seeds=0, prompts=1, level=0.9)


def test_differences_of_hits_reach_below_zero():
    region = Above(0)
    rate = attainable(region, binary=True, seeds=5, prompts=50, level=0.9)
    assert rate.supports
    assert not rate.refutes
    difference = attainable(region, binary=True, seeds=5, prompts=50, level=0.9, difference=True)
    assert difference.refutes
    calm = attainable(
        Within(-0.05, 0.05), binary=True, seeds=5, prompts=200, level=0.9, difference=True
    )
    assert calm.supports
    assert calm.refutes


def test_one_run_of_ratios_asks_for_a_second():
    verdict = decide(Ratios(numerator=[0.02], denominator=[0.97]), AtMost(0.1), family_size=8)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.needed.startswith("at least 2 seeds (now 1)")


def test_a_computed_number_is_told_in_full():
    verdict = decide(Exact(value=851_968), Within(851_968, 851_968), family_size=8)
    assert "computed value 851968" in verdict.reason
    assert "within [851968, 851968]" in verdict.reason


def test_a_control_takes_numpy_numbers_and_keeps_python_ones():
    control = Control(name="n", value=np.float32(1), expectation="1", passed=np.float64(1) > 0)
    assert type(control.passed) is bool
    assert type(control.value) is float
