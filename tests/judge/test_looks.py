"""Looks share a level, and looking without spending errs more often."""

import numpy as np
import pytest

from lazarus_bench.judge import AtLeast, Looks, Means, decide, error_of_looks, family_level

LOOKS = Looks(sizes=(5, 10, 20, 40))


def test_each_look_spends_an_equal_share_of_the_level():
    level = family_level(3)
    assert sum(1 - LOOKS.level(n, level) for n in LOOKS.sizes) == pytest.approx(1 - level)
    assert (LOOKS.after(5), LOOKS.after(20), LOOKS.after(40)) == (10, 40, None)
    with pytest.raises(ValueError, match="7 seeds is none of the registered looks"):
        LOOKS.level(7, level)


@pytest.mark.parametrize("sizes", [(), (5, 5), (10, 5), (0, 5)])
def test_looks_ascend(sizes):
    with pytest.raises(ValueError, match="ascending"):
        Looks(sizes=sizes)


@pytest.mark.parametrize(
    ("sizes", "level", "replicates", "message"),
    [
        ((1, 5), 0.9, 10, "ascending numbers of seeds from 2 on"),
        ((5.5,), 0.9, 10, "ascending numbers of seeds from 2 on"),
        ((5, 10), 1.5, 10, "at the level 1.5"),
        ((5, 10), 0.9, 0, "cannot simulate 0 sequences"),
    ],
)
def test_an_error_is_simulated_of_looks_that_can_be_taken(sizes, level, replicates, message):
    with pytest.raises(ValueError, match=message):
        error_of_looks(sizes, level, replicates=replicates)


def test_a_claim_is_looked_at_at_least_once():
    with pytest.raises(ValueError, match="looked at once or more often, not 0 times"):
        decide(Means(values=[[0.0], [1.0]]), AtLeast(0.0), family_size=1, looks=0)


def test_the_verdicts_level_is_shared_by_the_looks_of_several_seeds_alone():
    seeds, run = Means(values=[[1.0], [2.0], [1.5]]), Means(values=[[1.0, 2.0, 1.5]])
    assert decide(seeds, AtLeast(0.0), family_size=2, looks=4).level == family_level(8)
    assert decide(run, AtLeast(0.0), family_size=2, looks=4).level == family_level(2)


def test_unspent_looks_err_more_than_promised_and_a_single_one_does_not():
    assert error_of_looks((5,), 0.9) == pytest.approx(0.05, abs=0.005)
    assert 0.08 < error_of_looks((5, 10, 20, 40), 0.9) < 0.2
    level = LOOKS.level(5, 0.9)
    assert error_of_looks((5, 10, 20, 40), level) <= 0.05


@pytest.mark.parametrize("family", [1, 8])
def test_an_edge_one_deviation_away_is_decided_by_forty_seeds_and_in_twenty_on_average(family):
    rng = np.random.default_rng(6)
    level = LOOKS.level(5, family_level(family))
    spent = []
    for _ in range(1500):
        values = rng.normal(1.0, 1.0, (40, 1))
        limits = ((n, Means(values=values[:n]).limits(level)[0]) for n in LOOKS.sizes)
        spent.append(next((n for n, low in limits if low > 0), None))
    decided = [n for n in spent if n is not None]
    assert len(decided) >= 0.95 * len(spent)
    assert np.mean([n or 40 for n in spent]) <= 20
