"""Each estimator on data whose answer is known, and the traps it avoids."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lazarus_bench.judge import (
    Differences,
    HitDifferences,
    Hits,
    LayerMax,
    Means,
    Ratios,
    Trend,
    bounds,
)
from lazarus_bench.judge.bounds import dirichlet_mean_sf
from lazarus_bench.judge.effects import (
    cliffs_delta,
    cohens_h,
    hedges_correction,
    hedges_g,
    noncentral_t_cdf,
)


def test_dirichlet_tail_equals_simulation():
    rng = np.random.default_rng(0)
    atoms, weights = np.array([0.0, 0.01, 0.3, 0.35, 1.0]), np.array([3.0, 2.5, 1.0, 4.0, 1.0])
    draws = rng.dirichlet(weights, 400_000) @ atoms
    for t in (0.1, 0.2, 0.3, 0.45):
        assert dirichlet_mean_sf(t, atoms, weights) == pytest.approx(np.mean(draws > t), abs=4e-3)


@given(st.floats(0.01, 0.99), st.integers(1, 40), st.integers(1, 40))
def test_dirichlet_tail_of_two_points_is_the_beta_tail(t, a, b):
    found = dirichlet_mean_sf(t, np.array([0.0, 1.0]), np.array([float(b), float(a)]))
    assert found == pytest.approx(float(stats.beta.sf(t, a, b)), abs=1e-7)


def test_one_run_of_hits_as_means_has_the_same_limits():
    values = [[1.0] * 6 + [0.0] * 2]
    low, high = Hits(values=values).limits(0.95)
    wide_low, wide_high = Means(values=values).limits(0.95)
    assert wide_low <= low + 1e-9
    assert wide_high >= high - 1e-9


@pytest.mark.parametrize("skewed", [False, True])
def test_limits_of_many_distinct_values_are_those_of_all_to_six_digits(skewed, monkeypatch):
    rng = np.random.default_rng(1)
    evidence = Means(values=[rng.beta(0.1, 3, 6000) if skewed else rng.random(6000)])
    merged = np.array(evidence.limits(0.9)) - evidence.point
    monkeypatch.setattr(bounds, "_MOST_ATOMS", 10**9)
    assert merged == pytest.approx(np.array(evidence.limits(0.9)) - evidence.point, rel=1e-6)


def test_as_many_clusters_as_a_benchmark_has_fit_into_memory():
    hits = np.random.default_rng(0).integers(0, 2, (2, 60_000))
    keys = [str(n // 2) for n in range(60_000)]
    assert Hits(values=hits, clusters=keys).point == pytest.approx(hits.mean())


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_hits_that_all_agree_leave_room_for_doubt(value):
    for seeds in (1, 5):
        low, high = Hits(values=np.full((seeds, 8), value)).limits(0.9)
        assert high - low > 0.02
        assert value in (low, high)


def test_few_agreeing_seeds_are_not_as_good_as_that_many_prompts():
    pooled = Hits(values=np.ones((1, 1000))).limits(0.9)[0]
    seeds = Hits(values=np.ones((5, 200))).limits(0.9)[0]
    assert seeds < pooled
    assert 0.95 < seeds < 0.99


def test_hit_differences_without_spread_are_not_certain():
    same = np.ones((5, 20))
    low, high = HitDifferences(first=same, second=same).limits(0.9)
    assert low < -0.01 < 0.01 < high
    assert low == pytest.approx(-high)


def test_seed_means_without_spread_support_no_interval():
    for sample in (
        Means(values=[[0.1, 0.3]] * 5),
        Means(values=[[0.1 + 0.2, 0.3]] * 3 + [[0.3, 0.3]] * 2),
        Differences(first=[[0.5]] * 3, second=[[0.4]] * 3, paired="seeds"),
        Ratios(numerator=[2, 2], denominator=[1, 1]),
        LayerMax(values=[[[0.1, 0.2], [0.2, 0.1]]] * 3),
    ):
        low, high = sample.limits(0.9)
        assert low <= 0
        assert high == math.inf
        assert "seeds agree exactly" in sample.caveat


def test_a_single_unbounded_value_supports_no_interval():
    sample = Means(values=[[3.5]])
    assert sample.limits(0.9) == (-math.inf, math.inf)
    assert "one run shows no spread" in sample.caveat


def test_clusters_count_once_and_widen():
    values = np.repeat(np.random.default_rng(2).random(6), 10)[None, :]
    free, held = Means(values=values), Means(values=values, clusters=np.repeat(range(6), 10))
    assert held.limits(0.9)[0] < free.limits(0.9)[0]
    assert held.unit == "clusters"
    assert held.point == pytest.approx(free.point)


def test_one_run_broadcasts_against_every_seed():
    base, tuned = [[0.1, 0.2, 0.3]], [[0.5, 0.6, 0.7], [0.6, 0.6, 0.8]]
    sample = Differences(first=tuned, second=base, paired="prompts")
    assert sample.shape == (2, 3)
    assert sample.point == pytest.approx(np.mean(tuned) - 0.2)


def test_the_largest_layer_is_the_estimate_and_selection_lowers_the_limit():
    rng = np.random.default_rng(5)
    values = rng.normal(3, 1, (1, 20, 16))
    best = values[0].mean(axis=0).argmax()
    sample = LayerMax(values=values)
    assert sample.point == pytest.approx(values[0, :, best].mean())
    assert sample.limits(0.9)[0] < Means(values=values[:, :, best]).limits(0.9)[0]
    assert sample.limits(0.9)[1] >= Means(values=values[:, :, best]).limits(0.9)[1]


def test_one_layer_needs_no_selection():
    values = np.random.default_rng(5).normal(3, 1, (1, 30, 1))
    low, high = LayerMax(values=values).limits(0.9)
    plain = Means(values=values[:, :, 0]).limits(0.9)
    assert (low, high) == pytest.approx(plain, abs=0.05)


def test_the_trends_limits_are_those_of_t_over_rank_correlations():
    rng = np.random.default_rng(4)
    values = rng.random((6, 5)) + np.arange(5) * 0.2
    each = [stats.spearmanr(row, range(5)).statistic for row in values]
    expected = stats.ttest_1samp(each, 0).confidence_interval(0.9)
    assert Trend(values=values).limits(0.9) == pytest.approx((expected.low, expected.high))


def test_trends_that_all_agree_leave_room_for_seeds_that_would_not():
    few, many = (Trend(values=[[1, 2, 3]] * n).limits(0.9) for n in (5, 50))
    assert few[0] == pytest.approx(2 * 0.05 ** (1 / 5) - 1)
    assert many[0] > 0.88


def test_the_trend_is_the_mean_rank_correlation():
    values = np.random.default_rng(1).random((5, 6))
    expected = np.mean([stats.spearmanr(row, range(6)).statistic for row in values])
    assert Trend(values=values).point == pytest.approx(expected)
    assert Trend(values=[[1.0, 1.0, 1.0]] * 2).point == pytest.approx(0)


def test_the_trend_of_many_checkpoints_uses_the_normal_limit():
    rising = Trend(values=np.arange(20)[None, :] + np.random.default_rng(0).normal(0, 1, (5, 20)))
    low, high = rising.limits(0.9)
    assert 0.7 < low < high <= 1


def test_checkpoints_of_one_run_prove_no_trend():
    assert Trend(values=[list(range(8))]).limits(0.9) == (-np.inf, np.inf)


def test_ratios_are_geometric():
    sample = Ratios(numerator=[1, 4, 2], denominator=[2, 2, 2])
    assert sample.point == pytest.approx(1.0)
    low, high = sample.limits(0.9)
    assert low * high == pytest.approx(1.0)
    assert Ratios(numerator=[1], denominator=[2]).limits(0.9) == (0, math.inf)


def test_ratios_of_repeats_speak_of_the_machine_and_not_of_seeds():
    repeats = Ratios(numerator=[1, 4, 2], denominator=[2, 2, 2], over="repeats")
    assert repeats.limits(0.9) == Ratios(numerator=[1, 4, 2], denominator=[2, 2, 2]).limits(0.9)
    assert (repeats.scope, repeats.unit) == ("repeats", "repeats")
    assert Ratios(numerator=[1], denominator=[2], over="repeats").scope == "run"
    with pytest.raises(ValueError, match="'days'; use seeds or repeats"):
        Ratios(numerator=[1], denominator=[2], over="days")


def test_hedges_correction_is_the_known_table():
    # Hedges (1981), exact values rounded to four digits.
    assert hedges_correction(4) == pytest.approx(0.7979, abs=5e-5)
    assert hedges_correction(10) == pytest.approx(0.9227, abs=5e-5)


def test_hedges_g_inverts_the_noncentral_t():
    effect = hedges_g(1.0, 0.8, math.sqrt(1 / 6), 5, 0.9)
    scale = hedges_correction(5) * math.sqrt(1 / 6)
    t = 1.0 / 0.8 * math.sqrt(6)
    assert effect.value == pytest.approx(t * scale)
    assert noncentral_t_cdf(t, 5, effect.low / scale) == pytest.approx(0.95, abs=1e-6)
    assert noncentral_t_cdf(t, 5, effect.high / scale) == pytest.approx(0.05, abs=1e-6)


def test_hedges_g_of_a_huge_effect_still_has_an_interval():
    effect = hedges_g(1.0, 0.005, math.sqrt(1 / 5), 4, 0.9857)
    assert 0 < effect.low < effect.value < effect.high < math.inf


def test_hedges_g_covers():
    rng = np.random.default_rng(3)
    truth, hits = 0.8, 0
    for _ in range(1500):
        x = rng.normal(truth, 1, 6)
        effect = hedges_g(x.mean(), x.std(ddof=1), math.sqrt(1 / 6), 5, 0.9)
        # The interval is for the corrected effect: its limits carry the same factor J.
        hits += effect.low <= truth * hedges_correction(5) <= effect.high
    assert hits / 1500 == pytest.approx(0.9, abs=0.025)


def test_cohens_h_spans_pi():
    assert cohens_h(1.0, 0.0) == pytest.approx(math.pi)
    assert cohens_h(0.3, 0.3) == 0
    effect = Hits(values=[[1] * 8]).effect(0.9, 0.9)
    assert effect.name == "Cohen h"
    assert effect.low < 0 < effect.value


def test_cliffs_delta_counts_dominance():
    first, second = np.array([3.0, 4.0, 5.0]), np.array([1.0, 2.0, 4.0])
    assert cliffs_delta(first, second, 0.9).value == pytest.approx((7 - 1) / 9)
    full = cliffs_delta(np.arange(10.0) + 20, np.arange(10.0), 0.9)
    assert (full.value, full.high) == (1, 1)
    assert 0 < full.low < 1


def test_probabilities_near_zero_are_compared_as_log_odds():
    rng = np.random.default_rng(4)
    low = rng.uniform(1e-6, 1e-5, (5, 4))
    high = low * 50
    effect = Differences(first=high, second=low, paired="seeds").effect(0.9)
    assert effect.name == "odds ratio"
    assert effect.value == pytest.approx(50, rel=0.01)
    middle = Differences(first=0.5 + 1e4 * low, second=0.4 + low, paired="seeds").effect(0.9)
    assert middle.name == "Hedges g"


def test_effects_suit_the_estimand():
    first, second = np.random.default_rng(6).random((2, 5, 6))
    assert Differences(first=first, second=second, paired="no").effect(0.9).name == "Hedges g"
    one = Differences(first=first[:1], second=second[:1], paired="no")
    assert one.effect(0.9).name == "Cliff δ"
    hits, misses = [[1, 1, 0, 1]], [[0, 1, 0, 0]]
    assert HitDifferences(first=hits, second=misses).effect(0.9).name == "odds ratio"
    assert HitDifferences(first=hits, second=hits).effect(0.9) is None
    several = HitDifferences(first=hits * 3, second=misses * 3)
    assert several.effect(0.9).name == "Cohen h"
    assert Trend(values=first).effect(0.9).name == "rank correlation"
