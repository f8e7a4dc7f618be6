"""Data-parallel steps: every rank takes its share of one batch, and all ranks stay alike.

A rank is one process of an `mlx.launch`. A shard divides its summed losses by the whole batch's
counts over the number of ranks, so the mean over ranks of losses and of gradients is that of the
whole batch, up to rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lazarus_bench.backend import Group, mx, nn


def mean_gradients(gradients: Any, group: Group) -> Any:
    """The mean over ranks."""
    return gradients if group.size == 1 else nn.average_gradients(gradients)


def mean_values(values: list[float], group: Group) -> list[float]:
    """Means over ranks of float32 scalars, the same on every rank."""
    if group.size == 1:
        return values
    total = mx.distributed.all_sum(mx.array(values, dtype=mx.float32))
    return [float(mean) for mean in np.array(total) / group.size]


def from_first(tree: Any, group: Group) -> Any:
    """Rank 0's `tree` on every rank, bit for bit; all ranks pass trees of the same shapes."""
    from mlx.utils import tree_map

    return tree if group.size == 1 else tree_map(lambda array: _from_first(array, group), tree)


def _from_first(array: mx.array, group: Group) -> mx.array:
    # Sums of bytes, as −0.0 + 0.0 would lose its sign and a NaN its payload.
    sent = array.reshape(-1).view(mx.uint8)
    if group.rank > 0:
        sent = mx.zeros_like(sent)
    received = mx.distributed.all_sum(sent).view(array.dtype).reshape(array.shape)
    # One at a time: the ring delivers in the order of calls, which a lazy graph does not promise.
    mx.eval(received)
    return received
