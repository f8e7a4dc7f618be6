"""Nulls: the maximum over layers stands inside each permutation."""

import numpy as np
import pytest

from lazarus_bench.analysis.nulls import LayerNull


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
