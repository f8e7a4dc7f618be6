"""Steering: no strength changes nothing, a word's own row brings the word."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazarus_bench.analysis.answers import greedy
from lazarus_bench.analysis.behaviour import behaviour
from lazarus_bench.analysis.lens import read_lens
from lazarus_bench.analysis.operations import class_words
from lazarus_bench.analysis.steering import (
    contrast,
    moved_at_random,
    random_direction,
    read_steered,
    steer,
)
from lazarus_bench.tasks.arithmetic import Operation, held_out

PROBLEMS, TWELVE = held_out(6, 3), held_out(12, 3)
TARGETS = np.array([5, 300])
ASKED = {"targets": TARGETS, "top": 3, "length": 4}


def encoded(loaded):
    return [loaded.encode(problem.symbols) for problem in PROBLEMS]


def row_of(loaded, token):
    return np.array(loaded.model.model.embed_tokens.weight[token], dtype=np.float64)


def test_no_strength_is_the_model_as_it_is(tiny_model):
    prompts = encoded(tiny_model)
    found = read_steered(tiny_model, prompts, 2, row_of(tiny_model, 300), 0.0, **ASKED)
    expected = read_lens(tiny_model, prompts, np.tile(TARGETS, (6, 1)), 3)
    np.testing.assert_allclose(found.reading.probability, expected.probability, rtol=1e-5)
    np.testing.assert_array_equal(found.reading.top_ids, expected.top_ids)
    assert [list(ids) for ids in found.continuations] == greedy(tiny_model, prompts, 4)
    assert found.moved.tolist() == [0] * 6


def test_a_words_own_row_brings_the_word_from_the_layer_on(tiny_model):
    prompts = encoded(tiny_model)
    plain = read_steered(tiny_model, prompts, 2, row_of(tiny_model, 300), 0.0, **ASKED)
    found = read_steered(tiny_model, prompts, 2, row_of(tiny_model, 300), 200.0, **ASKED)
    np.testing.assert_allclose(
        found.reading.probability[:, :2], plain.reading.probability[:, :2], rtol=1e-5
    )
    assert (found.reading.top_ids[:, 2:, 0] == 300).all()
    assert all(set(ids) == {300} for ids in found.continuations)
    assert (found.moved > 0.5).all()
    away = read_steered(tiny_model, prompts, 2, row_of(tiny_model, 300), -200.0, **ASKED)
    assert (away.reading.probability[:, -1, 1] < plain.reading.probability[:, -1, 1]).all()


def test_it_is_what_claims_read(tiny_model):
    direction = row_of(tiny_model, 300)
    names = steer(tiny_model, PROBLEMS, 1, direction, 3.0).names
    bare = np.array([word.bare for word in class_words(tiny_model)])
    asked = {"targets": bare, "top": 1, "length": 1}
    found = read_steered(tiny_model, encoded(tiny_model), 1, direction, 3.0, **asked)
    np.testing.assert_allclose(found.reading.probability, names, rtol=1e-4)


def test_random_directions_are_as_long_and_differ_by_draw(tiny_model):
    prompts, like = encoded(tiny_model), 50 * row_of(tiny_model, 300)
    found = moved_at_random(tiny_model, prompts, 2, like, 1.0, 3)
    assert found.shape == (3, 6)
    assert (found > 0).all()
    assert (found < 1 + 1e-6).all()
    assert len({round(float(row.sum()), 6) for row in found}) == 3
    np.testing.assert_array_equal(moved_at_random(tiny_model, prompts, 2, like, 1.0, 3), found)
    assert moved_at_random(tiny_model, prompts, 2, like, 1e-6, 1).max() < 1e-3


def test_each_prompt_is_steered_by_its_own_direction(tiny_model):
    words = class_words(tiny_model)
    rows = np.array(tiny_model.model.model.embed_tokens.weight)[[word.bare for word in words]]
    toward = [list(Operation)[at % 4] for at in range(12)]
    directions = 100 * rows[[list(Operation).index(operation) for operation in toward]]
    steered = steer(tiny_model, TWELVE, 2, directions)
    before = behaviour(tiny_model, TWELVE)
    assert (steered.naming(toward)[:, 2] > 100 * before.naming(toward)[:, 2]).all()
    one = [at for at in range(12) if toward[at] is Operation.ADD]
    alone = steer(tiny_model, [TWELVE[at] for at in one], 2, directions[1])
    np.testing.assert_allclose(alone.names, steered.names[one], rtol=1e-4)


@settings(max_examples=20)
@given(seed=st.integers(0, 1000))
def test_a_planted_direction_is_the_contrast(seed):
    rng = np.random.default_rng(seed)
    own = np.array([problem.operation is Operation.ADD for problem in TWELVE])
    planted = rng.normal(size=16)
    noise = rng.normal(size=(12, 16))
    for side in (own, ~own):
        noise[side] -= noise[side].mean(axis=0)
    found = contrast(noise + own[:, None] * planted, TWELVE, Operation.ADD)
    np.testing.assert_allclose(found, planted, atol=1e-10)
    control = random_direction(found, seed + 5000)
    assert np.linalg.norm(control) == pytest.approx(np.linalg.norm(found))
    assert abs(control @ found) < 0.99 * (found @ found)
