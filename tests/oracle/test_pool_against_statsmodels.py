"""Pooling equals statsmodels' meta-analysis wherever statsmodels has the same quantity."""

from __future__ import annotations

import numpy as np
import pytest

from lazarus_bench.judge.pool import pool

pytest.importorskip("statsmodels")
from statsmodels.stats.meta_analysis import combine_effects

pytestmark = pytest.mark.oracle


def families(seed, k, tau):
    rng = np.random.default_rng(seed)
    errors = rng.uniform(0.5, 2.0, k)
    return 3 + rng.normal(0, 1, k) * np.hypot(errors, tau), errors


def both(seed, k, tau):
    y, errors = families(seed, k, tau)
    # A finer tolerance lets rounding end their iteration below 0, which they take for tau^2 = 0.
    theirs = combine_effects(y, errors**2, method_re="pm", use_t=True, atol=1e-8, maxiter=500)
    return pool(y.tolist(), errors.tolist()), theirs


CASES = [(seed, k, tau) for seed in range(8) for k in (2, 5, 8) for tau in (0.0, 1.0, 8.0)]


@pytest.mark.parametrize(("seed", "k", "tau"), CASES)
def test_mean_tau_q_weights_and_the_wider_of_the_scaled_and_the_plain_interval(seed, k, tau):
    mine, theirs = both(seed, k, tau)
    assert mine.value == pytest.approx(theirs.mean_effect_re, rel=1e-6)
    assert mine.tau**2 == pytest.approx(theirs.tau2, rel=1e-6, abs=1e-9)
    assert mine.q == pytest.approx(theirs.q, rel=1e-8)
    assert mine.weights == pytest.approx(theirs.weights_rel_re, rel=1e-6)
    _, plain, _, scaled = theirs.conf_int(use_t=True)
    wider = max(plain, scaled, key=np.ptp)
    assert (mine.interval.low, mine.interval.high) == pytest.approx(wider, rel=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_i2_of_equally_precise_families_is_that_of_q(seed):
    y, _ = families(seed, 6, 1.0)
    theirs = combine_effects(y, np.full(6, 0.5), method_re="pm", atol=1e-8, maxiter=500)
    mine = pool(y.tolist(), [np.sqrt(0.5)] * 6)
    assert mine.i2 == pytest.approx(max(theirs.i2, 0.0), abs=1e-6)


def test_both_kinds_of_case_are_among_them():
    taus = [both(*case)[0].tau for case in CASES]
    assert min(taus) == 0 < max(taus)
