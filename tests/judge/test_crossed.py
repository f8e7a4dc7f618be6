"""Seeds crossed with prompts: the two-way variance against independent computations."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats
from statsmodels.stats.sandwich_covariance import cov_cluster_2groups

from lazarus_bench.judge import (
    SHARE,
    Differences,
    HitDifferences,
    Hits,
    Means,
    from_json,
    to_json,
)
from lazarus_bench.judge.crossed import Crossed, cluster_cells


def crossed(seeds=6, prompts=30, seed=0, between=1.0, shared=1.0):
    rng = np.random.default_rng(seed)
    seed_effects = rng.normal(0, between, (seeds, 1))
    return seed_effects + rng.normal(0, shared, (1, prompts)) + rng.normal(size=(seeds, prompts))


def test_the_variance_is_the_two_way_clustered_one_of_statsmodels():
    """To the factors n/(n - 1): the sandwich has sums of squares where ours has mean squares."""
    cells = crossed()
    n, prompts = cells.shape
    rows, columns = np.divmod(np.arange(cells.size), prompts)
    fit = sm.OLS(cells.ravel(), np.ones(cells.size)).fit()
    found = cov_cluster_2groups(fit, rows, columns, use_correction=False)
    both, by_seed, by_prompt = (float(covariance[0, 0]) for covariance in found)
    white = by_seed + by_prompt - both
    rest = white - by_seed / prompts - by_prompt / n
    expected = by_seed * n / (n - 1) + by_prompt * prompts / (prompts - 1)
    expected -= rest * cells.size / (n - 1) / (prompts - 1)
    assert Crossed.of(cells).working_error()[0] ** 2 == pytest.approx(expected, rel=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 8), st.integers(0, 1000))
def test_one_value_a_seed_is_students_t(seeds, seed):
    values = np.random.default_rng(seed).normal(size=(seeds, 1))
    expected = stats.ttest_1samp(values[:, 0], 0).confidence_interval(0.9)
    assert Means(values=values).limits(0.9) == pytest.approx((expected.low, expected.high))


def test_prompts_that_differ_widen_the_interval_and_a_paired_difference_removes_them():
    hard = crossed(shared=5.0)
    easy = hard - hard.mean(axis=0) + hard.mean()
    assert np.ptp(Means(values=hard).limits(0.9)) > 2 * np.ptp(Means(values=easy).limits(0.9))
    after = hard + 0.1 * np.random.default_rng(1).normal(size=hard.shape)
    paired = Differences(first=after, second=hard, paired="prompts").limits(0.9)
    assert np.ptp(paired) < 0.1 * np.ptp(Means(values=hard).limits(0.9))


def test_a_census_of_the_prompts_leaves_the_seeds_error_alone():
    cells = crossed(shared=5.0)
    some, all_there_are = (
        Means(values=cells, population=size).sampling().working_error()[0] for size in (60, 30)
    )
    seeds_alone = Crossed.of(cells.mean(axis=1, keepdims=True)).working_error()[0]
    assert all_there_are == pytest.approx(seeds_alone)
    assert seeds_alone < some < Means(values=cells).sampling().working_error()[0]
    with pytest.raises(ValueError, match="population is 29, below the 30 sampled"):
        Means(values=cells, population=29).limits(0.9)


def test_clusters_count_once_and_their_members_do_not():
    cells = crossed(4, 6)
    keys = ["a", "a", "a", "a", "b", "c"]
    merged = cluster_cells(cells, keys)
    assert merged[:, 0] == pytest.approx(cells[:, :4].mean(axis=1))
    by_cluster = Means(values=cells, clusters=keys)
    assert by_cluster.limits(0.9) == Means(values=merged).limits(0.9)
    hits = (cells > 0).astype(float)
    assert Hits(values=hits, clusters=keys).point == pytest.approx(cluster_cells(hits, keys).mean())
    doubled = Means(values=np.repeat(cells, 2, axis=1), clusters=np.repeat(range(6), 2))
    assert doubled.limits(0.9) == pytest.approx(Means(values=cells).limits(0.9))


def test_a_rate_near_one_stays_below_one_and_a_sure_one_counts_prompts_once():
    rng = np.random.default_rng(2)
    low, high = Hits(values=rng.random((5, 200)) < 0.985).limits(0.9)
    assert 0.9 < low < 0.985 < high < 1
    sure = Hits(values=np.ones((5, 200))).limits(0.9)
    assert sure == Hits(values=np.ones((1, 200))).limits(0.9)
    assert sure[0] == pytest.approx(0.05 ** (1 / 200))
    calm = HitDifferences(first=np.ones((5, 200)), second=np.ones((5, 200)))
    assert calm.limits(0.9)[1] == pytest.approx(1 - 0.05 ** (1 / 200))


def test_shares_of_seeds_are_averaged_as_log_odds():
    shares = np.array([[0.001], [0.01], [0.1]])
    found = Means(values=shares, bounds=SHARE)
    assert found.point == pytest.approx(special.expit(special.logit(shares).mean()))
    t = stats.ttest_1samp(special.logit(shares[:, 0]), 0).confidence_interval(0.9)
    assert found.limits(0.9) == pytest.approx((special.expit(t.low), special.expit(t.high)))


def test_a_bootstrap_of_seeds_and_prompts_finds_the_same_error():
    """Owen's pigeonhole bootstrap draws rows and columns; it counts the interaction three times."""
    cells = crossed(12, 40, seed=5, between=0.8, shared=0.6)
    rng = np.random.default_rng(0)
    n, prompts = cells.shape
    means = [
        cells[np.ix_(rng.integers(n, size=n), rng.integers(prompts, size=prompts))].mean()
        for _ in range(4000)
    ]
    model = Crossed.of(cells)
    [items] = model.items
    ours = model.working_error()[0] ** 2
    # A resample of n has the variance of one of n - 1, and the interaction twice more.
    assert np.var(means) == pytest.approx(ours + 2 * items.noise / cells.size, rel=0.15)


def test_clusters_of_any_size_keep_sure_hits_sure():
    for size in range(1, 60):
        sure = Hits(values=np.ones((5, 2 * size)), clusters=[0] * size + [1] * size)
        assert sure.point == 1.0
        assert sure.method == "Clopper–Pearson"


def test_clusters_and_populations_are_plain_values_or_refused():
    kept = Means(values=[[1.0, 2.0]], clusters=np.array([0, 1]), population=np.int64(9))
    assert from_json(to_json(kept)) == kept
    with pytest.raises(ValueError, match=r"clusters holds \(1, 2\); a key is a text or whole"):
        Means(values=[[1.0, 2.0]], clusters=[(1, 2), (3, 4)])
