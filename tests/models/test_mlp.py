"""An MLP that keeps little: the same numbers to the bit, less memory, and when it stands back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlx.utils import tree_flatten

from lazarus_bench.backend import EXP, mx, nn
from lazarus_bench.benchmark.workloads import Shape, write_llama
from lazarus_bench.models import mlp
from lazarus_bench.models.adapters import Lora, add_lora, without_adapter
from lazarus_bench.models.load import load

pytestmark = pytest.mark.skipif(EXP != "numpy", reason="mlx's own exp() is not evaluated early")


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return write_llama(tmp_path_factory.mktemp("llama"), Shape(layers=3, width=64))


def adapted(directory, targets="all"):
    """The model with LoRA whose B is not 0, as after some steps."""
    loaded = load(directory)
    add_lora(loaded, Lora(keys=loaded.anatomy.target_keys(targets), rank=4, scale=3.0))
    mx.random.seed(1)
    for name, weight in tree_flatten(loaded.model.trainable_parameters()):
        module = loaded.model
        *path, last = name.split(".")
        for step in path:
            module = module[int(step)] if step.isdecimal() else module[step]
        module[last] = 0.1 * mx.random.normal(weight.shape)
    return loaded


def loss(model, tokens):
    return nn.losses.cross_entropy(model(tokens[:, :-1]), tokens[:, 1:]).mean()


def gradient(model, tokens):
    """Loss and gradients as numpy's."""
    value, found = nn.value_and_grad(model, loss)(model, tokens)
    mx.eval(value, found)
    return float(value), {name: np.array(g) for name, g in tree_flatten(found)}


def tokens_of(rows: int, length: int, seed: int = 0) -> mx.array:
    return mx.array(np.random.default_rng(seed).integers(3, 900, (rows, length)))


@pytest.fixture
def usual(monkeypatch):
    """A way to do something with mlx-lm's own MLPs."""

    def do(work):
        with monkeypatch.context() as patch:
            patch.setattr(mlp, "LEAST", 1 << 62)
            return work()

    return do


def lean_blocks(loaded) -> list[bool]:
    return [type(block.mlp).__name__ == "Lean" for block in loaded.model.model.layers]


@settings(max_examples=12, deadline=None)
@given(rows=st.integers(1, 9), length=st.integers(3, 40), seed=st.integers(0, 99))
def test_values_and_gradients_are_the_same_to_the_bit(directory, rows, length, seed):
    loaded, tokens = adapted(directory), tokens_of(rows, length, seed)
    assert all(lean_blocks(loaded))
    kept, mlp.LEAST = mlp.LEAST, 0
    try:
        value, found = gradient(loaded.model, tokens)
        mlp.LEAST = 1 << 62
        expected_value, expected = gradient(loaded.model, tokens)
    finally:
        mlp.LEAST = kept
    assert value == expected_value
    assert set(found) == set(expected)
    assert all(np.abs(one).max() > 0 for one in expected.values())
    for name, one in found.items():
        np.testing.assert_array_equal(one, expected[name], err_msg=name)


def test_a_gradient_needs_less_memory(directory, usual):
    loaded, tokens = adapted(directory), tokens_of(16, 33)

    def peak():
        gradient(loaded.model, tokens)
        mx.clear_cache()
        before = mx.get_active_memory()
        mx.reset_peak_memory()
        gradient(loaded.model, tokens)
        return mx.get_peak_memory() - before

    assert peak() < 0.85 * usual(peak)


def test_weights_exchanged_since_are_the_ones_that_count(directory, usual):
    loaded, tokens = adapted(directory), tokens_of(8, 20)
    before, _ = gradient(loaded.model, tokens)
    for block in loaded.model.model.layers:
        linear = block.mlp.up_proj.linear
        linear.weight = 2 * linear.weight
    after, found = gradient(loaded.model, tokens)
    expected_value, expected = usual(lambda: gradient(loaded.model, tokens))
    assert after == expected_value != before
    for name, one in found.items():
        np.testing.assert_array_equal(one, expected[name], err_msg=name)


def test_weights_that_are_trained_too_have_their_gradient(directory, usual):
    loaded, tokens = adapted(directory), tokens_of(8, 20)
    loaded.model.model.layers[1].mlp.gate_proj.linear.unfreeze()
    _, found = gradient(loaded.model, tokens)
    _, expected = usual(lambda: gradient(loaded.model, tokens))
    name = "model.layers.1.mlp.gate_proj.linear.weight"
    assert np.abs(found[name]).max() > 0
    np.testing.assert_array_equal(found[name], expected[name])


def fused(linears, name):
    setattr(linears, name, getattr(linears, name).fuse())


def quantised(linears, name):
    linear = getattr(linears, name)
    if name == "down_proj":
        linear.linear = nn.QuantizedLinear.from_linear(linear.linear, bits=8)


@pytest.mark.parametrize("change", [fused, quantised])
def test_a_model_changed_since_goes_its_usual_way(directory, usual, change):
    loaded, tokens = adapted(directory), tokens_of(8, 20)
    for block in loaded.model.model.layers:
        for name in mlp.LINEARS:
            change(block.mlp, name)
    np.testing.assert_array_equal(
        np.array(loaded.model(tokens)), usual(lambda: np.array(loaded.model(tokens)))
    )


def test_without_the_adapter_it_is_the_base(directory):
    loaded, tokens = adapted(directory), tokens_of(8, 20)
    with without_adapter(loaded.model):
        np.testing.assert_array_equal(
            np.array(loaded.model(tokens)), np.array(load(directory).model(tokens))
        )


def test_where_mlx_only_traces_it_stands_back(directory):
    mlp = adapted(directory).model.model.layers[0].mlp
    x = mx.random.normal((3, 80, 64))
    expected = np.stack([np.array(mlp(one)) for one in x])
    np.testing.assert_allclose(np.array(mx.vmap(mlp)(x)), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("targets", ["vo", "qk"])
def test_it_is_for_mlps_with_lora(directory, targets):
    assert not any(lean_blocks(adapted(directory, targets)))


def test_the_parameters_keep_their_names_and_order(directory, monkeypatch):
    names = [name for name, _ in tree_flatten(adapted(directory).model.parameters())]
    monkeypatch.setattr(mlp, "by_numpy", lambda: False)
    plain = adapted(directory)
    assert not any(lean_blocks(plain))
    assert [name for name, _ in tree_flatten(plain.model.parameters())] == names
