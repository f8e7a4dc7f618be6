"""The functions made of mlx operations: close to float64, with derivatives, compiled or not."""

import subprocess
import sys

import claimfiles
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from lazarus_bench import backend, exp
from lazarus_bench.backend import mx, nn
from lazarus_bench.exp import cross_entropy, log_sum_exp, sigmoid, tanh

fused = pytest.mark.skipif(backend.EXP != "fused", reason="mlx's own exp() is in use")
NUMBERS = st.lists(st.floats(-200, 200, width=32), min_size=1, max_size=9)


def wide(x):
    return np.array(x).astype(np.float64)


def close(ours, theirs, at_most=1e-6):
    ours, theirs = wide(ours), wide(theirs)
    assert np.abs(ours - theirs).max() <= at_most * max(1.0, np.abs(theirs).max())


def rows(values, width=3):
    return mx.array(np.resize(np.array(values, dtype=np.float32), (len(values), width)))


@fused
@pytest.mark.parametrize("compiled", [False, True])
def test_exp_is_right_to_the_last_digits_wherever_float32_has_all_of_them(compiled):
    x = mx.linspace(-87, 88, 200_001)
    found = mx.compile(exp.exp)(x) if compiled else exp.exp(x)
    np.testing.assert_allclose(wide(found), np.exp(wide(x)), rtol=2e-7)
    assert 0 < float(np.array(exp.exp(mx.array([-1e30])))[0]) < 2e-38
    assert np.isnan(np.array(exp.exp(mx.array([np.nan])))).all()


@pytest.mark.parametrize(
    ("ours", "theirs", "slope"),
    [
        (sigmoid, special.expit, lambda value: value * (1 - value)),
        (tanh, np.tanh, lambda value: 1 - value**2),
    ],
)
@pytest.mark.parametrize("compiled", [False, True])
def test_sigmoid_and_tanh_and_their_derivatives(ours, theirs, slope, compiled):
    x = mx.concatenate([mx.linspace(-20, 20, 100_001), mx.array([-1e30, 1e30])])
    gradient = mx.grad(lambda x: ours(x).sum())
    both = [mx.compile(f, shapeless=True) if compiled else f for f in (ours, gradient)]
    value, derivative = (f(x) for f in both)
    expected = theirs(wide(x))
    np.testing.assert_allclose(wide(value), expected, atol=3e-7)
    np.testing.assert_allclose(wide(derivative), slope(expected), atol=1e-6)


@given(NUMBERS)
def test_log_sum_exp_with_its_derivative(values):
    x = rows(values)
    close(log_sum_exp(x), special.logsumexp(wide(x), axis=-1, keepdims=True))
    ours = mx.grad(lambda x: (log_sum_exp(x) ** 2).sum())(x)
    close(ours, 2 * wide(log_sum_exp(x)) * special.softmax(wide(x), axis=-1), 2e-5)


@given(NUMBERS, st.integers(0, 2), st.floats(-3, 3, width=32))
def test_cross_entropy_with_its_derivative(values, target, weight):
    logits, targets = rows(values), mx.full((len(values),), target)
    value, slope = mx.value_and_grad(lambda z: (weight * cross_entropy(z, targets)).sum())(logits)
    log_p = special.log_softmax(wide(logits), axis=-1)
    close(value, -weight * log_p[:, target].sum(), 2e-5)
    close(slope, weight * (np.exp(log_p) - np.eye(3)[target]), 2e-5)


def test_improbable_words_keep_their_share_of_the_sum():
    x = mx.concatenate([mx.zeros((1, 1)), mx.full((1, 32_000), -15.0)], axis=1)
    close(log_sum_exp(x), special.logsumexp(wide(x), axis=-1, keepdims=True))
    slope = wide(mx.grad(lambda z: log_sum_exp(z).sum())(x))
    np.testing.assert_allclose(slope, special.softmax(wide(x), axis=-1), rtol=2e-6)


@pytest.mark.parametrize("function", [log_sum_exp, lambda z: cross_entropy(z, mx.arange(5))])
def test_compiled_they_are_the_same(function):
    logits = mx.random.normal((5, 30))
    close(mx.compile(function)(logits), function(logits))
    gradient = mx.grad(lambda z: function(z).sum())
    close(mx.compile(gradient)(logits), gradient(logits))


def test_infinite_and_undefined_numbers():
    x = mx.array([[float("inf"), float("-inf"), float("nan")]])
    assert np.isnan(np.array(sigmoid(x))[0, 2])
    assert np.isnan(np.array(log_sum_exp(x))[0, 0])


def test_half_precision_stays_half():
    assert sigmoid(mx.zeros(3, dtype=mx.bfloat16)).dtype == mx.bfloat16
    assert log_sum_exp(mx.zeros((1, 3), dtype=mx.float16)).dtype == mx.float16


@fused
def test_mlxs_gates_use_our_sigmoid_whenever_they_were_imported():
    from mlx_lm.models.activations import swiglu

    exp.install_sigmoid()
    x = mx.linspace(-9, 9, 50)
    np.testing.assert_array_equal(np.array(nn.sigmoid(x)), np.array(mx.compile(sigmoid)(x)))
    close(swiglu(x, x[::-1]), wide(x) * special.expit(wide(x)) * wide(x[::-1]))


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({backend.EXP_VARIABLE: "mlx"}, "mlx"),
        ({backend.EXP_VARIABLE: "fused"}, "fused"),
        ({"PATH": ""}, "mlx"),
        ({"MLX_DISABLE_COMPILE": "1"}, "mlx"),
    ],
)
def test_the_user_may_choose_and_nothing_fuses_without_a_compiler(variables, found):
    code = "from lazarus_bench import backend; print(backend.manifest().exp)"
    others = {backend.EXP_VARIABLE: ""} | variables
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=claimfiles.clean_environment(**others),
    )
    assert done.stdout.strip() == found


def test_another_exp_is_refused():
    with pytest.raises(backend.UserError, match="LAZARUS_BENCH_EXP=fast is neither fused nor mlx"):
        backend._choose_exp("fast")
