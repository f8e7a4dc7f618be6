"""Hidden states: the residual stream after every block at the last prompt position."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lazarus_bench.analysis.lens import batches_by_length, check_tokens
from lazarus_bench.analysis.tokens import prompt_tokens
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.taps import residual_stream

States = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

MAX_VALUES = 1 << 26
"""Most residual values of one forward (prompts × positions × layers × d): 256 MiB in float32."""


def last_states(loaded: LoadedModel, prompts: Sequence[Sequence[int]]) -> States:
    """Residual after every block at the last position `[prompt, layer, d]`, in float32.

    Prompts of one length share a forward, so no padding enters the model; of a forward only the
    last positions are kept.

    Raises:
        UserError: there is no prompt, one is empty or has an unknown token, or a state is not
            finite.
    """
    if not prompts or not all(prompts):
        raise UserError(f"{loaded.name}: hidden states need prompts of at least one token each")
    check_tokens(loaded, prompts)
    longest = max(len(prompt) for prompt in prompts)
    limit = max(1, MAX_VALUES // (longest * loaded.depth * _width(loaded)))
    found: list[tuple[list[int], States]] = [
        (rows, _forward(loaded, tokens)) for rows, tokens in batches_by_length(prompts, limit)
    ]
    states = np.empty((len(prompts), *found[0][1].shape[1:]), dtype=np.float32)
    for rows, part in found:
        states[rows] = part
    if not np.isfinite(states).all():
        raise UserError(f"{loaded.name}: its hidden states are not finite: copy its weights again")
    return states


def read_states(loaded: LoadedModel, texts: Sequence[str]) -> States:
    """`last_states` of prompts given as text, with the tokenizer's own special tokens.

    Raises:
        UserError: as `last_states`.
    """
    return last_states(loaded, prompt_tokens(loaded, texts))


def wide(states: npt.ArrayLike) -> Floats:
    """States of any shape in float64.

    Raises:
        UserError: one is not finite.
    """
    given = np.asarray(states, dtype=np.float64)
    if not np.isfinite(given).all():
        raise UserError("hidden states are not finite: read them again, of weights that are")
    return given


def _forward(loaded: LoadedModel, tokens: mx.array) -> States:
    """The last position of every layer `[batch, layer, d]`."""
    residuals = residual_stream(loaded.model, loaded.anatomy, tokens)
    last = mx.stack([h[:, -1, :].astype(mx.float32) for h in residuals], axis=1)
    return np.array(last)


def _width(loaded: LoadedModel) -> int:
    return int(loaded.config.get("hidden_size", 1 << 12))
