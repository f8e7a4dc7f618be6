"""Seeds that fail are found and named, and seeds that merely scatter are not."""

import numpy as np
import pytest

from lazarus_bench.judge import SHARE, AtLeast, Hits, Means, Outcome, Within, decide
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
