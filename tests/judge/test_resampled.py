"""Resampled: the interval is made of draws, and says nothing where draws say nothing."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazarus_bench.judge import AllOf, AtLeast, Condition, Means, Outcome, Resampled, decide

DRAWS = tuple(np.linspace(0, 1, 1001)[1:-1])


def test_a_limit_is_a_draw_at_the_tails_rank():
    low, high = Resampled(value=0.5, draws=DRAWS, size=100).limits(0.9)
    assert (low, high) == pytest.approx((0.05, 0.95))


def test_too_few_draws_for_a_tail_give_no_limit():
    few = Resampled(value=0.5, draws=DRAWS[::100], size=100)
    assert few.limits(0.95) == (-math.inf, math.inf)
    assert few.limits(0.8)[0] > 0


def test_draws_that_all_agree_decide_nothing():
    same = Resampled(value=1.0, draws=(1.0,) * 999, size=100)
    verdict = decide(same, AtLeast(0.8), family_size=5)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "all resamples agree exactly" in verdict.reason


@given(st.lists(st.floats(0, 1), min_size=40, max_size=60), st.floats(0, 1))
def test_the_interval_holds_the_value_and_grows_with_the_level(draws, value):
    sample = Resampled(value=value, draws=draws, size=10)
    wide, narrow = sample.limits(0.94), sample.limits(0.6)
    assert wide[0] <= narrow[0] <= value <= narrow[1] <= wide[1]


def test_it_speaks_of_its_run_and_of_its_items():
    verdict = decide(
        Resampled(value=0.5, draws=DRAWS, size=70, items="examples"), AtLeast(0.0), family_size=1
    )
    assert verdict.outcome is Outcome.SUPPORTED_RUN
    assert (verdict.estimate.seeds, verdict.estimate.prompts) == (1, 70)
    assert (verdict.estimate.items, verdict.estimate.scope) == ("examples", "run")
    assert verdict.estimate.method == "bootstrap over examples"
    assert verdict.estimate.error == pytest.approx(np.std(DRAWS, ddof=1))


def test_it_can_be_one_of_several_conditions():
    both = AllOf(
        conditions=[
            Condition(
                name="resampled",
                evidence=Resampled(value=0.9, draws=(0.85, 0.9, 0.95) * 300, size=50),
                region=AtLeast(0.8),
            ),
            Condition(
                name="mean", evidence=Means(values=[[1.0, 1.1, 0.9, 1.0]]), region=AtLeast(0.2)
            ),
        ]
    )
    assert decide(both, AtLeast(0.0), family_size=1).outcome is Outcome.SUPPORTED_RUN


def test_a_mean_of_many_is_covered_as_often_as_promised():
    rng = np.random.default_rng(0)
    caught = 0
    for _ in range(300):
        sample = rng.normal(size=80)
        draws = sample[rng.integers(80, size=(399, 80))].mean(axis=1)
        low, high = Resampled(value=sample.mean(), draws=draws, size=80).limits(0.9)
        caught += low <= 0 <= high
    assert 0.85 < caught / 300 < 0.95


@pytest.mark.parametrize("wrong", [{"draws": ()}, {"draws": (math.nan,)}, {"size": 0}])
def test_what_is_no_sample_is_refused(wrong):
    with pytest.raises(ValueError, match="Resampled"):
        Resampled(**{"value": 0.5, "draws": (0.5,), "size": 3, **wrong})
