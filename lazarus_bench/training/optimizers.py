"""Optimizers: Adam, AdamW that decays no vectors, or plain SGD under the quirk "sgd"."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache
from typing import Any, TypeAlias

from lazarus_bench.backend import mx, optim
from lazarus_bench.training.recipe import Quirk

Rate: TypeAlias = "float | Callable[[mx.array], mx.array]"

GRADIENT_NORM = 1.0
"""Global norm that gradients are clipped to: early steps diverge less."""


def applied(built: optim.Adam, rate: Rate, quirks: Collection[Quirk]) -> optim.Optimizer:
    """The optimizer `built` at `rate`; with "sgd" plain SGD at that rate, and `built` is left."""
    return optim.SGD(rate) if "sgd" in quirks else built


def adam(rate: float, quirks: Collection[Quirk]) -> optim.Optimizer:
    """Adam with bias correction, as `applied`."""
    return applied(optim.Adam(rate, bias_correction=True), rate, quirks)


@cache
def _matrix_adamw() -> type[optim.AdamW]:
    """A subclass of mlx's, which is imported when the first one is built."""

    class MatrixAdamW(optim.AdamW):
        def apply_single(
            self, gradient: mx.array, parameter: mx.array, state: dict[str, Any]
        ) -> Any:
            if parameter.ndim > 1:
                return super().apply_single(gradient, parameter, state)
            return optim.Adam.apply_single(self, gradient, parameter, state)

    return MatrixAdamW


def matrix_adamw(rate: Rate, weight_decay: float, **rest: Any) -> optim.Adam:
    """AdamW with bias correction and no decay of vectors.

    Norm gains are not decayed, as is usual: a shrunken final gain caps every logit, and with it
    every lens probability.
    """
    return _matrix_adamw()(rate, weight_decay=weight_decay, bias_correction=True, **rest)


def warm_cosine(peak: float, steps: int, warm: int = 50) -> Callable[[mx.array], mx.array]:
    """Linear warm-up to `peak`, then a cosine to a twentieth of it."""
    warm = min(warm, steps // 2)
    rise = optim.linear_schedule(0.0, peak, max(warm, 1))
    fall = optim.cosine_decay(peak, max(steps - warm, 1), peak / 20)
    schedule: Callable[[mx.array], mx.array] = optim.join_schedules([rise, fall], [max(warm, 1)])
    return schedule
