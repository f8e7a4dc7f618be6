"""How evenly predictions spread: bounds that every distribution obeys, and total collapse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from judge_strategies import grid

from lazarus_bench.judge import AtMost, ClassEntropy, Hits, Outcome, decide
from lazarus_bench.judge.proportions import least_entropy, most_entropy

CLASSES = 4
weights = arrays(float, CLASSES, elements=st.floats(0.001, 1)).map(lambda w: w / w.sum())
predictions = grid(st.integers(0, CLASSES - 1), seeds=(1, 5), prompts=(2, 12))


def normalised(shares):
    return -sum(p * math.log(p) for p in shares) / math.log(len(shares))


@settings(max_examples=200)
@given(weights)
def test_every_distribution_lies_between_the_bounds_of_its_largest_share(shares):
    found = normalised(shares)
    assert least_entropy(shares.max(), CLASSES) <= found + 1e-9
    assert most_entropy(shares.max(), CLASSES) >= found - 1e-9


@settings(max_examples=100)
@given(st.lists(weights, min_size=2, max_size=5))
def test_the_bounds_hold_for_averages_over_seeds(runs):
    found = np.mean([normalised(shares) for shares in runs])
    share = float(np.mean([shares.max() for shares in runs]))
    assert least_entropy(share, CLASSES) <= found + 1e-9
    assert most_entropy(share, CLASSES) >= found - 1e-9


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_the_bounds_are_reached(classes):
    assert least_entropy(1.0, classes) == most_entropy(1.0, classes) == 0
    assert least_entropy(1 / classes, classes) == pytest.approx(1)
    assert most_entropy(1 / classes, classes) == 1
    assert least_entropy(0.5, classes) == pytest.approx(math.log(2) / math.log(classes))
    rest = [0.4 / (classes - 1)] * (classes - 1)
    assert most_entropy(0.6, classes) == pytest.approx(normalised([0.6, *rest]))


@given(predictions)
def test_the_interval_lies_in_the_unit_interval_and_holds_the_estimate(runs):
    sample = ClassEntropy(predictions=runs, classes=CLASSES)
    low, high = sample.limits(0.9)
    assert 0 <= low <= sample.point + 1e-9
    assert sample.point - 1e-9 <= high <= 1


def test_a_constant_predictor_has_entropy_0_and_an_even_one_1():
    assert ClassEntropy(predictions=[[2.0] * 9] * 3, classes=4).point == 0
    assert ClassEntropy(predictions=[[0, 1, 2, 3]] * 2, classes=4).point == pytest.approx(1)


def test_each_seed_may_collapse_to_its_own_class():
    collapsed = ClassEntropy(predictions=np.repeat([[0], [1], [2], [0], [3]], 200, 1), classes=4)
    assert collapsed.point == 0
    assert decide(collapsed, AtMost(0.3), family_size=10).outcome is Outcome.SUPPORTED
    even = ClassEntropy(predictions=[[0, 1, 2, 3] * 50] * 5, classes=4)
    assert decide(even, AtMost(0.3), family_size=10).outcome is Outcome.REFUTED


def test_few_prompts_of_one_run_decide_nothing():
    collapsed = ClassEntropy(predictions=[[1.0] * 6], classes=3)
    verdict = decide(collapsed, AtMost(0.3), family_size=10)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "prompts (now 6)" in verdict.needed


def test_the_majority_is_each_seeds_own():
    found = ClassEntropy(predictions=[[0, 0, 1], [2, 1, 1]], classes=3).majority
    assert found == Hits(values=[[1, 1, 0], [0, 1, 1]])


def test_classes_out_of_range_are_refused():
    with pytest.raises(ValueError, match="0 to 3"):
        ClassEntropy(predictions=[[4, 1]], classes=4)
    with pytest.raises(ValueError, match="two classes"):
        ClassEntropy(predictions=[[0, 0]], classes=1)
