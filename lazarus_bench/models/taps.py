"""Taps: record the residual stream after each block while the model runs its own forward pass.

The model's masks, multipliers and caches stay in force, and nothing of the family is written again.
Taps work inside `value_and_grad`: the blocks are wrapped only while the forward is traced, so the
parameter tree that is differentiated is the model's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lazarus_bench.backend import mx, nn
from lazarus_bench.models.anatomy import Anatomy, part


class _Tap:
    """Stands in for a block: calls it, hands its output on, and passes every attribute through."""

    def __init__(self, block: nn.Module, record: Callable[[mx.array], None]) -> None:
        self._block = block
        self._record = record

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        output = self._block(*args, **kwargs)
        self._record(output[0] if isinstance(output, tuple) else output)
        return output

    def __getattr__(self, name: str) -> Any:
        return getattr(self._block, name)


@contextmanager
def tapped(model: nn.Module, anatomy: Anatomy) -> Iterator[list[mx.array]]:
    """Within the block, each forward appends the residual after every layer, `[batch, time, d]`."""
    path, _, name = anatomy.layers.rpartition(".")
    parent = part(model, path) if path else model
    original = getattr(parent, name)
    residuals: list[mx.array] = []
    setattr(parent, name, [_Tap(block, residuals.append) for block in original])
    try:
        yield residuals
    finally:
        setattr(parent, name, original)


def residual_stream(model: nn.Module, anatomy: Anatomy, tokens: mx.array) -> list[mx.array]:
    """The residual after each block for one forward over `tokens` `[batch, time]`, lazily.

    The logits of the forward are dropped unevaluated: mlx is lazy, so the unembedding costs nothing
    unless the caller projects a residual itself.
    """
    with tapped(model, anatomy) as residuals:
        model(tokens)
    return residuals
