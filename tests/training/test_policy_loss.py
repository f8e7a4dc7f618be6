"""GRPO's formulas: equal to NumPy's, and what must hold whatever the numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lazarus_bench.backend import mx
from lazarus_bench.training.policy_loss import (
    EPSILON,
    advantages,
    batch_entropy,
    clipped_gain,
    clipped_share,
    k3,
)

LOG_PROBS = arrays(np.float32, 7, elements=st.floats(-20, 0, width=32))
REWARDS = arrays(np.float64, (3, 5), elements=st.floats(-10, 10, width=32))


@settings(max_examples=50)
@given(rewards=REWARDS)
def test_advantages_are_centred_and_at_most_unit_in_spread(rewards):
    found = advantages(rewards)
    np.testing.assert_allclose(found.sum(axis=1), 0, atol=1e-6)
    spread = rewards.std(axis=1)
    agreed = np.ptp(rewards, axis=1) == 0
    expected = np.where(agreed, 0, spread / (spread + EPSILON))
    np.testing.assert_allclose(found.std(axis=1), expected, atol=1e-6)


@given(value=st.floats(-1e6, 1e6), size=st.integers(2, 9))
def test_a_group_that_agrees_has_no_advantage(value, size):
    assert (advantages(np.full((1, size), value)) == 0).all()


def test_advantages_by_hand():
    found = advantages(np.array([[1.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 0.0]]))
    root = np.sqrt(3) / 4 + EPSILON
    np.testing.assert_allclose(found[0], np.array([1, -1, -1, 1]) * 0.5 / (0.5 + EPSILON))
    np.testing.assert_allclose(found[1], np.array([0.75, -0.25, -0.25, -0.25]) / root)


@settings(max_examples=100)
@given(log_p=LOG_PROBS, reference=LOG_PROBS)
def test_k3_is_never_negative_and_equals_numpys(log_p, reference):
    found = np.array(k3(mx.array(log_p), mx.array(reference)))
    d = reference.astype(np.float64) - log_p
    assert (found >= 0).all()
    np.testing.assert_allclose(found, np.expm1(d) - d, rtol=1e-4, atol=1e-5)


def test_k3_is_zero_with_no_slope_at_the_reference():
    at = mx.array([-0.1, -3.0])
    assert np.array(k3(at, at)).tolist() == [0, 0]
    slope = mx.grad(lambda x: k3(x, at).sum())(at)
    assert np.array(slope).tolist() == [0, 0]


def test_the_mean_of_k3_over_samples_is_the_divergence():
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(6)), rng.dirichlet(np.ones(6))
    estimates = np.array(k3(mx.array(np.log(p)), mx.array(np.log(q))))
    assert (p * estimates).sum() == pytest.approx((p * np.log(p / q)).sum(), rel=1e-4)


@settings(max_examples=50)
@given(log_p=LOG_PROBS, moved=arrays(np.float32, 7, elements=st.floats(-1, 1, width=32)))
def test_the_clipped_gain_and_its_slope_equal_numpys(log_p, moved):
    advantage = np.linspace(-2, 2, 7, dtype=np.float32)
    old = log_p - moved
    ratio = np.exp(log_p.astype(np.float64) - old)
    unclipped, clipped = ratio * advantage, np.clip(ratio, 0.8, 1.2) * advantage
    away = np.abs(np.abs(ratio - 1) - 0.2) > 1e-4  # at the kink there is no one slope
    slope = np.where(unclipped <= clipped, unclipped, 0)
    gain = lambda x: clipped_gain(x, mx.array(old), mx.array(advantage), 0.2)  # noqa: E731
    np.testing.assert_allclose(
        np.array(gain(mx.array(log_p))), np.minimum(unclipped, clipped), rtol=1e-5, atol=1e-5
    )
    found = np.array(mx.grad(lambda x: gain(x).sum())(mx.array(log_p)))
    np.testing.assert_allclose(found[away], slope[away], rtol=1e-5, atol=1e-5)


def test_batch_entropy_is_of_the_mean_distribution():
    logits = np.array([[9.0, 0.0, 0.0], [0.0, 9.0, 0.0]])
    mean = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).mean(axis=0)
    found = float(np.array(batch_entropy(mx.array(logits))))
    assert found == pytest.approx(-(mean * np.log(mean)).sum(), rel=1e-5)
    assert found > float(np.array(batch_entropy(mx.array(logits[:1])))) + 0.6


@settings(max_examples=50)
@given(
    log_p=LOG_PROBS,
    old=LOG_PROBS,
    advantage=arrays(np.float32, 7, elements=st.sampled_from([-1.5, 0.0, 0.5, 2.0])),
)
def test_the_clipped_share_is_of_the_gains_without_a_slope(log_p, old, advantage):
    weight = mx.array(np.arange(1, 8, dtype=np.float32))
    parts = [mx.array(x) for x in (log_p, old, advantage)]
    slope = mx.grad(lambda x: clipped_gain(x, parts[1], parts[2], 0.2).sum())(parts[0])
    flat = (np.array(slope) == 0) & (advantage != 0)
    ratio = np.exp(log_p.astype(np.float64) - old)
    flat &= ratio > 1e-30  # a slope that has underflowed is none of the clip's
    flat |= (advantage < 0) & (ratio <= 1e-30)
    counted = np.arange(1, 8) * (advantage != 0)
    expected = (counted * flat).sum() / max(counted.sum(), 1e-12)
    found = float(np.array(clipped_share(*parts, weight, 0.2)))
    edge = np.abs(np.abs(ratio - 1) - 0.2).min() < 1e-5
    assert edge or found == pytest.approx(expected, abs=1e-6)
