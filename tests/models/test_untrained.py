"""The randomly initialised control: the same shape, other weights, the same ones every time."""

import numpy as np
from mlx.utils import tree_flatten

from lazarus_bench import backend
from lazarus_bench.models.load import verify_anatomy
from lazarus_bench.models.untrained import randomise


def weights(loaded):
    return {name: np.array(array) for name, array in tree_flatten(loaded.model.parameters())}


def test_the_shape_is_kept_and_every_matrix_is_drawn_anew(tiny_model):
    control = randomise(tiny_model)
    verify_anatomy(control)
    assert control.name == f"{tiny_model.name}, random weights"
    ours, theirs = weights(control), weights(tiny_model)
    assert {n: w.shape for n, w in ours.items()} == {n: w.shape for n, w in theirs.items()}
    assert all(not np.allclose(ours[n], theirs[n]) for n in ours if ours[n].ndim == 2)


def test_the_control_is_the_same_whatever_was_drawn_before(tiny_model):
    first = weights(randomise(tiny_model))
    backend.seed(99)
    second = weights(randomise(tiny_model))
    assert all(np.array_equal(first[n], second[n]) for n in first)
