"""What the gradients of a recipe are handed to: an Adam, or under the quirk "sgd" plain SGD."""

from __future__ import annotations

from collections.abc import Callable, Collection

from lazarus_bench.backend import mx, optim
from lazarus_bench.training.quirks import Quirk

Rate = float | Callable[[mx.array], mx.array]


def applied(built: optim.Adam, rate: Rate, quirks: Collection[Quirk]) -> optim.Optimizer:
    """The optimizer `built` at `rate`; with "sgd" plain SGD at that rate, and `built` is left."""
    return optim.SGD(rate) if "sgd" in quirks else built


def adam(rate: float, quirks: Collection[Quirk]) -> optim.Optimizer:
    """Adam with bias correction, as `applied`."""
    return applied(optim.Adam(rate, bias_correction=True), rate, quirks)
