"""A replication with new seeds: how often it lands where it was predicted to."""

import numpy as np
import pytest
from scipy import stats

from lazarus_bench.judge import (
    SHARE,
    AtLeast,
    Differences,
    Exact,
    Hits,
    Means,
    Ratios,
    Reported,
    decide,
    family_level,
    predict,
)
from lazarus_bench.judge.prediction import chance_of_decision


def test_the_interval_is_that_of_t_for_a_new_mean():
    values = np.array([[1.0], [1.2], [0.7], [1.1]])
    found = predict(Means(values=values), AtLeast(0.5), 0.9)
    half = stats.t.ppf(0.99995, 3) * values.std(ddof=1) * np.sqrt(2 / 4)
    assert (found.low, found.high) == pytest.approx((1.0 - half, 1.0 + half))


def test_two_ratios_far_apart_foretell_almost_anything():
    sample = Ratios(numerator=(7.0, 1.0), denominator=(1.0, 7.0), over="seeds")
    found = decide(sample, AtLeast(0.0), family_size=3).predicted
    assert found.low < 1e-6
    assert found.high > 1e6
    far = Ratios(numerator=(1e9, 1e-9), denominator=(1e-9, 1e9), over="seeds")
    assert decide(far, AtLeast(0.0), family_size=3).predicted.high == np.inf


@pytest.mark.parametrize(
    "sample",
    [
        lambda rng: Means(values=rng.normal(size=(5, 1))),
        lambda rng: Means(values=rng.lognormal(-4, 0.5, (5, 1)), bounds=SHARE),
        lambda rng: Differences(
            first=rng.normal(size=(5, 1)), second=3 * rng.normal(size=(5, 1)), paired="no"
        ),
    ],
    ids=["means", "shares", "unpaired"],
)
def test_a_replication_of_a_hundred_rows_seldom_leaves_any_of_them(sample):
    """Of 15 runs of a hundred rows 0.15 should; at 99% a row, 15 rows would."""
    rng = np.random.default_rng(3)
    outside = 0
    for _ in range(1500):
        old, new = sample(rng), sample(rng)
        found = predict(old, AtLeast(0.0), 0.9)
        outside += not found.low <= new.point <= found.high
    assert outside <= 3


def test_the_chance_of_the_same_verdict_is_kept_on_average():
    rng = np.random.default_rng(5)
    told, kept = [], []
    for _ in range(800):
        prompts = rng.normal(0, 0.5, 40)
        centre = rng.normal(0.0, 1.0)
        old, new = (
            Differences(
                first=centre + prompts + rng.normal(0, 0.4, (5, 1)) + rng.normal(0, 1, (5, 40)),
                second=np.zeros((5, 40)),
                paired="prompts",
            )
            for _ in range(2)
        )
        before, after = (decide(each, AtLeast(0.0), family_size=2) for each in (old, new))
        told.append(before.predicted.same)
        kept.append(before.outcome == after.outcome)
    assert np.mean(told) == pytest.approx(np.mean(kept), abs=0.05)


def test_one_run_and_a_bare_number_predict_nothing_and_a_computed_one_itself():
    assert predict(Hits(values=[[1, 0, 1]]), AtLeast(0.5), 0.9) is None
    assert predict(Reported(value=0.5), AtLeast(0.4), 0.9) is None
    two = Differences(first=[[1.0, 2.0]], second=[[1.0, 1.5]], paired="no")
    assert predict(two, AtLeast(0.4), 0.9) is None
    exact = predict(Exact(value=3), AtLeast(2), 0.9)
    assert (exact.low, exact.high, exact.same) == (3, 3, 1.0)


def test_more_seeds_decide_more_often_and_an_edge_far_away_at_once():
    rng = np.random.default_rng(8)
    sample = Means(values=rng.normal(0.6, 1.0, (5, 1)))
    level = family_level(4)
    few, many = (chance_of_decision(sample, AtLeast(0.0), level, n) for n in (10, 40))
    assert few < many <= 1
    assert chance_of_decision(sample, AtLeast(-50.0), level, 10) == 1.0
    assert chance_of_decision(Hits(values=[[1, 0]]), AtLeast(0.0), level, 10) == 0.5


def test_rates_and_differences_are_predicted_where_they_can_lie():
    rng = np.random.default_rng(2)
    rate = Hits(values=rng.random((5, 40)) < [[0.99], [0.9], [0.95], [0.85], [0.99]])
    found = predict(rate, AtLeast(0.5), 0.9)
    assert 0 <= found.low < rate.point < found.high <= 1
    above_chance = Hits(values=rate.values, minus=0.25)
    found = predict(above_chance, AtLeast(0.5), 0.9)
    assert -0.25 <= found.low < above_chance.point < found.high <= 0.75


def test_a_share_of_0_or_1_is_foretold_where_a_seed_may_be_there():
    """No interval of log-odds would hold either."""
    few = np.repeat([[0.1], [0.05], [0.2], [0.0], [0.1]], 20, axis=1)
    found = predict(Means(values=few, bounds=SHARE), AtLeast(0.25), 0.9)
    assert (found.low, found.high > 0.5) == (0.0, True)
    assert predict(Means(values=1 - few, bounds=SHARE), AtLeast(0.25), 0.9).high == 1.0
    sure = np.repeat([[0.5], [0.51], [0.49], [0.5], [0.5]], 20, axis=1)
    found = predict(Means(values=sure, bounds=SHARE), AtLeast(0.25), 0.9)
    assert 0.3 < found.low < found.high < 0.7
