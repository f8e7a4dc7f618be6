"""Attention heads: what each hands to the attention's output projection, and that left out.

In every family here the projection's input is the heads end to end, so a head is a slice of it, and
what it writes is that slice through the projection. Source: Michel et al. 2019, *Are sixteen heads
really better than one?*, equation 2, with a mask of zeros and ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.models.anatomy import Anatomy, blocks, holder
from lazarus_bench.models.load import LoadedModel

_COUNT_KEYS = ("num_attention_heads", "n_head")


def head_count(loaded: LoadedModel) -> int:
    """Query heads of a layer, as the configuration says.

    Raises:
        UserError: it does not say.
    """
    config: dict[str, Any] = loaded.config.get("text_config") or loaded.config
    counts = [int(config[key]) for key in _COUNT_KEYS if config.get(key)]
    if not counts:
        raise UserError(f"{loaded.name}: its config.json has no num_attention_heads: add it")
    return counts[0]


def output_projection(anatomy: Anatomy) -> str:
    """The path inside a block of the linear layer that all heads write through."""
    return (anatomy.vo or anatomy.fused_attention)[-1]


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
    with _replaced(loaded, layer, lambda own: _Without(own, mx.array(gone), contribution)):
        yield


class _Without:
    """Stands in for an output projection: some heads of its input are zero."""

    def __init__(
        self, projection: nn.Module, gone: mx.array, contribution: mx.array | None
    ) -> None:
        self._projection = projection
        self._gone = gone
        self._contribution = contribution

    def __call__(self, x: mx.array) -> mx.array:
        written: mx.array = self._projection(masked(x, self._gone))
        if self._contribution is None:
            return written
        return written + self._contribution.astype(written.dtype)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._projection, name)


def masked(x: mx.array, gone: mx.array) -> mx.array:
    """A projection's input `[..., heads · width]` with the heads that are `gone` `[head]` zero."""
    heads = mx.unflatten(x, -1, (gone.shape[0], -1))
    return mx.where(gone[:, None], mx.zeros_like(heads), heads).reshape(x.shape)


class _Listening:
    """Stands in for an output projection and keeps its inputs."""

    def __init__(self, projection: nn.Module, heard: list[mx.array]) -> None:
        self._projection = projection
        self._heard = heard

    def __call__(self, x: mx.array) -> mx.array:
        self._heard.append(x)
        written: mx.array = self._projection(x)
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._projection, name)


def head_values(loaded: LoadedModel, tokens: mx.array) -> list[mx.array]:
    """What the heads of each layer hand on in one forward, `[batch, time, heads · width]`."""
    heard: list[mx.array] = []
    with ExitStack() as stack:
        for layer in range(loaded.depth):
            stack.enter_context(_replaced(loaded, layer, lambda own: _Listening(own, heard)))
        loaded.model(tokens)
    return heard


@contextmanager
def _replaced(loaded: LoadedModel, layer: int, by: Any) -> Iterator[None]:
    block = blocks(loaded.model, loaded.anatomy)[layer]
    home, name = holder(block, output_projection(loaded.anatomy))
    own = home[name]
    # By key: as an attribute it would go to the end of the parameters' order when it comes back.
    home[name] = by(own)
    try:
        yield
    finally:
        home[name] = own


def written_by(loaded: LoadedModel, layer: int, head: int, values: mx.array) -> mx.array:
    """What one head writes to the residual `[..., d]`, of all heads' `values` `[..., heads·width]`.

    Without the projection's bias.
    """
    block = blocks(loaded.model, loaded.anatomy)[layer]
    home, name = holder(block, output_projection(loaded.anatomy))
    others = mx.array(np.arange(head_count(loaded)) != head)
    own = masked(values, others)
    written: mx.array = home[name](own) - home[name](mx.zeros_like(own))
    return written
