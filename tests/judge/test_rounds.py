"""Ratios and exponents on data whose truth is known."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lazarus_bench.judge.rounds import exponent, last_exponent, median, ratio_of_medians

POWERS = st.floats(-1, 3)
CONSTANTS = st.floats(1e-6, 1e6)
SIZES = st.lists(st.integers(1, 10**6), min_size=2, max_size=8, unique=True)


@settings(max_examples=40)
@given(power=POWERS, constant=CONSTANTS, sizes=SIZES)
@example(power=0.0, constant=2.0, sizes=[999758, 999807])
def test_an_exact_power_is_found(power, constant, sizes):
    costs = np.tile(constant * np.array(sizes, dtype=np.float64) ** power, (3, 1))
    for found in (exponent(sizes, costs), last_exponent(sizes, costs)):
        np.testing.assert_allclose([found.low, found.value, found.high], power, atol=1e-6)


@settings(max_examples=40)
@given(scale=CONSTANTS, power=POWERS, seed=st.integers(0, 99))
def test_an_exponent_does_not_depend_on_the_unit(scale, power, seed):
    sizes = [2, 4, 8, 16]
    noise = np.exp(0.1 * np.random.default_rng(seed).normal(size=(5, 4)))
    costs = np.array(sizes) ** power * noise
    one, other = exponent(sizes, costs), exponent([7 * s for s in sizes], scale * costs)
    np.testing.assert_allclose(
        [one.low, one.value, one.high], [other.low, other.value, other.high], atol=1e-6
    )


def test_a_fixed_cost_lowers_the_exponent_and_least_between_the_last_sizes():
    sizes = np.array([1.0, 2, 4, 8, 16])
    costs = np.tile(10 + sizes, (3, 1))
    assert 0 < exponent(sizes, costs).value < last_exponent(sizes, costs).value < 1


def test_the_last_exponent_is_of_the_largest_sizes_whatever_their_order():
    costs = [[9.0, 1.0, 3.0]] * 2  # 3 → 9 where the size doubles from 4 to 8
    assert last_exponent([8, 1, 4], costs).value == pytest.approx(np.log2(3))


@settings(max_examples=40)
@given(
    factor=st.floats(0.01, 100),
    costs=st.lists(st.floats(0.001, 1000), min_size=1, max_size=20),
)
def test_a_constant_factor_is_the_ratio(factor, costs):
    found = ratio_of_medians([factor * c for c in costs], costs)
    assert found.value == pytest.approx(factor)
    assert found.low <= found.value <= found.high


@settings(max_examples=40)
@given(seed=st.integers(0, 999), rounds=st.integers(1, 12))
def test_both_ways_round_a_ratio_is_its_inverse(seed, rounds):
    one, other = np.random.default_rng(seed).uniform(1, 2, size=(2, rounds))
    up, down = ratio_of_medians(one, other), ratio_of_medians(other, one)
    assert up.value == pytest.approx(1 / down.value)


def test_what_disturbs_whole_rounds_does_not_widen_a_ratio():
    rng = np.random.default_rng(0)
    slow = np.where(rng.random(25) < 0.4, 3.0, 1.0)
    together = ratio_of_medians(2 * slow, slow)
    assert (together.low, together.high) == pytest.approx((2, 2))
    apart = ratio_of_medians(2 * slow, rng.permutation(slow))
    assert apart.high - apart.low > 0.5


def test_intervals_of_a_ratio_hold_the_truth_about_as_often_as_they_say():
    rng, held = np.random.default_rng(1), 0
    for _ in range(200):
        shared = np.exp(0.2 * rng.normal(size=15))
        one, other = shared * np.exp(0.1 * rng.normal(size=(2, 15)))
        found = ratio_of_medians(1.5 * one, other)
        held += found.low <= 1.5 <= found.high
    assert held >= 176  # 95% asked; a bootstrap of 15 medians gives some less


def test_one_round_has_no_width():
    found = median([3.0])
    assert (found.low, found.value, found.high) == (3.0, 3.0, 3.0)


@pytest.mark.parametrize("bad", [[], [0.0], [-1.0], [float("nan")], [float("inf")]])
def test_times_are_positive_numbers(bad):
    with pytest.raises(ValueError, match="positive numbers"):
        median(bad)


def test_a_ratio_needs_the_same_rounds():
    with pytest.raises(ValueError, match="2 rounds over 1"):
        ratio_of_medians([1.0, 2.0], [1.0])


def test_an_exponent_needs_two_sizes():
    with pytest.raises(ValueError, match="two sizes or more"):
        exponent([4.0], [[1.0]])
    with pytest.raises(ValueError, match="two sizes or more"):
        exponent([4.0, 4.0], [[1.0, 2.0]])


def test_numbers_are_whole_from_a_thousand_on():
    assert str(median([2512.3])) == "2,512 [2,512, 2,512]"
    assert str(median([0.12345])) == "0.123 [0.123, 0.123]"
