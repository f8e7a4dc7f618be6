"""Many continuations of few beginnings: what is shared is read once and kept in a KV cache.

A prompt is read once, however many answers continue it. The same holds inside `value_and_grad`,
where gradients flow through the cached keys and values, so a training step of 32 prompts of 7
tokens with 16 answers of 2 feeds about 400 positions instead of 4,096.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from lazarus_bench.backend import mx, nn
from lazarus_bench.models.anatomy import Anatomy
from lazarus_bench.models.taps import tapped


def rows_by_length(prompts: Sequence[Sequence[int]]) -> list[list[int]]:
    """Indices of the prompts of each length, shortest first."""
    groups: dict[int, list[int]] = {}
    for index, prompt in enumerate(prompts):
        groups.setdefault(len(prompt), []).append(index)
    return [rows for _, rows in sorted(groups.items())]


def prompt_cache(model: nn.Module) -> list[Any]:
    """An empty cache a layer, of the family's own kind.

    Caches that keep everything are exchanged for mlx-lm's concatenating ones: those that grow in
    place reserve 256 positions, which for many short rows are mostly copies of zeros.
    """
    from mlx_lm.models.cache import ConcatenateKVCache, KVCache, make_prompt_cache

    concatenating: type[Any] = ConcatenateKVCache
    made = make_prompt_cache(model)
    return [concatenating() if type(layer) is KVCache else layer for layer in made]


def continued(cache: list[Any], rows: mx.array) -> list[Any]:
    """A copy of `cache` whose row i is the old row `rows[i]`; the old one stays as it is."""
    copies = [copy.copy(layer) for layer in cache]
    for layer in copies:
        layer.keys, layer.values = layer.keys[rows], layer.values[rows]
    return copies


def residuals(
    model: nn.Module, anatomy: Anatomy, tokens: mx.array, cache: list[Any]
) -> list[mx.array]:
    """The residual after each block `[batch, time, d]` for `tokens` that go on from `cache`."""
    with tapped(model, anatomy) as states:
        model(tokens, cache=cache)
    return states
