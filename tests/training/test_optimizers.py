"""Which optimizer steps, and that buckets change how its steps are dispatched and no number."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlx.utils import tree_flatten, tree_map

from lazarus_bench.backend import mx, nn, optim
from lazarus_bench.training.optimizers import (
    Bucketed,
    adam,
    applied,
    buckets_of,
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


OPTIMIZERS = {
    "adam": lambda: optim.Adam(1e-2, bias_correction=True),
    "decayed": lambda: matrix_adamw(1e-2, 0.5),
    "scheduled": lambda: optim.AdamW(optim.linear_schedule(0.0, 1e-2, 3), weight_decay=0.1),
    "momentum": lambda: optim.SGD(1e-2, momentum=0.9),
}


class Net(nn.Module):
    """Matrices, vectors, a tensor of three dimensions, a list of layers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(5, 7), nn.Linear(7, 3, bias=False)]
        self.norm = nn.RMSNorm(5)
        self.experts = mx.random.normal((2, 3, 4))


def arrays(tree: Any) -> dict[str, np.ndarray[Any, Any]]:
    return {name: np.array(array) for name, array in tree_flatten(tree)}


def net_stepped(
    optimizer: Any, clip: float | None, steps: int = 5
) -> dict[str, np.ndarray[Any, Any]]:
    """The parameters of a net after steps along gradients that do not depend on the optimizer."""
    mx.random.seed(7)
    net = Net()
    for _ in range(steps):
        gradients = tree_map(lambda p: mx.random.normal(p.shape), net.trainable_parameters())
        if isinstance(optimizer, Bucketed):
            optimizer.update(net, gradients, clip)
        else:
            clipped = gradients if clip is None else optim.clip_grad_norm(gradients, clip)[0]
            optimizer.update(net, clipped)
    return arrays(net.parameters())


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("clip", [None, 0.5, 1e6])
def test_the_same_bits_as_parameter_by_parameter(name: str, clip: float | None) -> None:
    plain, bucketed = (
        net_stepped(OPTIMIZERS[name](), clip),
        net_stepped(Bucketed(OPTIMIZERS[name]()), clip),
    )
    assert all(np.array_equal(plain[key], bucketed[key]) for key in plain)


def test_frozen_parameters_stay() -> None:
    net = Net()
    net.layers[0].freeze()
    before = arrays(net.parameters())
    ones = tree_map(mx.ones_like, net.trainable_parameters())
    Bucketed(OPTIMIZERS["decayed"]()).update(net, ones)
    after = arrays(net.parameters())
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    assert moved == {"layers.1.weight", "norm.weight", "experts"}


shapes = st.lists(
    st.lists(st.integers(1, 6), min_size=1, max_size=3).map(tuple), min_size=1, max_size=12
)


@given(shapes=shapes, longest=st.integers(1, 60))
@settings(max_examples=50, deadline=None)
def test_packing_loses_nothing_and_mixes_no_kinds(
    shapes: list[tuple[int, ...]], longest: int
) -> None:
    given_arrays = {str(i): mx.random.normal(shape) for i, shape in enumerate(shapes)}
    buckets = buckets_of(given_arrays, longest)
    found: dict[str, mx.array] = {}
    for bucket in buckets:
        flat = bucket.pack(given_arrays)
        assert flat.size <= longest or len(bucket.names) == 1
        assert {len(shape) > 1 for shape in bucket.shapes} == {flat.ndim > 1}
        found |= bucket.unpack(flat)
    assert found.keys() == given_arrays.keys()
    assert all(mx.array_equal(found[name], given_arrays[name]) for name in found)


def test_kinds_of_numbers_stay_apart() -> None:
    mixed = {"a": mx.zeros((2, 2)), "b": mx.zeros((2, 2), dtype=mx.float16)}
    assert [bucket.names for bucket in buckets_of(mixed)] == [("a",), ("b",)]


def test_an_optimizer_that_looks_at_neighbours_is_refused() -> None:
    with pytest.raises(TypeError, match="Muon is not an elementwise optimizer"):
        Bucketed(optim.Muon(1e-2))


def test_parameters_set_between_steps_are_the_ones_that_move() -> None:
    def moved(optimizer: Any) -> dict[str, np.ndarray[Any, Any]]:
        net = Net()
        for step in range(3):
            net.norm.weight = mx.full((5,), float(step))
            optimizer.update(net, tree_map(mx.ones_like, net.trainable_parameters()))
        return arrays(net.parameters())

    mx.random.seed(3)
    plain = moved(OPTIMIZERS["decayed"]())
    mx.random.seed(3)
    bucketed = moved(Bucketed(OPTIMIZERS["decayed"]()))
    assert all(np.array_equal(plain[key], bucketed[key]) for key in plain)
