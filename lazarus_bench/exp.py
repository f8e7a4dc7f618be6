"""exp() and functions made of it, as mlx operations that a compiler vectorises.

mlx's kernels for a CPU under Linux call libm for one number at a time, some 15 ns each. The same
functions as sums and products of mlx operations fuse into loops with vector instructions wherever
mlx compiles, which is ten times as fast; on accelerators, for other types than float32 and where no
compiler is installed mlx's own run. `LAZARUS_BENCH_EXP=mlx` chooses mlx's own everywhere: the same
functions with another rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from lazarus_bench import backend
from lazarus_bench.backend import mx

LOG2_E = 1.4426950408889634
LN_2_HIGH, LN_2_LOW = 0.693359375, -2.12194440e-4
"""ln 2 in two parts: an integer of 8 bits times the first is exact in float32 (Cody and Waite)."""

EXP = (1.3742873e-3, 8.3737485e-3, 4.1670248e-2, 1.66666675e-1, 0.49999988, 1.0, 1.0)
"""exp(r) for |r| ≤ ½ ln 2, highest power first: a Chebyshev fit of the relative error (4e-9)."""

LEAST = -87.0
"""Below it exp() is taken at it, 1.6e-38, the last value whose significand is whole."""

TANH_ODD = (
    -2.76076847742355e-16,
    2.00018790482477e-13,
    -8.60467152213735e-11,
    5.12229709037114e-08,
    1.48572235717979e-05,
    6.37261928875436e-04,
    4.89352455891786e-03,
)
TANH_EVEN = (1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03)
"""tanh(x) = x · odd(x²) / even(x²) for |x| ≤ `TANH_MOST`, highest power first: the coefficients of
Eigen's `generic_fast_tanh_float`."""

TANH_MOST = 7.90531110763549805


def fused(x: mx.array) -> bool:
    """Whether the functions of `x` are the ones made here, and not mlx's."""
    return backend.EXP == "fused" and x.dtype == mx.float32


def _polynomial(x: mx.array, coefficients: tuple[float, ...]) -> mx.array:
    """By Horner's scheme."""
    value = coefficients[0] * x + coefficients[1]
    for coefficient in coefficients[2:]:
        value = value * x + coefficient
    return value


def exp(x: mx.array) -> mx.array:
    """The exponential of float32 x ≤ 88, to 2e-7 relative; 1.6e-38 below −87, NaN of NaN."""
    x = mx.where(x < LEAST, LEAST, x)  # which keeps NaN
    power = mx.round(x * LOG2_E)
    rest = (x - power * LN_2_HIGH) - power * LN_2_LOW
    exponent = mx.left_shift(power.astype(mx.int32) + 127, mx.array(23, dtype=mx.int32))
    return _polynomial(rest, EXP) * exponent.view(mx.float32)


def _own_tanh(x: mx.array) -> mx.array:
    x = mx.clip(x, -TANH_MOST, TANH_MOST)
    square = x * x
    return x * _polynomial(square, TANH_ODD) / _polynomial(square, TANH_EVEN)


def _with_slope(x: mx.array, value: mx.array, slope: mx.array) -> mx.array:
    """`value`, whose derivative by `x` is `slope`; NaN of infinite x.

    mlx compiles no `mx.custom_function` without knowing shapes, as mlx-lm compiles its gates.
    """
    return value + mx.stop_gradient(slope) * (x - mx.stop_gradient(x))


@cache
def _differentiable(value: Callable[..., Any], vjp: Callable[..., Any]) -> Any:
    """`value` with the derivative `vjp` for mlx, made when it is first called for."""
    function: Any = mx.custom_function(value)
    function.vjp(vjp)
    return function


def tanh(x: mx.array) -> mx.array:
    """The hyperbolic tangent, elementwise, to 3e-7 absolute."""
    if not fused(x):
        return mx.tanh(x)
    value = mx.stop_gradient(_own_tanh(x))
    return _with_slope(x, value, 1 - value * value)


@cache
def install_sigmoid() -> None:
    """Have `mx.sigmoid`, by which mlx and mlx-lm define their gates, be `sigmoid` in this process.

    Done where models are made or loaded; every family then has it, whenever it was imported.
    """
    import mlx.core

    if backend.EXP == "fused":
        mlx.core.sigmoid = sigmoid


def sigmoid(x: mx.array, *, stream: Any = None) -> mx.array:
    """1 / (1 + exp(−x)), elementwise, to 1e-7 absolute."""
    if not (isinstance(x, mx.array) and fused(x)):
        return mx.sigmoid(x, stream=stream)  # `backend`'s name for it, which stays mlx's
    value = mx.stop_gradient(0.5 * _own_tanh(0.5 * x) + 0.5)
    return _with_slope(x, value, value * (1 - value))


def _shifted_exp(x: mx.array, by: mx.array) -> mx.array:
    """exp(x − by) of `[row, number]` and `[row, 1]`."""
    # `contiguous` keeps the subtraction, which has its own loop for a number a row, out of the
    # fused kernel: with an operand broadcast along rows that one would not be vectorised.
    return mx.contiguous(exp(mx.contiguous(x - by)))


def _own_log_sum_exp(x: mx.array) -> mx.array:
    most = x.max(axis=-1, keepdims=True)
    return mx.log(_shifted_exp(x, most).sum(axis=-1, keepdims=True)) + most


def _log_sum_exp_vjp(x: mx.array, cotangent: mx.array, value: mx.array) -> mx.array:
    return cotangent * _shifted_exp(x, value)


@cache
def _compiled_log_sum_exp() -> Any:
    return mx.compile(_differentiable(_own_log_sum_exp, _log_sum_exp_vjp))


def log_sum_exp(x: mx.array) -> mx.array:
    """Log of the sum of exp(x) over the last axis of `[..., number]`, as `[..., 1]`."""
    if fused(x):
        found: mx.array = _compiled_log_sum_exp()(x)
        return found
    return mx.logsumexp(x, axis=-1, keepdims=True)


def _cross_entropy(logits: mx.array, targets: mx.array) -> tuple[mx.array, mx.array]:
    log_z = _own_log_sum_exp(logits)
    chosen = mx.take_along_axis(logits, targets[:, None], axis=-1)
    return (log_z - chosen)[:, 0], log_z


def _cross_entropy_vjp(
    given: tuple[mx.array, mx.array],
    cotangents: tuple[mx.array, mx.array],
    found: tuple[mx.array, mx.array],
) -> tuple[mx.array, mx.array]:
    (logits, targets), by = given, cotangents[0]
    slopes = _shifted_exp(logits, found[1]) * by[:, None]
    rows = mx.arange(targets.size)
    return slopes.at[rows, targets].subtract(by), mx.zeros_like(targets)


@cache
def _compiled_cross_entropy() -> Any:
    return mx.compile(_differentiable(_cross_entropy, _cross_entropy_vjp))


def cross_entropy(logits: mx.array, targets: mx.array) -> mx.array:
    """−log softmax(logits)[target] in nats `[row]`, of logits `[row, number]`.

    Its derivative is made in one pass over the logits: with a vocabulary of thousands the sums of
    partial derivatives, each as large as the logits, would cost more than exp() does.
    """
    if fused(logits):
        found: mx.array = _compiled_cross_entropy()(logits, targets)[0]
        return found
    chosen = mx.take_along_axis(logits, targets[:, None], axis=-1)
    return (mx.logsumexp(logits, axis=-1, keepdims=True) - chosen)[:, 0]
