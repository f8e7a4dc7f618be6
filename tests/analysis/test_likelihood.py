"""Likelihood of the right answer: against a full sort of one prompt at a time."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lazarus_bench.analysis import lens as module
from lazarus_bench.analysis.answers import read_likelihood
from lazarus_bench.analysis.operations import read_operations
from lazarus_bench.backend import mx
from lazarus_bench.models.load import load
from lazarus_bench.tasks.arithmetic import Operation, Problem, held_out

PROBLEMS = held_out(12, 3)
PROBLEM = Problem(a=7, operation=Operation.MULTIPLY, b=8)


def by_hand(loaded, problem):
    """Softmax and position in the sorted vocabulary, in float64."""
    ids = loaded.encode(problem.symbols)
    token = loaded.encode(problem.symbols + str(problem.answer))[len(ids)]
    logits = np.array(loaded.model(mx.array([ids])), dtype=np.float64)[0, -1]
    odds = np.exp(logits - logits.max())
    return odds[token] / odds.sum(), 1 + np.argsort(-logits).tolist().index(token)


def test_probability_and_rank_are_those_of_a_full_sort(tiny_model):
    found = read_likelihood(tiny_model, PROBLEMS)
    expected = [by_hand(tiny_model, problem) for problem in PROBLEMS]
    np.testing.assert_allclose(found.probability, [p for p, _ in expected], rtol=1e-5)
    assert found.rank.tolist() == [rank for _, rank in expected]


def test_it_agrees_with_the_lens_of_the_last_layer(tiny_model):
    found = read_likelihood(tiny_model, PROBLEMS)
    lens = read_operations(tiny_model, PROBLEMS)
    np.testing.assert_allclose(found.probability, lens.answer[:, -1], rtol=1e-5)
    assert ((found.rank == 1) == (found.probability >= lens.top_probability[:, -1, 0])).all()


@settings(max_examples=6)
@given(order=st.permutations(range(len(PROBLEMS))))
def test_the_order_of_prompts_and_a_small_limit_change_nothing(tiny_model, order):
    whole = read_likelihood(tiny_model, PROBLEMS)
    kept, module.MAX_LOGITS = module.MAX_LOGITS, 1
    try:
        found = read_likelihood(tiny_model, [PROBLEMS[i] for i in order])
    finally:
        module.MAX_LOGITS = kept
    np.testing.assert_allclose(found.probability, whole.probability[list(order)], rtol=1e-5)
    assert found.rank.tolist() == whole.rank[list(order)].tolist()


def test_a_model_sure_of_the_answer_and_one_that_knows_nothing(tiny):
    loaded = load(tiny)
    size = loaded.config["vocab_size"]
    token = loaded.encode(PROBLEM.symbols + "56")[-1]

    class Sure:
        def __call__(self, tokens):
            return mx.broadcast_to(1e4 * (mx.arange(size) == token), (*tokens.shape, size))

    class Unmoved:
        def __call__(self, tokens):
            return mx.zeros((*tokens.shape, size))

    sure = read_likelihood(replace(loaded, model=Sure()), [PROBLEM])
    assert (sure.probability.tolist(), sure.rank.tolist()) == ([1.0], [1])
    unmoved = read_likelihood(replace(loaded, model=Unmoved()), [PROBLEM])
    np.testing.assert_allclose(unmoved.probability, 1 / size, rtol=1e-5)
