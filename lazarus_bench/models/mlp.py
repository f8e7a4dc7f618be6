"""The MLPs of mlx-lm's families: their gates with numpy's exp(), and less memory under LoRA.

mlx-lm's families take their gates from one module of its own; `install_gates` puts `swiglu` and
`swiglu_oai` in their place, once a process, with `exponentials` for mlx's exp(). The formulas are
mlx-lm's.

`keep_little` is for a gated MLP under LoRA. With numpy's exp() a forward is evaluated while its
gradient is still being traced, and mlx keeps every array of a trace: four of a layer with LoRA, of
which the gradient needs one. Here they are made of copies that belong to no trace, so each is freed
as soon as it was used. The operations are mlx-lm's own and in their order, so values and gradients
stay the same to the bit.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from typing import Any, TypeAlias

import numpy as np

from lazarus_bench.backend import mx, nn
from lazarus_bench.exponentials import by_numpy, evaluated_early, gated_of, sigmoid

FORWARD = ("down_proj", "swiglu", "gate_proj", "up_proj")
"""What mlx-lm's families name in `down_proj(swiglu(gate_proj(x), up_proj(x)))`, in this order."""

LINEARS = ("gate_proj", "up_proj", "down_proj")

LEAST = 1 << 12
"""Numbers given to an MLP from which it is worth while: with fewer, time is dearer than memory."""

Lora: TypeAlias = "tuple[mx.array, mx.array]"
"""A and B."""


def keep_little(mlp: nn.Module) -> None:
    """Have `mlp` keep little, if it is such an MLP with LoRA on its three float32 linears."""
    code = getattr(type(mlp).__call__, "__code__", None)
    if not by_numpy() or code is None or code.co_names != FORWARD:
        return
    linears = [getattr(mlp, name) for name in LINEARS]
    if all(map(_suits, linears)):
        mlp._kept = _Kept([linear.linear.weight for linear in linears])
        mlp.__class__ = _lean(type(mlp))


def _suits(module: nn.Module) -> bool:
    """Whether it is LoRA without dropout on a frozen float32 linear layer without bias."""
    linear = getattr(module, "linear", None)
    return (
        type(linear) is nn.Linear
        and "lora_b" in module
        and "bias" not in linear
        and linear.weight.dtype == mx.float32
        and "weight" in linear._no_grad
        and getattr(module.dropout, "_p_1", 0.0) == 1.0
    )


class _Kept:
    """Frozen weights as arrays that belong to no trace; in a trace a model holds others."""

    def __init__(self, weights: Sequence[mx.array]) -> None:
        self._arrays = list(weights)
        self._views = [np.asarray(weight) for weight in weights]

    def __call__(self, weights: Sequence[mx.array]) -> list[mx.array]:
        """The same numbers as `weights`, which may have been exchanged since."""
        for index, weight in enumerate(weights):
            view = np.asarray(weight)
            if _address(view) != _address(self._views[index]):
                self._arrays[index], self._views[index] = mx.array(view), view
        return self._arrays


def _address(view: Any) -> int:
    return int(view.__array_interface__["data"][0])


@cache
def _lean(usual: type) -> type:
    """The class of `usual` MLPs that keep little."""

    class Lean(usual):  # type: ignore[misc]
        def __call__(self, x: mx.array) -> mx.array:
            linears = [getattr(self, name) for name in LINEARS]
            # Not in decoding, and not where mlx only traces and there are no values yet.
            long = x.ndim > 1 and x.shape[-2] > 1 and x.size >= LEAST and evaluated_early(x)
            if not (long and all(map(_suits, linears))):
                usual: mx.array = super().__call__(x)
                return usual
            weights = self._kept([linear.linear.weight for linear in linears])
            function = _function(weights, [linear.scale for linear in linears])
            loras = [matrix for linear in linears for matrix in (linear.lora_a, linear.lora_b)]
            found: mx.array = function(x, *loras)[0]
            return found

    return Lean


def _function(weights: Sequence[mx.array], scales: Sequence[float]) -> Any:
    """`(x, A, B, A, B, A, B)` to the MLP's output, and what the gradient needs beside it."""

    def layer(index: int, x: mx.array, a: mx.array, b: mx.array) -> mx.array:
        """`LoRALinear` of mlx-lm."""
        z = (x @ a) @ b
        return x @ weights[index].T + (scales[index] * z).astype(x.dtype)

    def gate_and_up(x: mx.array, *loras: mx.array) -> list[mx.array]:
        return [layer(0, x, *loras[:2]), layer(1, x, *loras[2:])]

    def down(x: mx.array, a: mx.array, b: mx.array) -> mx.array:
        return layer(2, x, a, b)

    def value(*given: mx.array) -> tuple[mx.array, ...]:
        x, *loras = (mx.array(np.asarray(array)) for array in given)
        gate, up = gate_and_up(x, *loras[:4])
        mx.eval(gate, up)
        share, product = gated_of(gate, up)
        return down(product, *loras[4:]), gate, up, share

    def vjp(
        given: Sequence[mx.array], cotangents: Sequence[mx.array], found: Sequence[mx.array]
    ) -> tuple[mx.array, ...]:
        x, *loras = given
        _, gate, up, share = found
        opened = gate * share
        _, (by_product, *of_down) = mx.vjp(down, [opened * up, *loras[4:]], [cotangents[0]])
        by_opened = by_product * up
        by_gate = by_opened * share + by_opened * gate * (share * (1 - share))
        _, rest = mx.vjp(gate_and_up, [x, *loras[:4]], [by_gate, by_product * opened])
        return (*rest, *of_down)

    function: Any = mx.custom_function(value)
    function.vjp(vjp)
    return function


def swiglu(gate: mx.array, x: mx.array) -> mx.array:
    """silu(gate) · x (Shazeer 2020), elementwise."""
    return gate * sigmoid(gate) * x


def swiglu_oai(gate: mx.array, x: mx.array, alpha: float = 1.702, limit: float = 7.0) -> mx.array:
    """gpt-oss's: the gate clipped from above, 1 added to the clipped linear part."""
    gate = mx.minimum(gate, limit)
    return (mx.clip(x, -limit, limit) + 1.0) * (gate * sigmoid(alpha * gate))


def install_gates() -> None:
    """Have mlx-lm's families use these, those too that were imported before."""
    if not by_numpy():
        return
    from mlx_lm.models import activations

    for ours in (swiglu, swiglu_oai):
        theirs = getattr(activations, ours.__name__)
        for name, module in list(sys.modules.items()):
            if name.startswith("mlx_lm.models.") and vars(module).get(ours.__name__) is theirs:
                setattr(module, ours.__name__, ours)
