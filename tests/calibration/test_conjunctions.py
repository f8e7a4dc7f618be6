"""False verdicts of several conditions at once, and of an entropy read off the largest share."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from simulated_truth import ALPHA, allowed, limits, rates

from lazarus_bench.judge import AllOf, AtLeast, AtMost, ClassEntropy, Condition, Means, family_level

pytestmark = pytest.mark.calibration

REPLICATES = 2000


def all_of(rng, truths, seeds=5):
    return AllOf(
        conditions=[
            Condition(
                name=str(truth),
                evidence=Means(values=rng.normal(truth, 1, (seeds, 1))),
                region=AtLeast(0.0),
            )
            for truth in truths
        ]
    )


def found(truths, family_size=1):
    level = family_level(family_size)
    sample = limits(lambda rng: all_of(rng, truths), level=level, replicates=REPLICATES)
    return rates(AtLeast(0.0), sample)


@pytest.mark.parametrize("others", [(3.0,), (-1e-9,), (0.5, 3.0)])
def test_one_condition_that_fails_is_seldom_overlooked(others):
    assert found((-1e-9, *others)).supported <= allowed(ALPHA, REPLICATES)


@pytest.mark.parametrize("truths", [(0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 3.0)])
def test_conditions_that_all_hold_are_seldom_refuted(truths):
    assert found(truths).refuted <= allowed(ALPHA, REPLICATES)


def test_without_a_stricter_level_three_conditions_would_be_refuted_too_often():
    sample = limits(
        lambda rng: Means(values=rng.normal(0, 1, (5, 1))), level=0.9, replicates=3 * REPLICATES
    )
    naive = (sample[:, 1].reshape(-1, 3) < 0).any(axis=1).mean()
    assert naive > allowed(ALPHA, REPLICATES)


def test_real_conjunctions_are_found():
    assert found((3.0, 4.0)).supported > 0.9
    assert found((-3.0, 4.0)).refuted > 0.9


@pytest.mark.parametrize("between", [0.0, 0.07])
def test_an_entropy_on_the_edge_is_decided_wrongly_at_most_alpha(between):
    shares = np.array([0.9, 0.1 / 3, 0.1 / 3, 0.1 / 3])

    def sample(rng):
        moved = [drawn(rng) for _ in range(5)]
        return ClassEntropy(predictions=[rng.choice(4, 200, p=p) for p in moved], classes=4)

    def drawn(rng):
        share = np.clip(shares[0] + rng.normal(0, between), 0.3, 0.999)
        return [share, *[(1 - share) / 3] * 3]

    rng = np.random.default_rng(1)
    entropies = [stats.entropy(drawn(rng)) / np.log(4) for _ in range(20_000)]
    truth = float(np.mean(entropies))
    intervals = limits(sample, level=0.9, replicates=400)
    bound = allowed(ALPHA, 400)
    assert rates(AtMost(truth - 1e-6), intervals).supported <= bound
    assert rates(AtMost(truth), intervals).refuted <= bound
