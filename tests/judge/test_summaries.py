"""Printed means and deviations give what the samples behind them would have given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lazarus_bench.judge import Above, Differences, Summary, SummaryDifferences

samples = st.integers(2, 7).flatmap(lambda n: arrays(float, (n, 1), elements=st.floats(-5, 5)))


def summary(sample):
    return Summary(mean=sample.mean(), sd=sample.std(ddof=1), n=len(sample))


@given(samples, samples, st.floats(0.5, 0.99))
def test_the_interval_is_that_of_the_samples(first, second, level):
    if min(first.std(), second.std()) < 1e-6:
        return
    whole = Differences(first=first, second=second, paired="no")
    short = SummaryDifferences(first=summary(first), second=summary(second))
    assert short.limits(level) == pytest.approx(whole.limits(level))
    assert short.point == pytest.approx(whole.point)
    mine, theirs = short.effect(level), whole.effect(level)
    assert (mine is None) == (theirs is None)
    if mine and theirs:
        assert (mine.value, mine.low, mine.high) == pytest.approx(
            (theirs.value, theirs.low, theirs.high), rel=1e-4, abs=1e-6
        )


def test_no_spread_claims_nothing():
    flat = Summary(mean=0.5, sd=0.0, n=5)
    found = SummaryDifferences(first=flat, second=flat)
    assert found.limits(0.9) == (-np.inf, np.inf)
    assert found.caveat


@pytest.mark.parametrize(("sd", "n"), [(-0.1, 5), (0.1, 0), (np.nan, 3)])
def test_impossible_summaries_are_refused(sd, n):
    with pytest.raises(ValueError, match=r"deviation|finite"):
        Summary(mean=0.5, sd=sd, n=n)


def test_it_counts_trials():
    base, trained = Summary(mean=0.5, sd=0.1, n=5), Summary(mean=0.6, sd=0.1, n=4)
    found = SummaryDifferences(first=trained, second=base)
    assert (found.shape, found.items, found.unit) == ((1, 4), "trials", "trials")
    assert found.needed(Above(0.0), 0.9).split()[1] == "trials"
