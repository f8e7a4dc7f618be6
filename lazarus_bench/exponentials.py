"""exp() and related functions by numpy's vector loops, because mlx computes one number at a time.

On a CPU under Linux, mlx needs some 15 ns per exp() and numpy 1 to 2: with mlx's own, the gates of
a lab model's MLPs take half of a forward pass. Float32 only; the same functions up to rounding,
with the same derivatives. numpy evaluates at once, so where mlx only traces (`mx.compile`,
`mx.vmap`) mlx's own functions are used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from lazarus_bench import backend
from lazarus_bench.backend import mx

BLOCK = 1 << 16
"""Numbers taken at a time, so that what is made of them stays in a core's cache."""

_Floats = npt.NDArray[np.float32]
_IGNORED = np.errstate(over="ignore", invalid="ignore")


def by_numpy() -> bool:
    """Whether numpy computes them here, not mlx."""
    return backend.EXP == "numpy"


def _values(x: mx.array) -> _Floats | None:
    """The numbers of `x` without a copy; None where mlx only traces, and has none yet."""
    try:
        return np.asarray(x)
    except ValueError:
        return None


def evaluated_early(x: mx.array) -> bool:
    """Whether numpy computes on `x`, whose graph is then evaluated while it is built."""
    return by_numpy() and x.dtype == mx.float32 and _values(x) is not None


def _differentiable(value: Callable[..., Any], vjp: Callable[..., Any]) -> Callable[[], Any]:
    """`value` with the derivative `vjp` for mlx, made when it is first called for."""

    @cache
    def made() -> Any:
        function: Any = mx.custom_function(value)
        function.vjp(vjp)
        return function

    return made


def _pointwise(
    own: Callable[[mx.array], mx.array],
    fast: Callable[[_Floats], _Floats],
    slope: Callable[[mx.array], mx.array],
) -> Callable[[mx.array], mx.array]:
    """`own` by `fast`, with its derivative as a function of its value."""

    def value_of(x: mx.array) -> mx.array:
        values = _values(x)
        return own(x) if values is None else mx.array(fast(values))

    def vjp(_: mx.array, cotangent: mx.array, value: mx.array) -> mx.array:
        return cotangent * slope(value)

    function = _differentiable(value_of, vjp)

    def chosen(x: mx.array) -> mx.array:
        found: mx.array = function()(x) if by_numpy() and x.dtype == mx.float32 else own(x)
        return found

    return chosen


@_IGNORED
def _sigmoid(x: _Floats) -> _Floats:
    found = np.negative(x)
    np.exp(found, out=found)
    found += 1
    return np.reciprocal(found, out=found)


sigmoid = _pointwise(lambda x: mx.sigmoid(x), _sigmoid, lambda value: value * (1 - value))
"""1 / (1 + exp(−x)), elementwise."""


def gated_of(gate: mx.array, x: mx.array) -> tuple[mx.array, mx.array]:
    """sigmoid(gate) and gate · sigmoid(gate) · x, of evaluated float32 arrays, as new ones."""
    share, product = mx.zeros(gate.shape), mx.zeros(gate.shape)
    np.copyto(np.asarray(share), _sigmoid(np.asarray(gate)))
    view = np.asarray(product)
    np.multiply(np.asarray(gate), np.asarray(share), out=view)
    view *= np.asarray(x)
    return share, product


tanh = _pointwise(lambda x: mx.tanh(x), _IGNORED(np.tanh), lambda value: 1 - value * value)
"""tanh(x), elementwise."""


def row_blocks(rows: int, width: int) -> Iterator[slice]:
    """Slices of `rows` rows of `width` numbers, each of `BLOCK` numbers or of one row."""
    step = max(1, BLOCK // max(1, width))
    return (slice(start, start + step) for start in range(0, rows, step))


@_IGNORED
def log_sum_exp_of(x: _Floats, largest: _Floats | None = None) -> _Floats:
    """`log_sum_exp` of numpy's numbers `[row, number]`, whose `largest` `[row, 1]` may be known."""
    found = np.empty((len(x), 1), dtype=np.float32)
    for rows in row_blocks(*x.shape):
        most = x[rows].max(axis=1, keepdims=True) if largest is None else largest[rows]
        heap = x[rows] - most
        np.exp(heap, out=heap)
        found[rows] = np.log(heap.sum(axis=1, keepdims=True)) + most
    return found


@_IGNORED
def _softmax(x: _Floats, log_z: _Floats) -> _Floats:
    found = np.empty(x.shape, dtype=np.float32)
    for rows in row_blocks(*x.shape):
        np.subtract(x[rows], log_z[rows], out=found[rows])
        np.exp(found[rows], out=found[rows])
    return found


def _log_z_value(x: mx.array) -> mx.array:
    values = _values(x)
    if values is None:
        return mx.logsumexp(x, axis=-1, keepdims=True)
    return mx.array(log_sum_exp_of(values))


def _log_z_vjp(x: mx.array, cotangent: mx.array, value: mx.array) -> mx.array:
    values, log_z = _values(x), _values(value)
    if values is None or log_z is None:
        return cotangent * mx.exp(x - value)
    return cotangent * mx.array(_softmax(values, log_z))


_log_z = _differentiable(_log_z_value, _log_z_vjp)


def log_sum_exp(x: mx.array) -> mx.array:
    """Log of the sum of exp(x) over the last axis of `[row, number]`, as `[row, 1]`."""
    if by_numpy() and x.dtype == mx.float32 and x.ndim == 2:
        found: mx.array = _log_z()(x)
        return found
    return mx.logsumexp(x, axis=-1, keepdims=True)


def _nats_value(logits: mx.array, targets: mx.array) -> tuple[mx.array, mx.array]:
    log_z = _log_z_value(logits)
    chosen = mx.take_along_axis(logits, targets[:, None], axis=-1)
    return (log_z - chosen)[:, 0], log_z


@_IGNORED
def _slopes(x: _Floats, log_z: _Floats, targets: npt.NDArray[Any], by: _Floats) -> mx.array:
    """Derivatives by the logits, each row times its `by`, written once."""
    found = mx.zeros(x.shape)
    view = np.asarray(found)
    for rows in row_blocks(*x.shape):
        np.subtract(x[rows], log_z[rows], out=view[rows])
        np.exp(view[rows], out=view[rows])
        view[rows] *= by[rows, None]
    view[np.arange(len(x)), targets] -= by
    return found


def _nats_vjp(
    given: tuple[mx.array, mx.array],
    cotangents: tuple[mx.array, mx.array],
    found: tuple[mx.array, mx.array],
) -> tuple[mx.array, mx.array]:
    (logits, targets), by, log_z = given, cotangents[0], found[1]
    x, z, weight = _values(logits), _values(log_z), _values(by)
    if x is None or z is None or weight is None:
        chosen = mx.arange(logits.shape[-1]) == targets[:, None]
        slopes = by[:, None] * (mx.exp(logits - log_z) - chosen)
    else:
        slopes = _slopes(x, z, np.asarray(targets), weight)
    return slopes, mx.zeros_like(targets)


_nats = _differentiable(_nats_value, _nats_vjp)


def cross_entropy(logits: mx.array, targets: mx.array) -> mx.array:
    """−log softmax(logits)[target] in nats `[row]`, of logits `[row, number]`.

    Its derivative is made in one pass over the logits: with a vocabulary of thousands the sums of
    partial derivatives, each as large as the logits, would cost more than exp() does.
    """
    if by_numpy() and logits.dtype == mx.float32:
        found: mx.array = _nats()(logits, targets)[0]
        return found
    chosen = mx.take_along_axis(logits, targets[:, None], axis=-1)
    return (log_sum_exp(logits) - chosen)[:, 0]
