"""No instrument minds its batches: prompts in another order, one at a time, read the same."""

import numpy as np
import pytest
from families import made
from hypothesis import given, settings
from hypothesis import strategies as st

from lazarus_bench.analysis import lens, prompts, routing
from lazarus_bench.analysis.answers import greedy, read_likelihood
from lazarus_bench.analysis.behaviour import Behaviour
from lazarus_bench.analysis.lens import read_lens
from lazarus_bench.analysis.logits import last_logits
from lazarus_bench.analysis.patching import patch
from lazarus_bench.analysis.prompts import last_states, symbol_tokens
from lazarus_bench.analysis.routing import read_routing
from lazarus_bench.analysis.steering import steer
from lazarus_bench.tasks.arithmetic import held_out

PROBLEMS = held_out(8, 3)
PLACES = {problem: place for place, problem in enumerate(PROBLEMS)}
LIMITS = ((lens, "MAX_LOGITS"), (prompts, "MAX_LOGITS"), (prompts, "MAX_VALUES"))


def vectors(problems):
    """A vector of its own for each problem `[prompt, d]`."""
    return np.random.default_rng(0).normal(size=(8, 48))[[PLACES[p] for p in problems]]


def lensed(loaded, problems):
    targets = np.array([[5, 300 + PLACES[problem]] for problem in problems])
    found = read_lens(loaded, symbol_tokens(loaded, problems), targets, 4)
    return found.probability, found.top_probability


def behaved(found: Behaviour):
    return found.names, found.probability, found.rank, np.array(found.given, dtype=float)


def likely(loaded, problems):
    found = read_likelihood(loaded, problems)
    return found.probability, found.rank


def answered(loaded, problems):
    found = greedy(loaded, symbol_tokens(loaded, problems), 3)
    return (np.array([[*ids, *[-1] * (3 - len(ids))] for ids in found]),)


READ = {
    "lens": lensed,
    "states": lambda loaded, asked: (last_states(loaded, symbol_tokens(loaded, asked)),),
    "logits": lambda loaded, asked: (last_logits(loaded, asked),),
    "likelihood": likely,
    "patch": lambda loaded, asked: behaved(patch(loaded, asked, 1, vectors(asked))),
    "steer": lambda loaded, asked: behaved(steer(loaded, asked, 1, vectors(asked))),
    "answers": answered,
}


@pytest.mark.parametrize("read", READ.values(), ids=READ)
@settings(max_examples=3)
@given(order=st.permutations(range(len(PROBLEMS))))
def test_neither_the_batch_nor_the_order_matters(tiny_model, read, order):
    whole = read(tiny_model, PROBLEMS)
    with pytest.MonkeyPatch.context() as limits:
        for module, name in LIMITS:
            limits.setattr(module, name, 1)
        mixed = read(tiny_model, [PROBLEMS[at] for at in order])
    for one, other in zip(whole, mixed, strict=True):
        np.testing.assert_allclose(other, one[list(order)], rtol=2e-4, atol=1e-5)


def test_prompts_are_traced_alike_alone_and_together(monkeypatch):
    loaded, asked = made("gpt_oss"), [[3, 1, 4, 1, 5], [9, 2, 6], [5, 3, 5, 8, 9], [7]]
    together = read_routing(loaded, asked)
    monkeypatch.setattr(routing, "MAX_CHOICES", 1)
    alone = read_routing(loaded, asked)
    assert [list(trace.tokens) for trace in together.traces] == asked
    for one, other in zip(together.traces, alone.traces, strict=True):
        assert one.experts.shape == (len(one.tokens), 3, 2)
        assert np.array_equal(one.experts, other.experts)
        np.testing.assert_allclose(one.weights, other.weights, atol=1e-5)
    np.testing.assert_allclose(together.load, alone.load)
