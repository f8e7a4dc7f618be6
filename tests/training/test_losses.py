"""Losses: equal to NumPy's, only where there is a label; their gradients block by block."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trainings import gradients, log_softmax, number

from lazarus_bench.backend import mx
from lazarus_bench.models.adapters import unfreeze_blocks
from lazarus_bench.models.anatomy import unembed
from lazarus_bench.models.load import load
from lazarus_bench.models.prompts import Example, collate
from lazarus_bench.models.taps import residual_stream
from lazarus_bench.tasks.arithmetic import held_out
from lazarus_bench.training.arithmetic_data import examples_of, gold_tokens
from lazarus_bench.training.dual_reward import dual_loss
from lazarus_bench.training.losses import (
    TRUE_ANSWER,
    class_gradient,
    class_loss,
    sft_loss,
)

EXAMPLES = [
    Example(prompt=(0, 5, 6, 7), answer=(80, 1), gold=(300,)),
    Example(prompt=(0, 9), answer=(81,), gold=(301,)),
    Example(prompt=(0, 9, 40, 41, 42, 43), answer=(82, 83, 84, 1), gold=(302,)),
]


def answer_by_hand(loaded, examples, shift: int = 1) -> float:
    """Mean loss of the answer tokens, each under the logits `shift` positions before it."""
    losses = []
    for example in examples:
        log_p = log_softmax(loaded.model(mx.array([list(example.tokens)])))[0]
        for at in range(len(example.prompt), len(example.tokens)):
            losses.append(-log_p[at - shift, example.tokens[at]])
    return float(np.mean(losses))


def class_by_hand(loaded, examples, layer) -> float:
    losses = []
    for example in examples:
        tokens = mx.array([list(example.prompt)])
        state = residual_stream(loaded.model, loaded.anatomy, tokens)[layer][0, -1]
        losses.append(-log_softmax(unembed(loaded.model, loaded.anatomy, state))[example.gold[0]])
    return float(np.mean(losses))


def test_sft_scores_shifted_answer_tokens(tiny_model):
    ours = number(sft_loss(tiny_model.model, tiny_model.anatomy, collate(EXAMPLES, pad=2)))
    assert ours == pytest.approx(answer_by_hand(tiny_model, EXAMPLES), rel=1e-5)


@pytest.mark.parametrize("layer", range(4))
def test_the_class_loss_is_of_the_last_prompt_position_at_its_layer(tiny_model, layer):
    batch = collate(EXAMPLES, pad=2)
    residuals = residual_stream(tiny_model.model, tiny_model.anatomy, batch.tokens)
    ours = number(class_loss(tiny_model.model, tiny_model.anatomy, residuals, batch, layer))
    assert ours == pytest.approx(class_by_hand(tiny_model, EXAMPLES, layer), rel=1e-5)


@settings(max_examples=12)
@given(weight=st.floats(0, 1), layer=st.integers(0, 3))
def test_dual_reward_weighs_its_two_parts(tiny_model, weight, layer):
    loss = dual_loss(tiny_model.anatomy, layer, weight)
    value, parts = loss(tiny_model.model, collate(EXAMPLES, pad=2))
    label = class_by_hand(tiny_model, EXAMPLES, layer)
    answer = answer_by_hand(tiny_model, EXAMPLES)
    assert number(value) == pytest.approx(weight * label + (1 - weight) * answer, rel=1e-5)
    assert number(parts["class"]) == pytest.approx(label, rel=1e-5)
    assert number(parts["answer"]) == pytest.approx(answer, rel=1e-5)


def test_unshifted_labels_score_a_token_at_its_own_position_and_log_the_true_loss(tiny_model):
    loss = dual_loss(tiny_model.anatomy, 2, 0.4, ("unshifted-labels",))
    value, parts = loss(tiny_model.model, collate(EXAMPLES, pad=2))
    copied, true = (answer_by_hand(tiny_model, EXAMPLES, shift) for shift in (0, 1))
    assert abs(copied - true) > 1e-3
    assert number(parts["answer"]) == pytest.approx(copied, rel=1e-5)
    assert number(parts[TRUE_ANSWER]) == pytest.approx(true, rel=1e-5)
    label = class_by_hand(tiny_model, EXAMPLES, 2)
    assert number(value) == pytest.approx(0.4 * label + 0.6 * copied, rel=1e-5)


def test_the_class_at_the_answers_end_is_read_at_its_last_token(tiny_model):
    loss = dual_loss(tiny_model.anatomy, 2, 0.4, ("class-at-answer-end",))
    value, parts = loss(tiny_model.model, collate(EXAMPLES, pad=2))
    ends = [Example(prompt=e.tokens, answer=(3,), gold=e.gold) for e in EXAMPLES]
    label, answer = class_by_hand(tiny_model, ends, 2), answer_by_hand(tiny_model, EXAMPLES)
    assert abs(label - class_by_hand(tiny_model, EXAMPLES, 2)) > 1e-3
    assert number(parts["class"]) == pytest.approx(label, rel=1e-5)
    assert number(value) == pytest.approx(0.4 * label + 0.6 * answer, rel=1e-5)


PROBLEMS = held_out(12, 0)
LAYER = 1


@pytest.fixture(scope="module")
def found(tiny):
    return class_gradient(tiny, PROBLEMS, LAYER)


def test_the_class_loss_has_no_gradient_after_its_layer_and_the_answer_loss_has(tiny, found):
    assert (found.class_norm > 0).tolist() == [True, True, False, False]
    assert (found.answer_norm > 0).tolist() == [True] * 4
    assert not found.cosine[LAYER + 1 :].any()
    assert (np.abs(found.cosine) <= 1 + 1e-9).all()
    assert found.cosine[: LAYER + 1].any()
    assert (class_gradient(tiny, PROBLEMS, 3).class_norm > 0).all()


def test_norms_and_cosines_are_of_all_the_weights_of_a_block(tiny, found):
    loaded = load(tiny)
    unfreeze_blocks(loaded)
    batch = collate(examples_of(loaded, PROBLEMS, gold_tokens(loaded)), 0)

    def named(model):
        states = residual_stream(model, loaded.anatomy, batch.tokens)
        return class_loss(model, loaded.anatomy, states, batch, LAYER)

    sides = named, lambda model: sft_loss(model, loaded.anatomy, batch)
    flat = [gradients(loaded.model, side) for side in sides]
    for block in range(4):
        one, other = (
            np.concatenate([g.ravel() for name, g in side.items() if f".layers.{block}." in name])
            for side in flat
        )
        assert found.class_norm[block] == pytest.approx(np.linalg.norm(one), rel=1e-4)
        assert found.answer_norm[block] == pytest.approx(np.linalg.norm(other), rel=1e-4)
        product = found.cosine[block] * np.linalg.norm(one) * np.linalg.norm(other)
        assert product == pytest.approx(one @ other, rel=1e-4, abs=1e-6)
