"""The gates of mlx-lm's MLPs, with `exponentials` for mlx's exp().

mlx-lm's families take them from one module of its own; `install` puts these in their place, once a
process. The formulas are mlx-lm's.
"""

from __future__ import annotations

import sys

from lazarus_bench.backend import mx
from lazarus_bench.exponentials import by_numpy, sigmoid


def swiglu(gate: mx.array, x: mx.array) -> mx.array:
    """silu(gate) · x (Shazeer 2020), elementwise."""
    return gate * sigmoid(gate) * x


def swiglu_oai(gate: mx.array, x: mx.array, alpha: float = 1.702, limit: float = 7.0) -> mx.array:
    """gpt-oss's: the gate clipped from above, 1 added to the clipped linear part."""
    gate = mx.minimum(gate, limit)
    return (mx.clip(x, -limit, limit) + 1.0) * (gate * sigmoid(alpha * gate))


def install() -> None:
    """Have mlx-lm's families use these, those too that were imported before."""
    if not by_numpy():
        return
    from mlx_lm.models import activations

    for ours in (swiglu, swiglu_oai):
        theirs = getattr(activations, ours.__name__)
        for name, module in list(sys.modules.items()):
            if name.startswith("mlx_lm.models.") and vars(module).get(ours.__name__) is theirs:
                setattr(module, ours.__name__, ours)
