"""Probes on simulated states: a planted class is found at its layer, and nothing is found in noise.

Layers of a simulation move together, as a residual stream's do, so the maximum over layers has to
be taken inside each permutation to keep its error.
"""

from functools import cache

import numpy as np
import pytest
from scipy import stats

from lazarus_bench.analysis.probe import permutation_null
from lazarus_bench.analysis.probe_prompts import ProbePrompts, in_symbols, words_in_turn
from lazarus_bench.tasks.arithmetic import held_out

pytestmark = pytest.mark.calibration

ALPHA = 0.05
SIMULATIONS = 200
PERMUTATIONS = 19
"""The fewest that can reach a p of 0.05; more change a test's power and not its error."""

LAYERS, WIDTH, PLANTED = 4, 2, 2
SYMBOLS = in_symbols(held_out(32, 0))
WORDS = words_in_turn(held_out(32, 0))


def stream(prompts: ProbePrompts, rng: np.random.Generator, shared: float) -> np.ndarray:
    """States without a class: each layer adds noise, and prompts of one pair and template agree.

    Both are effects that a probe can memorise, since a fold holds out one of the two.
    """
    steps = rng.normal(size=(len(prompts), LAYERS, WIDTH))
    for groups in (prompts.pairs, prompts.templates):
        codes = np.unique([str(group) for group in groups], return_inverse=True)[1]
        steps += shared * rng.normal(size=(codes.max() + 1, LAYERS, WIDTH))[codes]
    return np.asarray(steps.cumsum(axis=1), dtype=np.float32)


@cache
def rejections(prompts: ProbePrompts, held: str) -> tuple[int, int]:
    """How often the best layer's test rejects, and how often its own layer's test would."""
    rng = np.random.default_rng(0)
    best, single = 0, 0
    for _ in range(SIMULATIONS):
        null = permutation_null(stream(prompts, rng, 1.0), prompts, held, PERMUTATIONS)
        best += null.p_value <= ALPHA
        at = null.observed.argmax()
        reached = (null.permuted[:, at] >= null.observed[at] - 1e-9).sum()
        single += (1 + reached) / (1 + PERMUTATIONS) <= ALPHA
    return best, single


def most(rate: float) -> int:
    """Rejections that a test of this error exceeds once in a thousand."""
    return int(stats.binom.ppf(0.999, SIMULATIONS, rate))


@pytest.mark.parametrize(("prompts", "held"), [(SYMBOLS, "pairs"), (WORDS, "templates")])
def test_nothing_is_found_in_noise_more_often_than_alpha(prompts, held):
    best, _ = rejections(prompts, held)
    assert best <= most(ALPHA)


def test_a_layer_tested_where_it_is_best_errs_more_often():
    """What the maximum inside the permutation prevents."""
    best, single = rejections(SYMBOLS, "pairs")
    assert single > best
    assert single > most(ALPHA)


def test_a_planted_class_is_found_at_its_layer_and_nowhere_before():
    prompts = in_symbols(held_out(64, 0))
    rng = np.random.default_rng(1)
    directions = np.eye(4)
    found = np.zeros(LAYERS, dtype=int)
    for _ in range(10):
        states = rng.normal(size=(len(prompts), LAYERS, 4)).astype(np.float32)
        states[:, PLANTED:] += 3 * directions[list(prompts.labels)][:, None]
        null = permutation_null(states, prompts, permutations=PERMUTATIONS)
        assert null.observed.argmax() >= PLANTED
        found += null.layer_p_values <= ALPHA
    assert (found[PLANTED:] == 10).all()
    assert (found[:PLANTED] <= 3).all()
