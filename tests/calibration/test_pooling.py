"""Coverage of pooled estimates, and how often families that agree are said to differ."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import stats
from simulated_truth import allowed

from lazarus_bench.judge import Estimate, Hits, Interval, Means
from lazarus_bench.judge.pool import Pooled, pool, standard_error

pytestmark = pytest.mark.calibration

REPLICATES = 600


def covered(interval, truth):
    return interval.low <= truth <= interval.high


def known_errors(rng, k, tau):
    errors = rng.uniform(0.5, 2.0, k)
    return rng.normal(0, np.hypot(errors, tau)), errors


def five_seeds(rng, k, tau):
    """What the report pools: five seeds a family, their spread of family to family's own size."""
    truths, spread = rng.normal(0, tau, k), rng.uniform(0.5, 2.0, k)
    estimates = [
        Means(values=rng.normal(truth, sd, (5, 1))).estimate(0.95)
        for truth, sd in zip(truths, spread, strict=True)
    ]
    return [e.value for e in estimates], [standard_error(e) for e in estimates]


@cache
def pools(sample, k, tau) -> list[Pooled]:
    rng = np.random.default_rng(11)
    return [pool(*sample(rng, k, tau)) for _ in range(REPLICATES)]


@pytest.mark.parametrize("sample", [known_errors, five_seeds])
@pytest.mark.parametrize(("k", "tau"), [(5, 1.0), (5, 4.0), (8, 0.0), (8, 1.0), (8, 4.0)])
def test_the_interval_covers(sample, k, tau):
    missed = np.mean([not covered(found.interval, 0.0) for found in pools(sample, k, tau)])
    assert missed <= allowed(0.06, REPLICATES)


@pytest.mark.parametrize("k", [5, 8])
def test_the_interval_is_not_wider_than_heterogeneity_makes_it(k):
    missed = np.mean([not covered(found.interval, 0.0) for found in pools(known_errors, k, 4.0)])
    assert missed >= 0.02


@pytest.mark.parametrize("k", [5, 8])
def test_the_interval_of_i2_covers(k):
    missed = []
    rng = np.random.default_rng(3)
    for _ in range(REPLICATES):
        y = rng.normal(0, np.hypot(1.0, 2.0), k)
        missed.append(not covered(pool(y.tolist(), [1.0] * k).i2_interval, 0.8))
    assert np.mean(missed) <= allowed(0.05, REPLICATES)


@pytest.mark.parametrize("k", [5, 8])
def test_another_family_lies_where_it_is_predicted(k):
    rng = np.random.default_rng(5)
    missed = [not covered(p.prediction, rng.normal(0, 4.0)) for p in pools(known_errors, k, 4.0)]
    assert np.mean(missed) <= allowed(0.06, REPLICATES)


@pytest.mark.parametrize("k", [5, 8])
def test_five_seeds_of_families_that_agree_are_seldom_called_heterogeneous(k):
    edge = stats.chi2.isf(0.05, k - 1)
    called = np.mean([found.q > edge for found in pools(five_seeds, k, 0.0)])
    assert called <= allowed(0.06, REPLICATES)


def test_the_bare_standard_error_of_five_seeds_would_call_them_so():
    rng = np.random.default_rng(11)
    called = []
    for _ in range(REPLICATES):
        y = rng.normal(0, 1, (8, 5))
        found = pool(y.mean(axis=1).tolist(), (y.std(axis=1, ddof=1) / np.sqrt(5)).tolist())
        called.append(found.q > stats.chi2.isf(0.05, 7))
    assert np.mean(called) > 0.2


@pytest.mark.parametrize("rate", [0.5, 0.9, 1.0])
def test_rates_that_agree_are_seldom_called_heterogeneous(rate):
    rng = np.random.default_rng(13)
    called, missed = [], []
    for _ in range(200):
        estimates = [
            Hits(values=[rng.binomial(1, rate, 200).tolist()]).estimate(0.95) for _ in range(6)
        ]
        found = pool([e.value for e in estimates], [standard_error(e) for e in estimates])
        called.append(found.q > stats.chi2.isf(0.05, 5))
        missed.append(not covered(found.interval, rate))
    assert np.mean(called) <= allowed(0.05, 200)
    assert np.mean(missed) <= allowed(0.06, 200)


@pytest.mark.parametrize("shape", [(4, 6), (8, 2), (0.5, 0.5)])
def test_one_run_of_eight_units_is_pooled_at_its_nominal_levels(shape):
    rng, truth = np.random.default_rng(17), shape[0] / sum(shape)
    called, missed = [], []
    for _ in range(REPLICATES):
        y = rng.beta(*shape, (6, 8))
        errors = [discounted(Means(values=[run])) for run in y]
        found = pool(y.mean(axis=1).tolist(), errors)
        called.append(found.q > stats.chi2.isf(0.05, 5))
        missed.append(not covered(found.interval, truth))
    assert 0.02 <= np.mean(called) <= allowed(0.07, REPLICATES)
    assert np.mean(missed) <= allowed(0.06, REPLICATES)


def discounted(evidence):
    """Without the limits that an estimate also has, which take a hundred times as long."""
    error, df = evidence.sampling().sampling_error()
    return standard_error(
        Estimate(
            value=evidence.point,
            interval=Interval(low=0, high=1, level=0.95),
            interval95=Interval(low=0, high=1, level=0.95),
            method=evidence.method,
            scope="run",
            seeds=1,
            prompts=8,
            error=error,
            df=df,
        )
    )
