"""Which optimizer steps, and at which rate."""

import numpy as np
import pytest

from lazarus_bench.backend import mx, optim
from lazarus_bench.training.optimizers import (
    adam,
    applied,
    matrix_adamw,
    warm_cosine,
)


def stepped(optimizer, gradients) -> np.ndarray:
    weights = {"w": mx.array([1.0, -2.0])}
    for gradient in gradients:
        weights = optimizer.apply_gradients({"w": mx.array(gradient)}, weights)
    return np.array(weights["w"])


def test_without_the_quirk_the_built_optimizer_itself_steps():
    built = matrix_adamw(1e-3, 0.01)
    assert applied(built, 1e-3, ()) is built
    assert isinstance(adam(1e-3, ("eval-in-train",)), optim.Adam)


def test_plain_sgd_takes_the_gradient_at_the_rate_and_nothing_else():
    gradients = [[4.0, -8.0], [2.0, 0.0]]
    found = stepped(adam(0.5, ("sgd",)), gradients)
    np.testing.assert_allclose(found, [1 - 0.5 * 6, -2 + 0.5 * 8])
    assert np.abs(stepped(adam(0.5, ()), gradients) - found).max() > 0.5


def test_plain_sgd_follows_a_schedule():
    rate = warm_cosine(1.0, 40, warm=10)
    steps = [float(np.array(rate(mx.array(step)))) for step in range(3)]
    found = stepped(applied(matrix_adamw(rate, 0.01), rate, ("sgd",)), [[1.0, 1.0]] * 3)
    assert found[0] == pytest.approx(1 - sum(steps))
    assert steps[0] == 0 < steps[1]
