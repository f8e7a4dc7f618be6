"""Losses: equal to NumPy's on the model's own logits, and only where there is a label."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazarus_bench.backend import mx
from lazarus_bench.models.anatomy import unembed
from lazarus_bench.models.prompts import Example, collate
from lazarus_bench.models.taps import residual_stream
from lazarus_bench.training.dual_reward import dual_loss
from lazarus_bench.training.losses import TRUE_ANSWER, answer_loss, class_loss, sft_loss

EXAMPLES = [
    Example(prompt=(0, 5, 6, 7), answer=(80, 1), gold=300),
    Example(prompt=(0, 9), answer=(81,), gold=301),
    Example(prompt=(0, 9, 40, 41, 42, 43), answer=(82, 83, 84, 1), gold=302),
]


def log_softmax(logits: np.ndarray) -> np.ndarray:
    logits = logits.astype(np.float64)
    top = logits.max()
    return logits - top - np.log(np.exp(logits - top).sum())


def answer_by_hand(loaded, examples) -> float:
    losses = []
    for example in examples:
        logits = np.array(loaded.model(mx.array([list(example.tokens)])))[0]
        for at in range(len(example.prompt), len(example.tokens)):
            losses.append(-log_softmax(logits[at - 1])[example.tokens[at]])
    return float(np.mean(losses))


def class_by_hand(loaded, examples, layer) -> float:
    losses = []
    for example in examples:
        tokens = mx.array([list(example.prompt)])
        state = residual_stream(loaded.model, loaded.anatomy, tokens)[layer][0, -1]
        logits = np.array(unembed(loaded.model, loaded.anatomy, state))
        losses.append(-log_softmax(logits)[example.gold])
    return float(np.mean(losses))


def number(value) -> float:
    return float(np.array(value))


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


def test_the_parts_differ_here_so_that_swapping_them_would_show(tiny_model):
    label = class_by_hand(tiny_model, EXAMPLES, 2)
    assert abs(label - answer_by_hand(tiny_model, EXAMPLES)) > 1e-3


def test_without_a_quirk_the_loss_is_the_weighted_sum_to_the_last_bit(tiny_model):
    model, anatomy, batch = tiny_model.model, tiny_model.anatomy, collate(EXAMPLES, pad=2)
    value, parts = dual_loss(anatomy, 2, 0.4)(model, batch)
    residuals = residual_stream(model, anatomy, batch.tokens)
    answer = answer_loss(model, anatomy, residuals, batch)
    label = class_loss(model, anatomy, residuals, batch, 2)
    assert number(value) == number(0.4 * label + (1 - 0.4) * answer)
    assert {name: number(part) for name, part in parts.items()} == {
        "class": number(label),
        "answer": number(answer),
    }


def copied_by_hand(loaded, examples) -> float:
    """Each answer token under the logits at its own position."""
    losses = []
    for example in examples:
        logits = np.array(loaded.model(mx.array([list(example.tokens)])))[0]
        for at in range(len(example.prompt), len(example.tokens)):
            losses.append(-log_softmax(logits[at])[example.tokens[at]])
    return float(np.mean(losses))


def test_unshifted_labels_score_a_token_at_its_own_position_and_log_the_true_loss(tiny_model):
    loss = dual_loss(tiny_model.anatomy, 2, 0.4, ("unshifted-labels",))
    value, parts = loss(tiny_model.model, collate(EXAMPLES, pad=2))
    copied, true = (by(tiny_model, EXAMPLES) for by in (copied_by_hand, answer_by_hand))
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


@pytest.mark.parametrize("quirk", ["unshifted-labels", "class-at-answer-end"])
def test_shards_of_a_quirky_loss_average_to_the_whole(tiny_model, quirk):
    loss, batch = dual_loss(tiny_model.anatomy, 2, 0.4, (quirk,)), collate(EXAMPLES, pad=2)
    whole = number(loss(tiny_model.model, batch)[0])
    shards = [number(loss(tiny_model.model, batch.shard(rank, 2))[0]) for rank in range(2)]
    assert np.mean(shards) == pytest.approx(whole, rel=1e-5)
