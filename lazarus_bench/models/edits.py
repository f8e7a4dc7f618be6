"""Edits: what a layer may hand on instead of its own residual; `taps.edited` puts them in force."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError

Part = Literal["layer", "attention", "mlp"]
PARTS: tuple[Part, ...] = get_args(Part)

Then: TypeAlias = "Callable[[mx.array, mx.array, int | None], mx.array]"
"""What is handed on, of a module's input, its output `[batch, time, d]` and the absolute position
of its first token (None where the cache does not tell)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Ablate:
    """Replace what a part of `layer` adds to the residual, at every position.

    A removed layer hands its input on. For "attention" and "mlp" the sublayer's own output is
    replaced, before a norm or multiplier that the family puts between it and the residual.

    `contribution` `[d]` stands in its place, None for 0; a mean over other prompts takes the
    information away and keeps the residual's usual place (Wang et al. 2022, *mean ablation*).
    """

    layer: int
    part: Part = "layer"
    contribution: mx.array | None = None

    def __post_init__(self) -> None:
        """Refuse a part that no block has."""
        check_part(self.part)

    def then(self, entering: mx.array, leaving: mx.array, first: int | None) -> mx.array:  # noqa: ARG002
        """The residual without the layer, or what stands for the sublayer's output."""
        kept = entering if self.part == "layer" else mx.zeros_like(leaving)
        if self.contribution is None:
            return kept
        return kept + _fitting("a contribution", self.contribution, leaving)


@dataclass(frozen=True, kw_only=True, eq=False)
class Patch:
    """Put `state` `[d]` or `[batch, d]` in place of the residual after `layer` at one position.

    `position` counts from the first token, 0-based (Meng et al. 2022, *causal tracing*; Zhang and
    Nanda 2024, *activation patching*).
    """

    layer: int
    position: int
    state: mx.array

    def __post_init__(self) -> None:
        """Refuse a position that is no absolute one."""
        _check_position("position", self.position)

    def then(self, entering: mx.array, leaving: mx.array, first: int | None) -> mx.array:  # noqa: ARG002
        """The residual with the state at the position, where this forward has it."""
        start, time = _known(first), leaving.shape[1]
        if start == 0 and self.position >= time:
            raise UserError(
                f"position {self.position} is not in a prompt of {time} tokens: choose 0 to "
                f"{time - 1}"
            )
        state = _fitting("a state", self.state, leaving, rows=True)
        here = mx.arange(start, start + time) == self.position
        return mx.where(here[:, None], state[..., None, :], leaving)


@dataclass(frozen=True, kw_only=True, eq=False)
class Steer:
    """Add `strength` · `direction` `[d]` or `[batch, d]` to the residual after `layer`.

    From position `start` on, counted from the first token. At the last prompt position that is the
    contrastive activation addition of Rimsky et al. 2024, who steer all that is generated and leave
    the question alone; 0 steers the prompt as well, of which Turner et al. 2023 steer the
    beginning.
    """

    layer: int
    direction: mx.array
    strength: float
    start: int = 0

    def __post_init__(self) -> None:
        """Refuse a start that is no absolute position."""
        _check_position("start", self.start)

    def then(self, entering: mx.array, leaving: mx.array, first: int | None) -> mx.array:  # noqa: ARG002
        """The residual, moved from `start` on."""
        begun = _known(first)
        step = _fitting("a direction", self.strength * self.direction, leaving, rows=True)
        moved = leaving + step[..., None, :]
        here = mx.arange(begun, begun + leaving.shape[1]) >= self.start
        return mx.where(here[:, None], moved, leaving)


@dataclass(frozen=True, kw_only=True, eq=False)
class Shift:
    """Add `by` `[batch, time, d]` to the residual after `layer`: what a derivative is taken by."""

    layer: int
    by: mx.array

    def then(self, entering: mx.array, leaving: mx.array, first: int | None) -> mx.array:  # noqa: ARG002
        """The residual, moved at every position."""
        return leaving + self.by


Edit = Ablate | Patch | Shift | Steer


def check_part(name: str) -> None:
    """Make sure that `name` is a part of a layer.

    Raises:
        UserError: it is not.
    """
    if name not in PARTS:
        raise UserError(f"part {name!r} of a layer is unknown: choose {', '.join(PARTS)}")


def _check_position(name: str, position: int) -> None:
    if position < 0:
        raise UserError(f"{name} {position} is negative: count it from the prompt's first token")


def _known(first: int | None) -> int:
    if first is None:
        raise UserError(
            "this family's cache does not track positions, so nothing can be patched or steered "
            "while decoding with it: edit a forward without a cache"
        )
    return first


def _fitting(what: str, vector: mx.array, leaving: mx.array, rows: bool = False) -> mx.array:
    """`vector` in the residual's dtype, if it has its width (and, with `rows`, a row a prompt)."""
    batch, _, width = leaving.shape
    allowed = [(width,), (batch, width)] if rows else [(width,)]
    if tuple(vector.shape) not in allowed:
        shapes = " or ".join(str(list(shape)) for shape in allowed)
        raise UserError(f"{what} of shape {list(vector.shape)} does not fit: give it {shapes}")
    return vector.astype(leaving.dtype)
