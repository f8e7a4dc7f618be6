"""False verdicts and coverage of differences and ratios of continuous values."""

from __future__ import annotations

import numpy as np
import pytest
from simulated_truth import coverage, false_verdicts

from lazarus_bench.judge import Differences, Ratios

pytestmark = pytest.mark.calibration


def seeds(rng, paired, count=(5, 5), spread=(1.0, 1.0), truth=1.0):
    shared = rng.normal(0, 2, (count[0], 1)) if paired == "seeds" else 0.0
    first = (
        truth + shared + rng.normal(0, spread[0], (count[0], 1)) + rng.normal(0, 1, (count[0], 10))
    )
    second = shared + rng.normal(0, spread[1], (count[1], 1)) + rng.normal(0, 1, (count[1], 10))
    return Differences(first=first, second=second, paired=paired)


@pytest.mark.parametrize("paired", ["prompts", "seeds", "no"])
@pytest.mark.parametrize("family_size", [1, 7])
def test_seeds_err_at_most_alpha(paired, family_size):
    assert not false_verdicts(lambda rng: seeds(rng, paired), 1.0, 0.5, family_size=family_size)


@pytest.mark.parametrize("paired", ["seeds", "no"])
def test_five_seeds_cover(paired):
    assert coverage(lambda rng: seeds(rng, paired), 1.0) >= 0.93


def test_unequal_spreads_and_counts_err_at_most_alpha():
    assert not false_verdicts(lambda rng: seeds(rng, "no", (5, 8), (3.0, 0.5)), 1.0, 0.5)


@pytest.mark.parametrize("paired", ["prompts", "no"])
@pytest.mark.parametrize(
    ("a", "b"), [((2, 2), (2, 2)), ((0.2, 1.8), (0.05, 1.95)), ((6, 1), (1, 6))]
)
def test_one_run_of_probabilities_errs_at_most_alpha(paired, a, b):
    truth = a[0] / sum(a) - b[0] / sum(b)

    def sample(rng):
        return Differences(first=rng.beta(*a, (1, 8)), second=rng.beta(*b, (1, 8)), paired=paired)

    assert not false_verdicts(sample, truth, 0.1, replicates=400)


def test_pairing_decides_what_independent_samples_cannot():
    rng = np.random.default_rng(3)
    shared = rng.normal(0, 5, (5, 1))
    first, second = shared + 1 + rng.normal(0, 0.1, (5, 4)), shared + rng.normal(0, 0.1, (5, 4))
    low_paired, _ = Differences(first=first, second=second, paired="seeds").limits(0.95)
    low_free, _ = Differences(first=first, second=second, paired="no").limits(0.95)
    assert low_paired > 0 > low_free


def test_ratios_err_at_most_alpha_and_cover():
    def sample(rng):
        log = rng.normal(np.log(0.5), 0.4, 5)
        scale = rng.uniform(1, 9, 5)
        return Ratios(numerator=np.exp(log) * scale, denominator=scale)

    assert not false_verdicts(sample, 0.5, 0.1)
    assert coverage(sample, 0.5) >= 0.93
