"""Gradients block by block: by finite differences, and none beyond the layer that is read."""

import numpy as np
import pytest

from lazarus_bench.models.load import load
from lazarus_bench.models.prompts import collate
from lazarus_bench.models.taps import residual_stream
from lazarus_bench.tasks.arithmetic import held_out
from lazarus_bench.training.arithmetic_data import examples_of, gold_tokens
from lazarus_bench.training.losses import answer_loss, class_gradient, class_loss

PROBLEMS = held_out(12, 0)
LAYER = 1


@pytest.fixture(scope="module")
def found(tiny):
    return class_gradient(tiny, PROBLEMS, LAYER)


def test_the_class_loss_has_no_gradient_after_its_layer_and_the_answer_loss_has(found):
    assert (found.class_norm[: LAYER + 1] > 0).all()
    assert not found.class_norm[LAYER + 1 :].any()
    assert (found.answer_norm > 0).all()
    assert len(found.class_norm) == len(found.answer_norm) == 4


def test_where_one_gradient_is_nothing_there_is_no_cosine(found):
    assert not found.cosine[LAYER + 1 :].any()
    assert (np.abs(found.cosine) <= 1 + 1e-9).all()
    assert found.cosine[: LAYER + 1].any()


def test_read_at_the_last_layer_every_block_has_one(tiny):
    assert (class_gradient(tiny, PROBLEMS, 3).class_norm > 0).all()


def test_the_norm_is_the_steepest_slope(tiny, found):
    """A step along a block's own gradient changes the loss by its norm, to first order."""
    loaded = load(tiny)
    batch = collate(examples_of(loaded, PROBLEMS, gold_tokens(loaded)), 0)
    losses = {
        "class_norm": lambda states: class_loss(loaded.model, loaded.anatomy, states, batch, LAYER),
        "answer_norm": lambda states: answer_loss(loaded.model, loaded.anatomy, states, batch),
    }
    for name, loss in losses.items():
        slope = steepest(loaded, loss, batch, block=0)
        assert slope == pytest.approx(getattr(found, name)[0], rel=0.02)


def steepest(loaded, loss, batch, block):
    """Slope of `loss` along its gradient in one block, by central differences."""
    from mlx.utils import tree_flatten, tree_unflatten

    from lazarus_bench.backend import nn
    from lazarus_bench.models.anatomy import blocks

    part = blocks(loaded.model, loaded.anatomy)[block]
    loaded.model.freeze()
    part.unfreeze()

    def value(model):
        return loss(residual_stream(model, loaded.anatomy, batch.tokens))

    _, gradient = nn.value_and_grad(loaded.model, value)(loaded.model)
    weights = dict(tree_flatten(loaded.model.trainable_parameters()))
    towards = {name: g for name, g in tree_flatten(gradient) if name in weights}
    length = float(sum((g * g).sum().item() for g in towards.values())) ** 0.5

    def at(step):
        moved = {name: w + step * towards[name] / length for name, w in weights.items()}
        loaded.model.update(tree_unflatten(list(moved.items())))
        return value(loaded.model).item()

    slope = (at(1e-2) - at(-1e-2)) / 2e-2
    loaded.model.update(tree_unflatten(list(weights.items())))
    return slope
