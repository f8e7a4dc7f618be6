"""Random directions: reproducible, and none of them a weight of the lab's."""

import numpy as np

from lazarus_bench.analysis.nulls import isotropic
from lazarus_bench.models import lab


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_a_seed_gives_the_same_directions():
    first, again = (isotropic(3).normal(size=(4, 5)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, isotropic(4).normal(size=(4, 5)))


def test_random_directions_are_not_the_weights_that_the_lab_draws_of_the_same_seed():
    """They once were: the seed (0, 0) is numpy's 0."""
    config = lab.config_of("llama")
    rows = unit(isotropic(0).normal(size=(200, config["hidden_size"])))
    from mlx.utils import tree_flatten

    for _, weight in tree_flatten(lab.initialise(config, 0).parameters()):
        if weight.ndim == 2 and weight.shape[1] == rows.shape[1]:
            assert (rows @ unit(np.array(weight) + 1e-12).T).max() < 0.8
