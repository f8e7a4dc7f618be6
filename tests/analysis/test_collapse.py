"""Collapse: bounds, and what a constant, a perfect and an even predictor get."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lazarus_bench.analysis.operations import constant_predictor, measure_collapse
from lazarus_bench.judge import ClassEntropy

CLASSES = 4
labels = st.integers(1, 40).flatmap(
    lambda n: st.tuples(*[arrays(np.int64, n, elements=st.integers(0, CLASSES - 1))] * 2)
)
EVEN = np.arange(40) % CLASSES


@given(labels)
def test_every_measure_keeps_its_bounds(both):
    found = measure_collapse(*both, CLASSES)
    assert 0 <= found.entropy <= 1 + 1e-12
    assert 1 / CLASSES <= found.majority <= 1
    assert -1 <= found.matthews <= 1
    assert sum(found.shares) == pytest.approx(1)
    assert max(found.shares) == found.majority


@given(labels)
def test_the_names_of_the_classes_do_not_matter(both):
    renamed = (np.array([2, 0, 3, 1])[labelled] for labelled in both)
    found, other = measure_collapse(*both, CLASSES), measure_collapse(*renamed, CLASSES)
    assert (found.entropy, found.majority) == pytest.approx((other.entropy, other.majority))
    assert found.matthews == pytest.approx(other.matthews)


@given(labels, st.integers(0, CLASSES - 1))
def test_a_constant_predictor_has_entropy_0_share_1_and_no_correlation(both, named):
    gold = both[1]
    found = measure_collapse(np.full_like(gold, named), gold, CLASSES)
    assert (found.entropy, found.majority, found.matthews) == (0, 1, 0)
    constant = constant_predictor(gold, CLASSES)
    assert (constant.entropy, constant.majority, constant.matthews) == (0, 1, 0)


def test_a_perfect_predictor_of_even_classes():
    found = measure_collapse(EVEN, EVEN, CLASSES)
    assert (found.entropy, found.majority, found.matthews) == pytest.approx((1, 0.25, 1))


def test_being_always_wrong_is_no_collapse():
    found = measure_collapse((EVEN + 1) % CLASSES, EVEN, CLASSES)
    assert found.entropy == pytest.approx(1)
    assert found.matthews == pytest.approx(-1 / 3)


def test_two_classes_of_four_are_half_the_entropy():
    assert measure_collapse(EVEN % 2, EVEN, CLASSES).entropy == pytest.approx(0.5)


def test_the_writeups_six_prompts_have_share_1_and_no_correlation():
    gold = np.array([0, 0, 1, 1, 2, 2])
    found = measure_collapse(np.ones(6, dtype=np.int64), gold, 3)
    assert (found.entropy, found.majority, found.matthews) == (0, 1, 0)
    assert (gold == 1).mean() == pytest.approx(1 / 3)


@given(labels)
def test_the_judges_entropy_is_the_same(both):
    found = measure_collapse(*both, CLASSES).entropy
    assert ClassEntropy(predictions=[both[0]], classes=CLASSES).point == pytest.approx(found)
