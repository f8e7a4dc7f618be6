"""Seeds that fail are found and named, and seeds that merely scatter are not."""

import numpy as np
import pytest

from lazarus_bench.judge import (
    SHARE,
    Above,
    AllOf,
    AtLeast,
    Condition,
    Differences,
    Hits,
    Means,
    Outcome,
    Trend,
    Within,
    decide,
)
from lazarus_bench.judge.subgroups import apart


def test_a_failed_seed_makes_the_verdict_mixed_and_is_named_with_its_value():
    values = [[0.82], [0.79], [0.03], [0.8], [0.81]]
    verdict = decide(Means(values=values, bounds=SHARE), AtLeast(0.5), family_size=1)
    assert verdict.outcome is Outcome.MIXED
    assert "1 of 5 seeds stand apart, outside ≥ 0.5: 0.03 (seed 2)" in verdict.reason
    assert "the others 0.79 to 0.82" in verdict.reason


def test_two_groups_on_the_same_side_of_the_edge_are_no_mixture():
    values = np.array([0.82, 0.79, 0.4, 0.8, 0.81])
    assert apart(values, AtLeast(0.7), 0.001) == (2,)
    assert apart(values, AtLeast(0.3), 0.001) == ()
    assert apart(values, Within(0.3, 0.9), 0.001) == ()


def test_the_error_of_a_seeds_own_prompts_is_no_gap():
    rates = np.array([0.90, 0.905, 0.9, 0.9, 0.86])
    assert apart(rates, AtLeast(0.89)) == (4,)
    assert apart(rates, AtLeast(0.89), 0.02) == ()
    rng = np.random.default_rng(0)
    found = [
        decide(Hits(values=rng.random((5, 50)) < 0.8), AtLeast(0.8), family_size=1).outcome
        for _ in range(200)
    ]
    assert found.count(Outcome.MIXED) <= 8


@pytest.mark.parametrize("seeds", [4, 5, 10, 20])
def test_normal_seeds_raise_the_alarm_once_in_a_hundred(seeds):
    rng = np.random.default_rng(seeds)
    alarms = sum(bool(apart(rng.normal(size=seeds), AtLeast(0.0))) for _ in range(2000))
    assert alarms <= 40


def test_three_seeds_are_too_few_for_a_group():
    assert apart(np.array([0.0, 1.0, 1.0]), AtLeast(0.5)) == ()


@pytest.mark.parametrize("seeds", [5, 10])
def test_seeds_that_fail_outright_are_found_nine_times_in_ten(seeds):
    rng = np.random.default_rng(1)
    found = missed = 0
    while found + missed < 300:
        failed = rng.random(seeds) < 0.15
        if not 0 < failed.sum() <= seeds // 2:
            continue
        values = np.where(failed, 0.02, rng.normal(0.8, 0.03, seeds))
        stray = apart(values, AtLeast(0.5), 0.001)
        found += stray == tuple(np.flatnonzero(failed))
        missed += stray != tuple(np.flatnonzero(failed))
    assert found >= 270


FAILING = [[0.8], [0.82], [0.79], [0.81], [0.02]]
EVEN = [[0.56], [0.55], [0.57], [0.56], [0.58]]


def test_a_conjunction_names_the_condition_whose_seeds_stand_apart():
    both = AllOf(
        conditions=[
            Condition(name="calm", evidence=Means(values=EVEN), region=AtLeast(0.5)),
            Condition(name="wild", evidence=Means(values=FAILING), region=AtLeast(0.5)),
        ]
    )
    verdict = decide(both, AtLeast(0.0), family_size=1)
    assert verdict.outcome is Outcome.MIXED
    assert verdict.reason.startswith("wild: 1 of 5 seeds stand apart")


@pytest.mark.parametrize("scale", [5e-324, 1e-309, 1.0, 1e300])
def test_the_scale_of_the_values_changes_no_group(scale):
    values = np.array([0.0, 0.0, 0.0, 0.0, 1.0]) * scale
    assert apart(values, Above(0.0)) == (4,)
    assert apart(values, Above(0.0), floor=scale) == ()


def test_unpaired_sides_are_searched_each_against_the_others_mean():
    others = [[0.3], [0.31], [0.29], [0.3], [0.3]]
    for first, second in ((FAILING, others), (others, FAILING)):
        sample = Differences(first=first, second=second, paired="no")
        edge = 0.2 if first is FAILING else -0.2
        assert decide(sample, AtLeast(edge), family_size=1).outcome is Outcome.MIXED


@pytest.mark.parametrize(
    ("sample", "edge"),
    [
        (Means(values=[[0.5]] * 4 + [[0.4999999]]), 0.5),
        (Hits(values=[[1]] * 6 + [[0]] * 4), 0.3),
        (Trend(values=[[1, 2]] * 7 + [[2, 1]]), 0.0),
    ],
)
def test_rounding_and_values_that_know_two_levels_are_no_groups(sample, edge):
    assert decide(sample, AtLeast(edge), family_size=1).outcome is not Outcome.MIXED
