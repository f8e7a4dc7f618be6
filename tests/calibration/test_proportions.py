"""False verdicts and coverage of hit rates and their differences."""

from __future__ import annotations

import numpy as np
import pytest
from simulated_truth import coverage, false_verdicts

from lazarus_bench.judge import HitDifferences, Hits

pytestmark = pytest.mark.calibration


def beta_binomial(rng, rate, correlation, seeds, prompts):
    if correlation == 0:
        rates = np.full((seeds, 1), rate)
    else:
        scale = 1 / correlation - 1
        rates = rng.beta(rate * scale, (1 - rate) * scale, (seeds, 1))
    return (rng.random((seeds, prompts)) < rates).astype(float)


@pytest.mark.parametrize("rate", [0.02, 0.5, 0.9])
@pytest.mark.parametrize("prompts", [8, 60])
def test_one_run_errs_at_most_alpha(rate, prompts):
    assert not false_verdicts(
        lambda rng: Hits(values=rng.random((1, prompts)) < rate), rate, 0.02, replicates=1500
    )


def test_a_subtracted_chance_rate_moves_both_limits():
    assert not false_verdicts(
        lambda rng: Hits(values=rng.random((1, 40)) < 0.3, minus=0.2), 0.1, 0.05, replicates=1500
    )


@pytest.mark.parametrize("correlation", [0.0, 0.05, 0.2])
def test_five_seeds_cover(correlation):
    sample = lambda rng: Hits(values=beta_binomial(rng, 0.7, correlation, 5, 50))  # noqa: E731
    assert coverage(sample, 0.7, replicates=1200) >= 0.93


def test_pooling_seeds_would_fail():
    def pooled(rng):
        return Hits(values=beta_binomial(rng, 0.9, 0.05, 5, 100).reshape(1, -1))

    assert false_verdicts(pooled, 0.9, 0.03)


def pair(rng, first, second, shared, seeds, prompts, between=0.0):
    """Hits with given rates; a share of prompts draws both outcomes from one uniform."""
    shift = rng.uniform(-between, between, (2, seeds, 1))
    uniform = rng.random((2, seeds, prompts))
    uniform[1] = np.where(rng.random((seeds, prompts)) < shared, uniform[0], uniform[1])
    return HitDifferences(
        first=uniform[0] < first + shift[0], second=uniform[1] < second + shift[1]
    )


@pytest.mark.parametrize(("first", "second"), [(0.5, 0.5), (0.9, 0.8), (0.05, 0.02)])
@pytest.mark.parametrize("shared", [0.0, 0.8])
@pytest.mark.parametrize("prompts", [8, 25])
def test_paired_difference_of_one_run_errs_at_most_alpha(first, second, shared, prompts):
    assert not false_verdicts(
        lambda rng: pair(rng, first, second, shared, 1, prompts),
        first - second,
        0.05,
        replicates=600,
    )


@pytest.mark.parametrize(("first", "second"), [(0.5, 0.5), (0.85, 0.75)])
@pytest.mark.parametrize("between", [0.0, 0.1])
def test_paired_difference_of_seeds_errs_at_most_alpha(first, second, between):
    sample = lambda rng: pair(rng, first, second, 0.5, 5, 30, between)  # noqa: E731
    assert not false_verdicts(sample, first - second, 0.05, replicates=600)
    assert coverage(sample, first - second, replicates=500) >= 0.93


@pytest.mark.parametrize(("first", "second", "sizes"), [(0.5, 0.5, (8, 6)), (0.95, 0.6, (20, 12))])
def test_unpaired_difference_errs_at_most_alpha(first, second, sizes):
    def sample(rng):
        return HitDifferences(
            first=rng.random((1, sizes[0])) < first,
            second=rng.random((1, sizes[1])) < second,
            paired="no",
        )

    assert not false_verdicts(sample, first - second, 0.05, replicates=2000)
