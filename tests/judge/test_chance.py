"""Exact null distributions against simulation, scipy's tests and the cases done by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lazarus_bench.judge.chance import (
    BestOfLayers,
    order_p,
    paired_t_p,
    share_as_near_an_end,
    sign_test_p,
)


def test_the_best_of_layers_is_that_of_simulated_guesses():
    rng = np.random.default_rng(0)
    best = rng.binomial(16, 0.25, (40_000, 40)).max(axis=1)
    null = BestOfLayers(prompts=16, rate=0.25, layers=40)
    assert null.mean == pytest.approx(best.mean() / 16, abs=0.002)
    for hits in (7, 8, 9):
        assert null.at_least(hits) == pytest.approx((best >= hits).mean(), abs=0.01)


def test_the_best_of_one_layer_is_the_layer():
    one = BestOfLayers(prompts=16, rate=0.25, layers=1)
    assert one.mean == pytest.approx(0.25)
    assert one.at_least(5) == pytest.approx(stats.binomtest(5, 16, 0.25, "greater").pvalue)
    assert (one.at_least(0), one.at_least(17)) == (1.0, 0.0)


@given(st.integers(1, 30), st.floats(0.05, 0.95), st.integers(1, 50))
def test_more_layers_reach_no_less(prompts, rate, layers):
    few, many = (BestOfLayers(prompts=prompts, rate=rate, layers=n) for n in (layers, layers + 1))
    assert rate - 1e-9 <= few.mean <= many.mean + 1e-12 <= 1 + 1e-9


def test_layers_that_move_together_reach_no_further_than_independent_ones():
    rng = np.random.default_rng(1)
    common = rng.normal(size=(20_000, 16, 1))
    moved = 0.7 * common + 0.51**0.5 * rng.normal(size=(20_000, 16, 10))
    best = (moved > stats.norm.isf(0.25)).sum(axis=1).max(axis=1) / 16
    single, independent = (BestOfLayers(prompts=16, rate=0.25, layers=n).mean for n in (1, 10))
    assert single < best.mean() < independent


@pytest.mark.parametrize(
    "wrong", [{"prompts": 0}, {"layers": 0}, {"rate": 0.0}, {"rate": 1.0}], ids=str
)
def test_what_nobody_can_guess_is_refused(wrong):
    with pytest.raises(ValueError, match="a rate between 0 and 1"):
        BestOfLayers(**({"prompts": 16, "rate": 0.25, "layers": 1} | wrong))


@given(st.integers(1, 500), st.data())
def test_a_rank_is_as_near_an_end_as_its_mirror_image(size, data):
    rank = data.draw(st.integers(1, size))
    share = share_as_near_an_end(rank, size)
    assert 0 < share <= 1
    assert share == pytest.approx(share_as_near_an_end(size + 1 - rank, size))
    ends = np.minimum(np.arange(1, size + 1), np.arange(size, 0, -1))
    assert share == pytest.approx((ends <= min(rank, size + 1 - rank)).mean(), abs=1.01 / size)


def test_no_item_ranks_outside():
    with pytest.raises(ValueError, match="between 1 and 10, not at 11"):
        share_as_near_an_end(11, 10)


@pytest.mark.parametrize(("gains", "losses"), [(1, 0), (5, 0), (8, 2), (0, 3)])
def test_the_sign_test_is_the_binomial_one(gains, losses):
    expected = stats.binomtest(gains, gains + losses, 0.5, "greater").pvalue
    assert sign_test_p(gains, losses) == pytest.approx(expected)


def test_no_discordant_pair_says_nothing():
    assert sign_test_p(0, 0) == 1.0


def test_paired_differences_by_hand():
    """Mean 2 and standard error 1 over three pairs: t = 2 with 2 degrees of freedom."""
    differences = (2 - 3**0.5, 2.0, 2 + 3**0.5)
    assert paired_t_p(differences) == pytest.approx(2 * stats.t.sf(2, 2))


def test_of_four_values_one_order_rises_throughout_and_three_nearly():
    assert order_p((1, 2, 3, 4)) == pytest.approx(1 / 24)
    assert order_p((1, 2, 4, 3)) == pytest.approx(4 / 24)
    assert order_p((4, 3, 2, 1)) == 1.0
    assert order_p((1, 1, 1)) == 1.0
