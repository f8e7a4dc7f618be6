"""Patching: a patched last layer is the clean prompt, an untouched position changes nothing."""

import numpy as np
import pytest
from scipy.special import log_softmax

from lazarus_bench.analysis.behaviour import behaviour
from lazarus_bench.analysis.patching import Patching, patch, patch_pairs
from lazarus_bench.backend import mx
from lazarus_bench.models.anatomy import blocks
from lazarus_bench.models.load import load
from lazarus_bench.tasks.arithmetic import held_out

PROBLEMS, OTHERS = held_out(12, 3), held_out(12, 8)
WRITER = 2  # As in conftest.
CLEAN = ["7 * 8 = ", "6 * 4 = ", "12 * 5 = "]
CORRUPTED = ["7 + 8 = ", "6 + 4 = ", "12 - 5 = "]


def encoded(loaded, texts):
    return [loaded.encode(text) for text in texts]


def pairs(loaded, answers=(5, 9), layers=(0, 1, 2, 3)):
    sides = encoded(loaded, CLEAN), encoded(loaded, CORRUPTED)
    return patch_pairs(loaded, *sides, [answers] * 3, layers)


def log_p(loaded, tokens, answers=(5, 9)):
    logits = np.array(loaded.model(mx.array([tokens]))[0, -1], dtype=np.float64)
    return log_softmax(logits)[list(answers)]


def test_the_ends_are_the_prompts_as_they_are(tiny_model):
    for at, found in enumerate(pairs(tiny_model)):
        clean, corrupted = (tiny_model.encode(side[at]) for side in (CLEAN, CORRUPTED))
        np.testing.assert_allclose(found.clean, log_p(tiny_model, clean), atol=1e-4)
        np.testing.assert_allclose(found.corrupted, log_p(tiny_model, corrupted), atol=1e-4)


def test_the_last_position_of_the_last_layer_recovers_all_and_no_other_anything(tiny_model):
    for found in pairs(tiny_model):
        np.testing.assert_allclose(found.recovered[3, -1], 1, atol=1e-3)
        np.testing.assert_allclose(found.recovered[3, :-1], 0, atol=1e-3)
        assert found.probability[3, -1] == pytest.approx(np.exp(found.clean[0]), rel=1e-3)


def test_positions_before_the_prompts_differ_carry_nothing(tiny_model):
    for at, found in enumerate(pairs(tiny_model)):
        clean, corrupted = (tiny_model.encode(side[at]) for side in (CLEAN, CORRUPTED))
        first = next(i for i, (a, b) in enumerate(zip(clean, corrupted, strict=True)) if a != b)
        assert first > 0
        np.testing.assert_allclose(found.recovered[:, :first], 0, atol=1e-3)
        assert np.abs(found.recovered[0, first]) > 0.01


def test_each_token_alone_carries_what_it_is_where_nothing_moves_between_them(tiny):
    """Attention silenced, the last position is all there is: the others recover nothing."""
    loaded = load(tiny)
    for block in blocks(loaded.model, loaded.anatomy):
        block.self_attn.o_proj.weight = mx.zeros_like(block.self_attn.o_proj.weight)
    clean, corrupted = [[3, 7, 9]], [[3, 8, 4]]
    (found,) = patch_pairs(loaded, clean, corrupted, [(5, 9)], (0, 1, 2, 3))
    np.testing.assert_allclose(found.recovered[:, -1], 1, atol=1e-3)
    np.testing.assert_allclose(found.recovered[:, :-1], 0, atol=1e-3)


def test_layers_are_in_the_order_asked_for(tiny_model):
    every, chosen = pairs(tiny_model)[0], pairs(tiny_model, layers=(3, 1))[0]
    np.testing.assert_allclose(chosen.patched, every.patched[[3, 1]], atol=1e-6)


def test_shares_are_of_the_gap_in_log_odds():
    patched = np.array([[[-1.0, -1.0], [-3.0, -1.0], [-1.0, -3.0]]])
    found = Patching(
        clean=np.array([-1.0, -2.0]), corrupted=np.array([-2.0, -1.0]), patched=patched
    )
    assert found.gap == 2
    np.testing.assert_allclose(found.recovered, [[0.5, -0.5, 1.5]])
    np.testing.assert_allclose(found.probability, np.exp(patched[:, :, 0]))
    none = Patching(clean=found.clean, corrupted=found.clean, patched=patched)
    assert np.isnan(none.recovered).all()


def test_an_answer_patched_away_is_lost_and_patched_back_returns(writer, fifty_six, states_of):
    silent = states_of(writer, fifty_six)[:, WRITER - 1]
    assert not patch(writer, fifty_six, WRITER, silent).correct.any()
    spoken = states_of(writer, fifty_six)[:, WRITER]
    for layer in (0, 1):
        back = patch(writer, fifty_six, layer, silent)
        assert back.correct.all()
    assert patch(writer, fifty_six, 3, spoken).correct.all()


def test_a_patched_last_layer_says_what_the_other_prompt_says(tiny_model, states_of):
    states = states_of(tiny_model, OTHERS)
    patched = patch(tiny_model, PROBLEMS, 3, states[:, 3])
    other = behaviour(tiny_model, OTHERS)
    np.testing.assert_allclose(patched.names[:, 3], other.names[:, 3], rtol=1e-5)
    assert not np.allclose(patched.names[:, 2], other.names[:, 2], rtol=1e-2)


def test_own_states_change_nothing(tiny_model, states_of):
    before, states = behaviour(tiny_model, PROBLEMS), states_of(tiny_model, PROBLEMS)
    for layer in range(4):
        after = patch(tiny_model, PROBLEMS, layer, states[:, layer])
        assert after.given == before.given
        np.testing.assert_allclose(after.names, before.names, rtol=1e-5)
        np.testing.assert_allclose(after.probability, before.probability, rtol=1e-5)
