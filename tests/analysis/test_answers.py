"""Answers: greedy decoding equal to one token at a time, and the first integer."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazarus_bench.analysis import answers
from lazarus_bench.analysis.answers import (
    Answers,
    answer,
    continuations,
    first_integer,
    greedy,
    read_likelihood,
)
from lazarus_bench.backend import mx
from lazarus_bench.models.load import load
from lazarus_bench.tasks.arithmetic import Operation, Problem, held_out
from lazarus_bench.tasks.words import word_problem

prompt = st.lists(st.integers(3, 900), min_size=1, max_size=5).map(lambda ids: [0, *ids])
REFERENCE = (
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park."
)
PROMPTS = ("7 * 8 = ", "What is 7 times 8? ", "12 + 30 = ")
PROBLEMS = held_out(12, 3)
PROBLEM = Problem(a=7, operation=Operation.MULTIPLY, b=8)


def one_by_one(loaded, ids, tokens) -> list[int]:
    """Greedy decoding without a cache or a batch."""
    ids, end = list(ids), loaded.tokenizer.eos_token_id
    start = len(ids)
    for _ in range(tokens):
        token = int(np.array(loaded.model(mx.array([ids])))[0, -1].argmax())
        if token == end:
            break
        ids.append(token)
    return ids[start:]


@settings(max_examples=10)
@given(prompts=st.lists(prompt, min_size=1, max_size=5))
def test_batches_and_caches_change_nothing(tiny_model, prompts):
    found = greedy(tiny_model, prompts, 4)
    assert found == [one_by_one(tiny_model, ids, 4) for ids in prompts]


def test_a_continuation_ends_before_the_end_of_text(tiny):
    loaded = load(tiny)
    ids = loaded.encode("7 * 8 = ")
    free = greedy(loaded, [ids], 6)[0]
    loaded.tokenizer.eos_token_ids = {free[3]}
    stopped = greedy(loaded, [ids], 6)[0]
    assert stopped == free[: free.index(free[3])]


def test_stories260k_tells_its_reference_story(shared):
    loaded = load(shared / "models" / "stories260K")
    ids = greedy(loaded, [[loaded.tokenizer.bos_token_id]], 80)[0]
    assert loaded.tokenizer.decode(ids).strip().startswith(REFERENCE)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("56", 56),
        (" 56.", 56),
        ("-12 apples, 3 pears", -12),
        ("is 7 or 8", 7),
        ("none", None),
        ("", None),
        ("- 5", 5),
        ("56\n7 * 9 = 63", 56),
        (" -1000000abc", -1000000),
    ],
)
def test_first_integer(text, number):
    assert first_integer(text) == number


@pytest.mark.parametrize("words", [False, True])
def test_the_model_answers_the_prompts_in_symbols_or_in_other_words(tiny_model, words):
    problems = held_out(8, 0)
    asked = [word_problem(p) if words else p.symbols for p in problems]
    found = answer(tiny_model, problems, asked if words else None)
    for prompt, text in zip(asked, found.texts, strict=True):
        ids = one_by_one(tiny_model, tiny_model.encode(prompt), answers.ANSWER_TOKENS)
        assert text == tiny_model.tokenizer.decode(ids)
    assert found.problems == tuple(problems)
    assert Answers(problems=(PROBLEM,) * 3, texts=("56 7", "57", "")).correct.tolist() == [1, 0, 0]


@pytest.fixture
def encoded(tiny_model):
    return [tiny_model.encode(text) for text in PROMPTS]


def test_at_temperature_0_the_most_probable_tokens_follow(tiny_model, encoded):
    found = continuations(tiny_model, encoded, 5)
    assert [list(f.tokens) for f in found] == greedy(tiny_model, encoded, 5)
    assert continuations(tiny_model, encoded, 5, temperature=1e-6, seed=3) == found
    assert all(f.ended == (len(f.tokens) < 5) for f in found)


def test_draws_depend_on_the_seed_and_the_place_alone(tiny_model, encoded):
    one = continuations(tiny_model, encoded, 6, temperature=1.0, seed=1)
    assert one == continuations(tiny_model, encoded, 6, temperature=1.0, seed=1)
    assert one != continuations(tiny_model, encoded, 6, temperature=1.0, seed=2)
    alone = continuations(tiny_model, encoded[:1], 6, temperature=1.0, seed=1)
    assert alone[0] == one[0]


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_first_tokens_come_as_often_as_they_are_probable(tiny_model, encoded, temperature):
    prompts = [encoded[0]] * 400
    drawn = continuations(tiny_model, prompts, 1, temperature=temperature, seed=0)
    ends = set(tiny_model.tokenizer.eos_token_ids)
    first = [f.tokens[0] if f.tokens else min(ends) for f in drawn]
    logits = np.array(tiny_model.model(mx.array([encoded[0]]))[0, -1], dtype=np.float64)
    chance = np.exp((logits - logits.max()) / temperature)
    chance /= chance.sum()
    # Their mean log probability is that of the distribution, within four standard errors.
    spread = np.sqrt((chance * np.log(chance) ** 2).sum() - (chance * np.log(chance)).sum() ** 2)
    expected = (chance * np.log(chance)).sum()
    assert abs(np.log(chance[first]).mean() - expected) < 4 * spread / 20


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
