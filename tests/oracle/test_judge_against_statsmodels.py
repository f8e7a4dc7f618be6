"""The judge equals statsmodels wherever statsmodels has the same test."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from lazarus_bench.judge import (
    Above,
    Differences,
    HitDifferences,
    Hits,
    Means,
    Outcome,
    Within,
    decide,
)
from lazarus_bench.judge.bounds import bounded_mean_high, bounded_mean_low
from lazarus_bench.judge.effects import hedges_correction, noncentrality_limits
from lazarus_bench.judge.power import detectable_shift

pytest.importorskip("statsmodels")
from statsmodels.stats import contingency_tables, effect_size, power, proportion, weightstats
from statsmodels.stats.meta_analysis import effectsize_smd

pytestmark = pytest.mark.oracle

CLOSE = 1e-6


def samples(seed, shift=0.0, n=6):
    return np.random.default_rng(seed).normal(shift, 1, (n, 1))


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99375])
@pytest.mark.parametrize(("hits", "n"), [(0, 8), (8, 8), (5, 8), (1, 200), (199, 200), (77, 150)])
def test_one_run_of_hits_equals_clopper_pearson(hits, n, level):
    low, high = Hits(values=[[1] * hits + [0] * (n - hits)]).limits(level)
    expected = proportion.proportion_confint(hits, n, alpha=1 - level, method="beta")
    assert (low, high) == pytest.approx(
        np.nan_to_num(expected, nan=0.0 if hits == 0 else 1.0), abs=CLOSE
    )


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99375])
@pytest.mark.parametrize(("hits", "n"), [(5, 8), (1, 200), (199, 200), (2, 3), (700, 1500)])
def test_bounded_mean_of_hits_equals_clopper_pearson(hits, n, level):
    atoms, counts = np.array([0.0, 1.0]), np.array([n - hits, hits], dtype=float)
    expected = proportion.proportion_confint(hits, n, alpha=1 - level, method="beta")
    low = bounded_mean_low(atoms, counts, 0.0, level)
    high = bounded_mean_high(atoms, counts, 1.0, level)
    assert (low, high) == pytest.approx(expected, abs=CLOSE)


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_means_and_differences_equal_the_t_intervals(level):
    """Of one sample, of pairs, and Welch's."""
    first, second, more = samples(1, 1.0), samples(2), 3 * samples(2, n=9)

    def alone(values):
        return weightstats.DescrStatsW(values[:, 0]).tconfint_mean(alpha=1 - level)

    welch = weightstats.CompareMeans.from_data(first[:, 0], more[:, 0])
    unequal = welch.tconfint_diff(alpha=1 - level, usevar="unequal")
    for evidence, limits in (
        (Means(values=first), alone(first)),
        (Differences(first=first, second=second, paired="seeds"), alone(first - second)),
        (Differences(first=first, second=more, paired="no"), unequal),
    ):
        assert evidence.limits(level) == pytest.approx(limits, abs=CLOSE)


@pytest.mark.parametrize("margin", [0.4, 0.5, 0.8, 1.0, 1.2, 1.6, 2.5])
def test_within_equals_the_equivalence_tests(margin):
    """Two one-sided t-tests (TOST) of one sample, of pairs, and of independent samples."""
    values, zeros, first, second = samples(3, 0.1), np.zeros((6, 1)), samples(4), samples(5, n=8)
    one, paired, independent = (
        weightstats.DescrStatsW(values[:, 0]).ttost_mean(-margin, margin)[0],
        weightstats.ttost_paired(values[:, 0], zeros[:, 0], -margin, margin)[0],
        weightstats.ttost_ind(first[:, 0], second[:, 0], -margin, margin, usevar="unequal")[0],
    )
    for evidence, p in (
        (Means(values=values), one),
        (Differences(first=values, second=zeros, paired="seeds"), paired),
        (Differences(first=first, second=second, paired="no"), independent),
    ):
        verdict = decide(evidence, Within(-margin, margin), family_size=1)
        assert (verdict.outcome is Outcome.SUPPORTED) == (p <= 0.05)


@pytest.mark.parametrize("shift", [0.0, 0.5, 0.9, 1.3, 2.0])
def test_above_equals_the_one_sided_t_test(shift):
    values = samples(6, shift)
    _, p, _ = weightstats.ttest_ind(values[:, 0], samples(7)[:, 0], "larger", usevar="unequal")
    evidence = Differences(first=values, second=samples(7), paired="no")
    verdict = decide(evidence, Above(0.0), family_size=1)
    assert (verdict.outcome is Outcome.SUPPORTED) == (p < 0.05)


@pytest.mark.parametrize("family_size", [1, 7])
@pytest.mark.parametrize("n", [3, 5, 20])
def test_detectable_shift_equals_the_power_of_the_t_test(n, family_size):
    alpha = 0.05 / family_size
    shift = detectable_shift(1 / math.sqrt(n), n - 1, 1 - 2 * alpha)
    reached = power.TTestPower().power(shift, n, alpha, alternative="larger")
    assert reached == pytest.approx(0.8, abs=CLOSE)


@pytest.mark.parametrize(("gains", "losses"), [(0, 3), (1, 7), (6, 6), (9, 1), (12, 2)])
@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_the_odds_ratio_excludes_one_exactly_when_mcnemar_rejects(gains, losses, alpha):
    first = [[1] * gains + [0] * losses + [1] * 4]
    second = [[0] * gains + [1] * losses + [1] * 4]
    effect = HitDifferences(first=first, second=second).effect(1 - alpha)
    p = contingency_tables.mcnemar([[4, gains], [losses, 0]], exact=True).pvalue
    assert (effect.low > 1 or effect.high < 1) == (p <= alpha)


@pytest.mark.parametrize("t", [-2.5, 0.0, 0.7, 3.1, 12.0])
@pytest.mark.parametrize("df", [3, 4, 9, 40])
def test_noncentral_t_interval_equals_statsmodels(t, df):
    found = noncentrality_limits(t, df, 0.95)
    expected = effect_size._noncentrality_t(t, df, alpha=0.05).confint
    # statsmodels stops its root search at a relative 1e-5.
    assert found == pytest.approx(tuple(expected), rel=1e-5, abs=CLOSE)


@pytest.mark.parametrize("df", [5, 8, 30])
def test_hedges_correction_is_exact_where_statsmodels_approximates(df):
    a = samples(8, 1.0, df // 2 + 1)[:, 0]
    b = samples(9, 0.0, df - df // 2 + 1)[:, 0]
    moments = ((x.mean(), x.std(ddof=1), len(x)) for x in (a, b))
    approximate = effectsize_smd(*itertools.chain(*moments))[0]
    pooled = math.sqrt((a.var(ddof=1) * (len(a) - 1) + b.var(ddof=1) * (len(b) - 1)) / df)
    exact = hedges_correction(df) * (a.mean() - b.mean()) / pooled
    assert exact == pytest.approx(approximate, rel=2e-3)


def test_unpaired_hits_are_wider_than_newcombe_and_close_to_it():
    first, second = [1] * 27 + [0] * 3, [1] * 12 + [0] * 18
    low, high = HitDifferences(first=[first], second=[second], paired="no").limits(0.95)
    newcombe = proportion.confint_proportions_2indep(
        27, 30, 12, 30, method="newcomb", compare="diff", alpha=0.05
    )
    assert low < newcombe[0] < newcombe[1] < high
    assert (low, high) == pytest.approx(newcombe, abs=0.05)


def test_recovered_limits_equal_newcombe_when_fed_wilson():
    from lazarus_bench.judge.sampling import Recovered, Sampling

    class Wilson(Sampling):
        def __init__(self, hits, n):
            self.hits, self.n = hits, n

        size = property(lambda self: self.n)

        def limits(self, level):
            return proportion.proportion_confint(self.hits, self.n, 1 - level, "wilson")

        def resized(self, size):
            raise NotImplementedError

        def standard_error(self):
            raise NotImplementedError

    model = Recovered(first=Wilson(27, 30), second=Wilson(12, 30), means=(0.9, 0.4))
    newcombe = proportion.confint_proportions_2indep(
        27, 30, 12, 30, method="newcomb", compare="diff", alpha=0.05
    )
    assert model.limits(0.95) == pytest.approx(newcombe, abs=CLOSE)
