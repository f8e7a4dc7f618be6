"""Continuations: greedy ones are the instrument's, draws follow the model's distribution."""

import numpy as np
import pytest

from lazarus_bench.analysis.answers import continuations, greedy
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError

PROMPTS = ("7 * 8 = ", "What is 7 times 8? ", "12 + 30 = ")


@pytest.fixture
def encoded(tiny_model):
    return [tiny_model.encode(text) for text in PROMPTS]


def test_at_temperature_0_the_most_probable_tokens_follow(tiny_model, encoded):
    found = continuations(tiny_model, encoded, 5)
    assert [list(f.tokens) for f in found] == greedy(tiny_model, encoded, 5)
    assert all(f.ended == (len(f.tokens) < 5) for f in found)


def test_a_tiny_temperature_draws_the_most_probable_tokens(tiny_model, encoded):
    cold = continuations(tiny_model, encoded, 5, temperature=1e-6, seed=3)
    assert cold == continuations(tiny_model, encoded, 5)


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


def test_what_does_not_fit_the_context_is_refused(tiny_model, encoded):
    with pytest.raises(UserError, match="reads 128 tokens, and a prompt of"):
        continuations(tiny_model, encoded, 128)
