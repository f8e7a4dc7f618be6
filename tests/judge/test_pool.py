"""Random-effects pooling: what it owes to its inputs, and which estimates it takes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lazarus_bench.judge import (
    AllOf,
    AtLeast,
    Condition,
    Differences,
    Estimate,
    Exact,
    HitDifferences,
    Hits,
    Interval,
    LayerMax,
    Means,
    Reported,
    from_json,
    to_json,
)
from lazarus_bench.judge.bounds import student_t
from lazarus_bench.judge.pool import composite, obstacle, pool, standard_error

LEVEL = 0.95
values = st.floats(-100, 100)
errors = st.floats(1e-3, 10)
samples = st.lists(st.tuples(values, errors), min_size=2, max_size=9)


def pooled(pairs):
    return pool(*zip(*pairs, strict=True))


def numbers(found):
    ends = [found.interval.low, found.interval.high, found.i2_interval.low, found.i2_interval.high]
    return [found.value, found.tau, found.q, found.i2, *ends]


def close(expected):
    return pytest.approx(expected, rel=1e-6, abs=1e-6)


@given(samples, st.randoms(use_true_random=False))
def test_the_order_of_the_families_does_not_matter(pairs, random):
    shuffled = random.sample(pairs, len(pairs))
    assert numbers(pooled(shuffled)) == close(numbers(pooled(pairs)))


@given(samples, st.floats(-50, 50), st.sampled_from([-1000.0, -1.0, 1e-3, 1e3]))
def test_another_unit_gives_the_same_answer(pairs, shift, scale):
    found, moved = pooled(pairs), pooled([(shift + scale * y, abs(scale) * s) for y, s in pairs])
    ends = sorted(shift + scale * x for x in (found.interval.low, found.interval.high))
    size = abs(scale) * 100
    assert (moved.interval.low, moved.interval.high) == pytest.approx(ends, abs=1e-6 * size)
    assert moved.tau == pytest.approx(abs(scale) * found.tau, rel=1e-4, abs=1e-6 * size)
    assert moved.i2 == pytest.approx(found.i2, abs=1e-5)
    assert moved.weights == pytest.approx(found.weights, abs=1e-5)


@given(values, errors, st.integers(2, 12))
def test_identical_families_give_t_over_the_root_of_their_number(value, error, k):
    found = pool([value] * k, [error] * k)
    expected = student_t(value, error / math.sqrt(k), k - 1, LEVEL)
    assert (found.interval.low, found.interval.high) == close(expected)
    assert found.weights == close([1 / k] * k)
    assert found.families == k


@given(values, st.lists(errors, min_size=2, max_size=9))
def test_equal_estimates_have_no_heterogeneity_and_no_narrower_interval(value, own):
    found = pool([value] * len(own), own)
    assert (found.value, found.tau, found.q, found.i2) == (pytest.approx(value), 0, close(0), 0)
    assert found.interval.high - found.value >= 1.96 * sum(s**-2 for s in own) ** -0.5


@given(st.lists(values, min_size=2, max_size=9), errors)
def test_equal_errors_give_the_t_interval_of_the_values_once_they_differ_enough(spread, error):
    sample = np.array(spread)
    assume(sample.var(ddof=1) > 1.01 * error**2)
    found = pool(spread, [error] * len(spread))
    sd = float(sample.std(ddof=1))
    expected = student_t(sample.mean(), sd / math.sqrt(sample.size), sample.size - 1, LEVEL)
    assert (found.interval.low, found.interval.high) == close(expected)
    assert found.tau == close(math.sqrt(sd**2 - error**2))
    assert found.i2 == close(1 - (sample.size - 1) / found.q)


@given(samples)
def test_every_number_lies_where_it_must(pairs):
    found = pooled(pairs)
    own = [y for y, _ in pairs]
    assert min(own) - 1e-9 <= found.value <= max(own) + 1e-9
    assert found.interval.low < found.value < found.interval.high
    assert 0 <= found.i2_interval.low <= found.i2 + 1e-9
    assert found.i2 <= found.i2_interval.high + 1e-9
    assert found.i2_interval.high < 1 or found.q > 1e6
    assert sum(found.weights) == pytest.approx(1)
    assert (found.tau == 0) == (found.i2 == 0)
    if found.prediction is None:
        assert len(pairs) == 2
    else:
        assert found.prediction.low <= found.interval.low
        assert found.prediction.high >= found.interval.high


@given(samples)
def test_the_squares_about_the_mean_are_as_many_as_degrees_of_freedom(pairs):
    found = pooled(pairs)
    own, variances = np.array([y for y, _ in pairs]), np.array([s**2 for _, s in pairs])
    squares = float((own - found.value) ** 2 @ (1 / (variances + found.tau**2)))
    if found.tau:
        assert squares == pytest.approx(len(pairs) - 1, rel=1e-6)
    else:
        assert squares <= len(pairs) - 1 + 1e-6


def test_bcg_vaccine_trials_as_published():
    # Log risk ratios of 13 trials (Colditz et al., JAMA 271, 1994), the field's standard example;
    # the interval of I^2 is the Q-profile one that R's metafor prints.
    table = [
        (4, 119, 11, 128),
        (6, 300, 29, 274),
        (3, 228, 11, 209),
        (62, 13536, 248, 12619),
        (33, 5036, 47, 5761),
        (180, 1361, 372, 1079),
        (8, 2537, 10, 619),
        (505, 87886, 499, 87892),
        (29, 7470, 45, 7232),
        (17, 1699, 65, 1600),
        (186, 50448, 141, 27197),
        (5, 2493, 3, 2338),
        (27, 16886, 29, 17825),
    ]
    a, b, c, d = np.array(table, dtype=float).T
    logs = np.log(a / (a + b)) - np.log(c / (c + d))
    variances = 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)
    found = pool(logs.tolist(), np.sqrt(variances).tolist())
    assert found.q == pytest.approx(152.233, abs=1e-3)
    assert found.tau**2 == pytest.approx(0.3181, abs=2e-4)
    assert found.value == pytest.approx(-0.715, abs=1e-3)
    assert found.i2 == pytest.approx(0.923, abs=2e-3)
    i2 = found.i2_interval
    assert (i2.low, i2.high) == pytest.approx((0.819177, 0.976781), abs=1e-4)


@pytest.mark.parametrize(
    ("own", "spreads", "message"),
    [
        ([1.0], [1.0], "two families or more, not 1"),
        ([], [], "two families or more, not 0"),
        ([1.0, 2.0], [1.0], "2 values need as many standard errors, not 1"),
        ([1.0, 2.0], [1.0, 0.0], "positive standard errors"),
        ([1.0, math.nan], [1.0, 1.0], "finite values"),
        ([1.0, 2.0], [1.0, math.inf], "finite values"),
    ],
)
def test_what_cannot_be_pooled_is_refused(own, spreads, message):
    with pytest.raises(ValueError, match=message):
        pool(own, spreads)


@pytest.mark.parametrize("level", [0, 1, 95])
def test_a_level_is_a_fraction(level):
    with pytest.raises(ValueError, match="between 0 and 1"):
        pool([1.0, 2.0], [1.0, 1.0], level)


def test_the_error_is_that_of_the_normal_with_the_same_interval():
    run = Estimate(
        value=0.5,
        interval=Interval(low=0.1, high=0.9, level=0.99),
        interval95=Interval(low=0.5 - 1.959964, high=0.5 + 1.959964, level=0.95),
        method="t over seeds",
        scope="seeds",
        seeds=5,
        prompts=1,
    )
    assert standard_error(run) == pytest.approx(1)


def test_five_seeds_weigh_as_the_five_they_are():
    means = Means(values=[[0.1], [0.2], [0.3], [0.4], [0.5]])
    bare = np.std([0.1, 0.2, 0.3, 0.4, 0.5], ddof=1) / math.sqrt(5)
    assert standard_error(means.estimate(0.99)) == pytest.approx(bare * 2.776445 / 1.959964)


def eight_layers(mean, error):
    """One run's layers with this mean and bare standard error, no two of them alike."""
    steps = np.arange(8) - 3.5
    layers = mean + steps * error * math.sqrt(8) / steps.std(ddof=1)
    return Means(values=[layers.tolist()], items="layers").estimate(LEVEL)


def read_off_the_interval(item):
    limits = item.interval95
    return max(item.value - limits.low, limits.high - item.value) / 1.959964


def test_one_run_is_pooled_by_its_sampling_error_and_not_by_limits_free_of_shape():
    families = [eight_layers(0.400, 0.0125), eight_layers(0.357, 0.0088)]
    own = [item.value for item in families]
    assert [item.error for item in families] == pytest.approx([0.0125, 0.0088])
    assert [item.df for item in families] == [7, 7]
    assert pool(own, [item.error for item in families]).q == pytest.approx(7.9, abs=0.05)
    found = pool(own, list(map(standard_error, families)))
    assert found.q == pytest.approx(7.91 * (1.959964 / 2.364624) ** 2, abs=0.01)
    assert found.i2 > 0.8
    assert found.tau > 0.02
    wide = pool(own, list(map(read_off_the_interval, families)))
    assert wide.q < 0.1
    assert wide.tau == 0


def test_the_error_of_a_best_layer_is_that_of_the_layer_read():
    run = [[0.5, 0.1, 0.0], [0.7, 0.1, 0.6], [0.6, 0.2, 0.0]]
    (item, seeds) = (
        LayerMax(values=v).estimate(LEVEL) for v in ([run], [run, [[0.5, 0.9, 0.1]] * 3])
    )
    assert (item.error, item.df) == (pytest.approx(0.1 / math.sqrt(3)), 2)
    assert (seeds.error, seeds.df) == (pytest.approx(0.15), 1)


def test_the_error_of_two_runs_is_welchs():
    first, second = [0.1, 0.4, 0.3, 0.2], [0.9, 0.5, 0.6]
    bounded = Differences(first=[first], second=[second], paired="no").estimate(LEVEL)
    # Out of [0, 1] the same samples have Welch's interval.
    moved = [[x + 1 for x in side] for side in (first, second)]
    plain = Differences(first=moved[:1], second=moved[1:], paired="no").estimate(LEVEL)
    assert (bounded.error, bounded.df) == pytest.approx((plain.error, plain.df))
    assert standard_error(plain) == pytest.approx(read_off_the_interval(plain))
    assert standard_error(bounded) < read_off_the_interval(bounded)


def test_the_error_of_pairs_is_that_of_their_differences():
    item = HitDifferences(first=[[1, 1, 1, 0]], second=[[0, 1, 0, 1]]).estimate(LEVEL)
    assert (item.error, item.df) == (pytest.approx(np.std([1, 0, 1, -1], ddof=1) / 2), 3)


@pytest.mark.parametrize(
    "evidence",
    [
        Means(values=[[0.5] * 8]),
        Hits(values=[[1, 0, 1, 1]]),
        Hits(values=[[1, 0, 1, 1], [1, 1, 1, 0]]),
        HitDifferences(first=[[1] * 8], second=[[0] * 8]),
        Differences(first=[[0.5] * 8], second=[[0.1, 0.2, 0.3]], paired="no"),
        LayerMax(values=[[[1.0, 0.2], [1.0, 0.3]]]),
    ],
)
def test_what_shows_no_error_of_its_own_has_that_of_its_interval(evidence):
    item = evidence.estimate(LEVEL)
    assert (item.error, item.df) == (None, None)
    assert standard_error(item) == pytest.approx(read_off_the_interval(item))


def test_an_estimate_carries_its_error_to_file_and_one_without_still_opens():
    item = eight_layers(0.4, 0.01)
    data = to_json(item)
    assert from_json(data) == item
    older = {name: value for name, value in data.items() if name not in ("error", "df")}
    opened = from_json(older)
    assert (opened.error, opened.df) == (None, None)
    assert standard_error(opened) == pytest.approx(read_off_the_interval(item))


@pytest.mark.parametrize("hit", [0.0, 1.0])
def test_a_rate_at_the_end_of_its_scale_has_the_error_of_its_one_side(hit):
    estimate = Hits(values=[[hit] * 100]).estimate(0.99)
    far = 1 - 0.025 ** (1 / 100)
    assert standard_error(estimate) == pytest.approx(far / 1.959964)


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (Exact(value=3.0), "computed"),
        (Reported(value=3.0), "no finite interval"),
        (Means(values=[[2.0], [2.0]]), "no finite interval"),
        (
            AllOf(
                conditions=[
                    Condition(name=name, evidence=Hits(values=[[1, 0, 1]]), region=AtLeast(0.1))
                    for name in "ab"
                ]
            ),
            "least margin",
        ),
    ],
)
def test_an_estimate_that_cannot_be_pooled_says_why(evidence, reason):
    estimate = evidence.estimate(0.95)
    assert reason in obstacle(estimate)
    with pytest.raises(ValueError, match=reason):
        standard_error(estimate)


@given(st.lists(st.tuples(values, errors), min_size=1, max_size=4))
def test_a_composite_is_no_surer_than_its_parts_on_average(pairs):
    own, spreads = zip(*pairs, strict=True)
    value, error = composite(own, spreads)
    assert value == pytest.approx(np.mean(own))
    assert min(spreads) - 1e-12 <= error <= max(spreads) + 1e-12
    assert composite(own[:1] * 3, spreads[:1] * 3) == close((own[0], spreads[0]))
