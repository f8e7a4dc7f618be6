"""Taps: read or change the residual stream while the model runs its own forward pass.

The model's masks, multipliers and caches stay in force, and nothing of the family is written again.
Taps work inside `value_and_grad`: the blocks are wrapped only while the forward is traced, so the
parameter tree that is differentiated is the model's own.

Edits hold for every forward within `edited`: for a prompt's, and for each token decoded with a KV
cache. What is ablated is still called, since it moves its cache on, by whose length the family's
loop takes masks and rotary offsets; as mlx is lazy, nobody computes it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.models.anatomy import Anatomy, blocks, holder, part
from lazarus_bench.models.edits import Ablate, Add, Edit, Part, Then, check_part


class StandIn:
    """Calls `call` with a module and its arguments; attributes are the module's."""

    def __init__(self, module: Any, call: Callable[..., Any]) -> None:
        self._module = module
        self._call = call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What `call` makes of the module and these arguments."""
        return self._call(self._module, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


@contextmanager
def replaced(places: Iterable[tuple[nn.Module, str]], by: Callable[[Any], Any]) -> Iterator[None]:
    """Within the block, `by` of what each module holds under a name takes its place.

    By key, which keeps the order of the parameters: set as an attribute, an array or module would
    move to the end when it comes back, and the sum in a gradient's norm would round differently.
    """
    kept = [(home, name, home[name]) for home, name in places]
    try:
        for home, name, own in kept:
            home[name] = by(own)
        yield
    finally:
        for home, name, own in kept:
            home[name] = own


def _tap(module: Any, then: Then) -> StandIn:
    """A stand-in that returns `then` of the module's output, the first item if it is a tuple."""

    def call(own: Any, *args: Any, **kwargs: Any) -> Any:
        first = _first_position((*args, *kwargs.values()))
        output = own(*args, **kwargs)
        if isinstance(output, tuple):
            return (then(args[0], output[0], first), *output[1:])
        return then(args[0], output, first)

    return StandIn(module, call)


def _first_position(arguments: Iterable[Any]) -> int | None:
    """How many tokens the cache among a block's arguments holds; 0 without one."""
    for argument in arguments:
        if hasattr(argument, "is_trimmable"):
            offset = getattr(argument, "offset", None)
            return offset if isinstance(offset, int) else None
    return 0


def _tapped_at(module: Any, path: str, then: Then) -> Any:
    """A stand-in for `module` with a tap at a dotted path inside; the module stays as it is."""
    if not path:
        return _tap(module, then)
    if isinstance(module, StandIn):
        return StandIn(_tapped_at(module._module, path, then), module._call)
    name, _, rest = path.partition(".")
    stand_in = copy.copy(module)
    setattr(stand_in, name, _tapped_at(getattr(module, name), rest, then))
    return stand_in


def _inside(anatomy: Anatomy, wanted: Part, block: Any) -> str:
    """The path of a part inside a block.

    Raises:
        UserError: the block has no such part.
    """
    path = {"layer": "", "attention": anatomy.attention, "mlp": anatomy.feed_forward}[wanted]
    try:
        _ = part(block, path) if path else block
    except AttributeError:
        raise UserError(
            f"a block of this family has no {wanted} at {path!r}: ablate the layer, or fix its "
            f"record in lazarus_bench/models/families.py"
        ) from None
    return path


@contextmanager
def edited(model: nn.Module, anatomy: Anatomy, edits: Sequence[Edit]) -> Iterator[None]:
    """Within the block, every forward of the model is under `edits`, in their order.

    A tap set inside records what the edits hand on.

    Raises:
        UserError: a layer is not in the model or lacks the part; in a forward, an array does not
            fit the residual.
    """
    layers: list[Any] = blocks(model, anatomy)
    for edit in edits:
        if not 0 <= edit.layer < len(layers):
            raise UserError(
                f"layer {edit.layer} is not in this model: choose 0 to {len(layers) - 1}"
            )
        block = layers[edit.layer]
        wanted: Part = edit.part if isinstance(edit, Ablate | Add) else "layer"
        layers[edit.layer] = _tapped_at(block, _inside(anatomy, wanted, block), edit.then)
    with replaced([holder(model, anatomy.layers)], lambda _: layers):
        yield


@contextmanager
def tapped(model: nn.Module, anatomy: Anatomy) -> Iterator[list[mx.array]]:
    """Within the block, each forward appends the residual after every layer, `[batch, time, d]`."""
    residuals: list[mx.array] = []

    def record(entering: mx.array, leaving: mx.array, first: int | None) -> mx.array:  # noqa: ARG001
        residuals.append(leaving)
        return leaving

    taps = [_tap(block, record) for block in blocks(model, anatomy)]
    with replaced([holder(model, anatomy.layers)], lambda _: taps):
        yield residuals


@contextmanager
def unmasked(model: nn.Module, anatomy: Anatomy) -> Iterator[None]:
    """Within the block, every layer is called without a mask: each position sees those after it.

    The quirk "non-causal-lens". A tap set inside records what the layers then give.
    """

    def call(block: Any, hidden: mx.array, mask: Any = None, *rest: Any, **named: Any) -> Any:  # noqa: ARG001
        return block(hidden, None, *rest, **named)

    layers = [StandIn(block, call) for block in blocks(model, anatomy)]
    with replaced([holder(model, anatomy.layers)], lambda _: layers):
        yield


@contextmanager
def router_logits(routers: Sequence[tuple[nn.Module, str]]) -> Iterator[list[list[mx.array]]]:
    """Within the block, each forward appends the logits of every router to that router's list.

    They are as the family's router gives them, `[..., experts]`. `routers` are what holds each, and
    its name there (`anatomy.holder`).
    """
    logits: list[list[mx.array]] = []

    def recorder(router: Any) -> StandIn:
        found: list[mx.array] = []
        logits.append(found)

        def call(own: Any, states: mx.array) -> mx.array:
            found.append(own(states))
            return found[-1]

        return StandIn(router, call)

    with replaced(routers, recorder):
        yield logits


@contextmanager
def prefixed(model: nn.Module, anatomy: Anatomy, prefix: mx.array) -> Iterator[None]:
    """Within the block, `prefix` `[batch, d]` stands for the embedding of each row's first token.

    It takes that token's place before all that the family does to embeddings, such as gemma's and
    granite's multipliers; so mlx-lm's `input_embeddings` does too, in the few families that have
    it. Which token the first one is does not matter.
    """

    def swap(tokens: mx.array, embedded: mx.array, first: int | None) -> mx.array:  # noqa: ARG001
        return mx.concatenate([prefix[:, None].astype(embedded.dtype), embedded[:, 1:]], axis=1)

    with replaced([holder(model, anatomy.embedding)], lambda embedding: _tap(embedding, swap)):
        yield


def residual_stream(
    model: nn.Module, anatomy: Anatomy, tokens: mx.array, *, causal: bool = True
) -> list[mx.array]:
    """The residual after each block for one forward over `tokens` `[batch, time]`, lazily.

    The logits of the forward are dropped unevaluated: mlx is lazy, so the unembedding costs nothing
    unless the caller projects a residual itself. Not `causal` is a quirk: see `unmasked`.
    """
    with nullcontext() if causal else unmasked(model, anatomy), tapped(model, anatomy) as residuals:
        model(tokens)
    return residuals


def residual_from(
    model: nn.Module, anatomy: Anatomy, tokens: mx.array, layer: int, residual: mx.array
) -> mx.array:
    """The residual after the last block of a forward that goes on from the middle, lazily.

    `residual` `[batch, time, d]` is what leaves `layer`, whatever made it; the blocks up to there
    are not run. `tokens` `[batch, time]` tell the family's own loop the shapes of its masks.

    Returns:
        `[batch, time, d]`.
    """

    def call(own: Any, hidden: mx.array, *_: Any, **__: Any) -> mx.array:
        return residual if own is last else hidden

    last = blocks(model, anatomy)[layer]

    def resumed(layers: Any) -> list[Any]:
        return [*(StandIn(block, call) for block in layers[: layer + 1]), *layers[layer + 1 :]]

    with replaced([holder(model, anatomy.layers)], resumed), tapped(model, anatomy) as residuals:
        model(tokens)
    return residuals[-1]


def contributions(
    model: nn.Module, anatomy: Anatomy, tokens: mx.array, wanted: Part
) -> list[mx.array]:
    """What `Ablate` takes away: each layer's part for one forward, `[batch, time, d]`, lazily.

    Of the whole layer, the residual after it minus the residual before it.

    Raises:
        UserError: the part is unknown, or a block lacks it.
    """
    check_part(wanted)
    found: list[mx.array] = []

    def record(entering: mx.array, leaving: mx.array, first: int | None) -> mx.array:  # noqa: ARG001
        found.append(leaving - entering if wanted == "layer" else leaving)
        return leaving

    own = blocks(model, anatomy)
    taps = [_tapped_at(block, _inside(anatomy, wanted, block), record) for block in own]
    with replaced([holder(model, anatomy.layers)], lambda _: taps):
        model(tokens)
    return found
