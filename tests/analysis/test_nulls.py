"""Nulls: the maximum over layers stands inside each permutation."""

import numpy as np
import pytest

from lazarus_bench.analysis.nulls import LayerNull, isotropic
from lazarus_bench.models import lab


def test_the_maximum_is_taken_inside_each_permutation():
    null = LayerNull(
        observed=np.array([0.3, 0.5]),
        permuted=np.array([[0.5, 0.1], [0.2, 0.6], [0.3, 0.3], [0.1, 0.2]]),
    )
    assert null.maxima.tolist() == [0.5, 0.6, 0.3, 0.2]
    assert null.p_value == pytest.approx(3 / 5)
    assert null.layer_p_values.tolist() == pytest.approx([4 / 5, 3 / 5])
    assert null.excess == pytest.approx(0.1)


def test_equal_values_count_as_reached_whatever_their_last_digit():
    null = LayerNull(observed=np.array([0.1 + 0.2]), permuted=np.array([[0.3], [0.3 - 1e-6]]))
    assert null.p_value == pytest.approx(2 / 3)


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
