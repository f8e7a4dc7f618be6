"""What evidence of every kind promises: order does not matter, levels widen, bad input is named."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judge_strategies import bits, evidence, grid, unit

from lazarus_bench.judge import (
    AllOf,
    AtLeast,
    AtMost,
    ClassEntropy,
    Condition,
    Differences,
    Exact,
    HitDifferences,
    Hits,
    LayerMax,
    Means,
    Ratios,
    Reported,
    Trend,
    decide,
)


@settings(max_examples=150, deadline=None)
@given(evidence, st.floats(0.5, 0.98), st.floats(0.001, 0.019))
def test_a_higher_level_never_narrows_the_interval(sample, level, more):
    low, high = sample.limits(level)
    wider_low, wider_high = sample.limits(level + more)
    assert wider_low <= low + 1e-8
    assert wider_high >= high - 1e-8


@settings(max_examples=150, deadline=None)
@given(evidence)
def test_the_interval_holds_the_estimate(sample):
    estimate = sample.estimate(0.95, 0.0)
    assert estimate.interval.low <= estimate.value + 1e-9
    assert estimate.interval.high >= estimate.value - 1e-9
    assert estimate.interval == estimate.interval95
    if estimate.effect is not None:
        assert estimate.effect.low <= estimate.effect.value + 1e-9
        assert estimate.effect.high >= estimate.effect.value - 1e-9


@settings(max_examples=60, deadline=None)
@given(grid(unit, seeds=(1, 4)), grid(bits, seeds=(1, 4)), st.randoms(use_true_random=False))
def test_the_order_of_seeds_and_prompts_does_not_matter(values, hits, random):
    def shuffled(grid):
        rows = random.sample(range(grid.shape[0]), grid.shape[0])
        columns = random.sample(range(grid.shape[1]), grid.shape[1])
        return grid[rows][:, columns]

    def layers(grid):
        return np.stack([grid, grid**2, 1 - grid], axis=2)

    for kind, sample in ((Means, values), (Hits, hits)):
        found = kind(values=sample).limits(0.9)
        assert kind(values=shuffled(sample)).limits(0.9) == pytest.approx(found, abs=1e-7)
    found = LayerMax(values=layers(values)).limits(0.9)
    assert LayerMax(values=layers(shuffled(values))).limits(0.9) == pytest.approx(found, abs=1e-7)


@pytest.mark.parametrize("tiny", [5e-324, 1e-200, 1e-170])
def test_values_whose_squares_vanish_have_an_interval(tiny):
    low, high = Means(values=[[0.0, tiny]]).limits(0.9)
    assert 0 <= low <= tiny
    assert high == pytest.approx(Means(values=[[0.0, 1e-9]]).limits(0.9)[1], abs=1e-6)


def test_paired_evidence_ignores_the_order_of_pairs():
    rng = np.random.default_rng(1)
    first, second, order = rng.random((4, 6)), rng.random((4, 6)), rng.permutation(6)
    found = Differences(first=first, second=second, paired="prompts").limits(0.9)
    moved = Differences(first=first[:, order], second=second[:, order], paired="prompts")
    assert moved.limits(0.9) == pytest.approx(found)


def test_arrays_and_lists_are_the_same_evidence():
    assert Means(values=np.array([[0.5, 0.25]])) == Means(values=[[0.5, 0.25]])
    assert hash(Means(values=np.array([[0.5, 0.25]]))) == hash(Means(values=((0.5, 0.25),)))


def test_an_estimate_says_what_it_speaks_of():
    several, one = Means(values=[[1.0, 2.0], [2.0, 4.0]]), Means(values=[[1.0, 2.0]])
    assert several.estimate(0.9).scope == "seeds"
    assert (several.estimate(0.9).seeds, several.estimate(0.9).prompts) == (2, 2)
    assert one.estimate(0.9).scope == "run"
    assert Exact(value=3).estimate(0.9).scope == "exact"
    assert Reported(value=3).estimate(0.9).scope == "reported"


def test_an_estimate_says_what_its_samples_are_of():
    experts = Hits(values=[[1, 0, 0]], items="experts")
    assert experts.estimate(0.9).items == "experts"
    assert experts.unit == "experts"
    assert Means(values=[[0.1, 0.4]], items="layers").method.endswith("over layers")
    assert Hits(values=[[1, 0], [1, 1]], items="experts").unit == "seeds"
    assert Hits(values=[[1, 0]]).estimate(0.9).items == "prompts"


def test_an_exact_number_has_no_width_and_a_reported_one_no_end():
    assert Exact(value=3).limits(0.9) == (3, 3)
    assert Reported(value=3, low=1, high=4).limits(0.9) == (-math.inf, math.inf)
    assert "Table 2" in Reported(value=3, note="Table 2").estimate(0.9).note


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        (lambda: Means(values=[]), "empty"),
        (lambda: Means(values=[[]]), "empty"),
        (lambda: Means(values=[[0.1], []]), "empty"),
        (lambda: Means(values=[0.1, 0.2]), "nested too shallowly"),
        (lambda: Means(values=[[0.1, math.nan]]), "nan.*finite"),
        (lambda: Means(values=[[0.1, math.inf]]), "inf.*finite"),
        (lambda: Means(values=[[0.1, "x"]]), "'x'.*finite"),
        (lambda: Means(values=[[0.1, 0.2], [0.3]]), "unequal lengths"),
        (lambda: Means(values=[[0.1, 0.2]], clusters=["a"]), "1 keys for 2 prompts"),
        (lambda: Means(values=[[0.1, 0.2]], clusters=2), "clusters is 2; give one key for each"),
        (lambda: Means(values=[[0.1, 0.2]], clusters=[1, "1"]), "mixes numbers with texts"),
        (lambda: Means(values=[[0.1, 1e200]]), r"1e\+200.*finite number up to 1e\+150"),
        (lambda: Hits(values=[[1, 0.5]]), "0.5.*hits are 0 or 1"),
        (lambda: Hits(values=[[1, 0]], minus=math.nan), "finite"),
        (lambda: HitDifferences(first=[[1, 0]], second=[[1, 2]]), "second holds 2"),
        (lambda: HitDifferences(first=[[1, 0]], second=[[1]]), "2 prompts and second 1"),
        (lambda: HitDifferences(first=[[1]], second=[[1]], paired="seeds"), "prompts or no"),
        (
            lambda: Differences(first=[[1, 2]], second=[[1]], paired="prompts"),
            "2 prompts and second 1",
        ),
        (
            lambda: Differences(first=[[1]] * 3, second=[[1]] * 2, paired="seeds"),
            "3 seeds and second 2",
        ),
        (
            lambda: Differences(first=[[1]] * 3, second=[[1]] * 2, paired="prompts"),
            "3 seeds and second 2",
        ),
        (lambda: Differences(first=[[1]], second=[[1]], paired="seeds"), "pair by prompts"),
        (lambda: Differences(first=[[1]] * 2, second=[[1]], paired="no"), "several seeds on both"),
        (lambda: Differences(first=[[1]], second=[[1]], paired="maybe"), "prompts, seeds or no"),
        (lambda: LayerMax(values=[[0.1, 0.2]]), "nested too shallowly"),
        (lambda: Trend(values=[[1.0], [2.0]]), "two checkpoints"),
        (lambda: Ratios(numerator=[1, 2], denominator=[1]), "2 numerators and 1 denominators"),
        (lambda: Ratios(numerator=[1, 0], denominator=[1, 1]), "positive"),
        (lambda: Exact(value=math.nan), "finite"),
        (lambda: Reported(value=1, low=2), "above the value"),
        (lambda: Reported(value=3, high=2), "below the value"),
        (lambda: Means(values=[[0.1]]).estimate(1.0), "between 0 and 1"),
    ],
)
def test_bad_input_is_refused_with_the_reason(build, complaint):
    with pytest.raises(ValueError, match=complaint):
        build()


@settings(max_examples=150, deadline=None)
@given(evidence)
def test_the_seeds_own_values_average_to_the_estimate(sample):
    values = sample.estimate(0.95, 0.0).by_seed
    judged = [c.evidence for c in sample.conditions] if isinstance(sample, AllOf) else [sample]
    assert len(values) in {0, *(one.shape[0] for one in judged)}
    if values and not any(isinstance(one, Ratios) for one in judged):
        assert np.mean(values) == pytest.approx(sample.point, abs=1e-9)


@pytest.mark.parametrize(
    ("sample", "values"),
    [
        (Means(values=[[0.1, 0.3], [0.5, 0.7]]), (0.2, 0.6)),
        (Hits(values=[[1, 0], [1, 1]], minus=0.25), (0.25, 0.75)),
        (Differences(first=[[1.0], [3.0]], second=[[0.5]], paired="prompts"), (0.5, 2.5)),
        (HitDifferences(first=[[1, 1], [1, 0]], second=[[0, 0], [1, 0]]), (1.0, 0.0)),
        (LayerMax(values=[[[0.1, 0.5]], [[0.9, 0.2]]]), (0.5, 0.9)),
        (Ratios(numerator=[1, 3], denominator=[2, 1]), (0.5, 3.0)),
        (Trend(values=[[1, 2, 3], [3, 2, 1]]), (1.0, -1.0)),
        (ClassEntropy(predictions=[[0, 1], [1, 1]], classes=2), (1.0, 0.0)),
        (Means(values=[[0.1, 0.3]]), ()),
        (Differences(first=[[1.0], [3.0]], second=[[0.5], [0.1]], paired="no"), ()),
        (Exact(value=3), ()),
        (Reported(value=0.5), ()),
    ],
)
def test_each_seed_keeps_its_own_value(sample, values):
    assert sample.estimate(0.95, 0.5).by_seed == pytest.approx(values)


def test_the_seeds_of_a_conjunction_are_those_of_the_condition_that_decides():
    far = Condition(name="far", evidence=Means(values=[[0.9], [0.8]]), region=AtLeast(0.1))
    near = Condition(name="near", evidence=Means(values=[[0.3], [0.7]]), region=AtMost(0.6))
    assert AllOf(conditions=(far, near)).estimate(0.95).by_seed == pytest.approx((0.3, -0.1))


def test_a_single_value_is_bounded_by_a_known_support_alone():
    """One number in [0, 1] does not say that others lie there too."""
    unknown = decide(Means(values=[[0.3]]), AtLeast(-5.0), family_size=1).estimate
    share = decide(Means(values=[[0.3]], bounds=(0.0, 1.0)), AtLeast(-5.0), family_size=1).estimate
    assert (unknown.interval.low, unknown.interval.high) == (-math.inf, math.inf)
    assert 0 <= share.interval.low < 0.3 < share.interval.high <= 1
