"""exp() by numpy: the same functions as mlx's, with the same derivatives."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazarus_bench import backend, exponentials
from lazarus_bench.backend import mx, nn
from lazarus_bench.exponentials import cross_entropy, log_sum_exp, sigmoid, tanh
from lazarus_bench.models import mlp

in_numpy = pytest.mark.skipif(backend.EXP != "numpy", reason="mlx's own exp() is in use")

NUMBERS = st.floats(-200, 200, width=32)


def close(ours, theirs, at_most=1e-6):
    ours, theirs = np.array(ours), np.array(theirs)
    assert np.abs(ours - theirs).max() <= at_most * max(1.0, np.abs(theirs).max())


def rows(values, width=3):
    return mx.array(np.resize(np.array(values, dtype=np.float32), (len(values), width)))


@pytest.mark.parametrize(("ours", "theirs"), [(sigmoid, mx.sigmoid), (tanh, mx.tanh)])
@given(st.lists(NUMBERS, min_size=1, max_size=9))
def test_pointwise_functions_are_mlxs_own_with_their_derivatives(ours, theirs, values):
    x = rows(values)
    close(ours(x), theirs(x))
    close(mx.grad(lambda x: ours(x).sum())(x), mx.grad(lambda x: theirs(x).sum())(x))


@given(st.lists(NUMBERS, min_size=1, max_size=9))
def test_log_sum_exp_is_mlxs_own_with_its_derivative(values):
    x = rows(values)
    close(log_sum_exp(x), mx.logsumexp(x, axis=-1, keepdims=True))
    ours = mx.grad(lambda x: (log_sum_exp(x) ** 2).sum())(x)
    close(ours, mx.grad(lambda x: (mx.logsumexp(x, axis=-1) ** 2).sum())(x), 1e-5)


def test_more_rows_than_a_block_holds(monkeypatch):
    monkeypatch.setattr(exponentials, "BLOCK", 100)
    logits, targets = mx.random.normal((37, 30)), mx.random.randint(0, 30, (37,))
    close(cross_entropy(logits, targets), nn.losses.cross_entropy(logits, targets))
    ours = mx.grad(lambda z: cross_entropy(z, targets).sum())(logits)
    close(ours, mx.grad(lambda z: nn.losses.cross_entropy(z, targets).sum())(logits))


def composed(logits, targets):
    chosen = mx.take_along_axis(logits, targets[:, None], axis=-1)
    return (log_sum_exp(logits) - chosen)[:, 0]


@given(st.lists(NUMBERS, min_size=1, max_size=9), st.integers(0, 2), st.floats(-3, 3, width=32))
def test_one_pass_gives_the_bits_of_the_sum_of_derivatives(values, target, weight):
    logits, targets = rows(values), mx.full((len(values),), target)
    ours, theirs = (
        mx.value_and_grad(lambda z, f=f: (weight * f(z, targets)).sum())(logits)
        for f in (cross_entropy, composed)
    )
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(np.array(one), np.array(other))


def test_compiled_cross_entropy_is_mlxs_own():
    logits, targets = mx.random.normal((5, 30)), mx.random.randint(0, 30, (5,))
    compiled = mx.compile(mx.grad(lambda z: cross_entropy(z, targets).sum()))(logits)
    close(compiled, mx.grad(lambda z: nn.losses.cross_entropy(z, targets).sum())(logits))


def test_infinite_and_undefined_numbers_pass_without_a_warning():
    x = mx.array([[float("inf"), float("-inf"), float("nan")]])
    assert np.array(sigmoid(x))[0, :2].tolist() == [1.0, 0.0]
    assert np.isnan(np.array(sigmoid(x))[0, 2])
    assert np.isnan(np.array(log_sum_exp(x))[0, 0])


@pytest.mark.parametrize("function", [sigmoid, tanh, log_sum_exp])
def test_what_is_only_traced_runs_mlxs_own(function):
    x = mx.array([[0.5, -2.0], [3.0, 40.0]])
    close(mx.compile(function)(x), function(x))
    compiled = mx.compile(mx.grad(lambda x: function(x).sum()))(x)
    close(compiled, mx.grad(lambda x: function(x).sum())(x))


def test_half_precision_stays_half():
    assert sigmoid(mx.zeros(3, dtype=mx.bfloat16)).dtype == mx.bfloat16
    assert log_sum_exp(mx.zeros((1, 3), dtype=mx.float16)).dtype == mx.float16


@pytest.mark.parametrize("gates", ["swiglu", "swiglu_oai"])
def test_gates_are_mlx_lms_own(gates):
    code = f"from mlx_lm.models.activations import {gates} as f; import mlx.core as mx; "
    code += "x = mx.linspace(-9, 9, 50); print(f(x, x[::-1]).tolist())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    x = mx.linspace(-9, 9, 50)
    close(getattr(mlp, gates)(x, x[::-1]), json.loads(done.stdout))


@in_numpy
def test_families_use_ours_whenever_they_were_imported():
    from mlx_lm.models import activations as theirs
    from mlx_lm.models import llama

    mlp.install_gates()
    from mlx_lm.models import qwen2

    assert llama.swiglu is qwen2.swiglu is theirs.swiglu is mlp.swiglu


@pytest.mark.parametrize(("name", "found"), [("mlx", "mlx"), ("numpy", "numpy")])
def test_the_user_may_choose(name, found):
    code = "from lazarus_bench import backend; print(backend.manifest().exp)"
    variables = os.environ | {backend.EXP_VARIABLE: name}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=variables
    )
    assert done.stdout.strip() == found


def test_another_exp_is_refused(monkeypatch):
    with pytest.raises(backend.UserError, match="LAZARUS_BENCH_EXP=fast is neither numpy nor mlx"):
        backend._choose_exp("fast")
