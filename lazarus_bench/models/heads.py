"""Attention heads: what each hands to the attention's output projection, and that left out.

In every family here the projection's input is the heads end to end, so a head is a slice of it, and
what it writes is that slice through the projection. Source: Michel et al. 2019, *Are sixteen heads
really better than one?*, equation 2, with a mask of zeros and ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.models.anatomy import Anatomy, blocks, holder
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.taps import StandIn, replaced


def head_count(loaded: LoadedModel) -> int:
    """Query heads of a layer, as the configuration says.

    Raises:
        UserError: it does not say.
    """
    config: dict[str, Any] = loaded.config.get("text_config") or loaded.config
    count = config.get("num_attention_heads") or config.get("n_head")
    if not count:
        raise UserError(f"{loaded.name}: its config.json has no num_attention_heads: add it")
    return int(count)


def output_projection(anatomy: Anatomy) -> str:
    """The path inside a block of the linear layer that all heads write through."""
    return (anatomy.vo or anatomy.fused_attention)[-1]


def _projection(loaded: LoadedModel, layer: int) -> tuple[nn.Module, str]:
    """The module that holds a layer's output projection, and its name there."""
    block = blocks(loaded.model, loaded.anatomy)[layer]
    return holder(block, output_projection(loaded.anatomy))


@contextmanager
def without_heads(
    loaded: LoadedModel,
    layer: int,
    heads: Sequence[int],
    contribution: mx.array | None = None,
) -> Iterator[None]:
    """Within the block, `heads` of `layer` write nothing, or together `contribution` `[d]`.

    The projection's bias stays, being no head's. Attention itself is computed as before, so the
    other heads and the cache see no difference.

    Raises:
        UserError: there is no such layer or head.
    """
    count = head_count(loaded)
    if not 0 <= layer < loaded.depth:
        raise UserError(f"layer {layer} is not in this model: choose 0 to {loaded.depth - 1}")
    for head in heads:
        if not 0 <= head < count:
            raise UserError(f"head {head} is not in this model: choose 0 to {count - 1}")
    gone = np.isin(np.arange(count), list(heads))

    def call(projection: nn.Module, x: mx.array) -> mx.array:
        written: mx.array = projection(masked(x, mx.array(gone)))
        return written if contribution is None else written + contribution.astype(written.dtype)

    with replaced([_projection(loaded, layer)], lambda own: StandIn(own, call)):
        yield


def masked(x: mx.array, gone: mx.array) -> mx.array:
    """A projection's input `[..., heads · width]` with the heads that are `gone` `[head]` zero."""
    heads = mx.unflatten(x, -1, (gone.shape[0], -1))
    return mx.where(gone[:, None], mx.zeros_like(heads), heads).reshape(x.shape)


def head_values(loaded: LoadedModel, tokens: mx.array) -> list[mx.array]:
    """What the heads of each layer hand on in one forward, `[batch, time, heads · width]`."""
    heard: list[mx.array] = []

    def call(projection: nn.Module, x: mx.array) -> mx.array:
        heard.append(x)
        written: mx.array = projection(x)
        return written

    places = [_projection(loaded, layer) for layer in range(loaded.depth)]
    with replaced(places, lambda own: StandIn(own, call)):
        loaded.model(tokens)
    return heard


def written_by(loaded: LoadedModel, layer: int, head: int, values: mx.array) -> mx.array:
    """What one head writes to the residual `[..., d]`, of all heads' `values` `[..., heads·width]`.

    Without the projection's bias.
    """
    home, name = _projection(loaded, layer)
    others = mx.array(np.arange(head_count(loaded)) != head)
    own = masked(values, others)
    written: mx.array = home[name](own) - home[name](mx.zeros_like(own))
    return written
