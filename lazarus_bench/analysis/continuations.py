"""Continuations: what a model goes on with, by its most probable tokens or by chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lazarus_bench.analysis.answers import greedy
from lazarus_bench.analysis.lens import MAX_LOGITS, batches_by_length
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.texts import context_of

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Continuation:
    """The tokens that follow a prompt, without the end-of-text token, and whether one came."""

    tokens: tuple[int, ...]
    ended: bool


def continuations(
    loaded: LoadedModel,
    prompts: Sequence[Sequence[int]],
    tokens: int,
    temperature: float = 0.0,
    seed: int = 0,
) -> tuple[Continuation, ...]:
    """Continue each prompt by at most `tokens` tokens.

    Each next token is drawn from softmax(logits / temperature), at temperature 0 the most probable
    one is taken. A prompt's draws depend on `seed` and on its place among the prompts, not on what
    the others are.

    Raises:
        UserError: prompt and continuation do not fit the context, or the logits are not finite.
    """
    check_room(loaded, prompts, tokens)
    if temperature == 0:
        found = greedy(loaded, prompts, tokens)
    else:
        found = _sampled(loaded, prompts, tokens, temperature, seed)
    return tuple(Continuation(tokens=tuple(ids), ended=len(ids) < tokens) for ids in found)


def check_room(loaded: LoadedModel, prompts: Sequence[Sequence[int]], tokens: int) -> None:
    """Make sure that the context has room for `tokens` more after each prompt.

    Raises:
        UserError: it has not.
    """
    room, longest = context_of(loaded), max(map(len, prompts))
    if room is not None and longest + tokens > room:
        raise UserError(
            f"{loaded.name} reads {room} tokens, and a prompt of {longest} leaves "
            f"{max(room - longest, 0)} for what follows: ask for fewer than {tokens}"
        )


def _sampled(
    loaded: LoadedModel,
    prompts: Sequence[Sequence[int]],
    tokens: int,
    temperature: float,
    seed: int,
) -> list[list[int]]:
    """Prompts of one length share a batch and a KV cache, as in greedy decoding."""
    from mlx_lm.models.cache import make_prompt_cache

    ends = set(getattr(loaded.tokenizer, "eos_token_ids", ()) or ())
    draws = [np.random.default_rng((seed, at)) for at in range(len(prompts))]
    vocabulary = int(loaded.config.get("vocab_size", 1 << 17))
    limit = max(1, MAX_LOGITS // (vocabulary * max(map(len, prompts))))
    found: list[list[int]] = [[] for _ in prompts]
    for rows, batch in batches_by_length(prompts, limit):
        cache, fed, open_rows = make_prompt_cache(loaded.model), batch, set(rows)
        for _ in range(tokens):
            logits = np.array(loaded.model(fed, cache=cache)[:, -1, :].astype(mx.float32))
            drawn = [
                _draw(loaded, line.astype(np.float64), temperature, draws[row])
                for row, line in zip(rows, logits, strict=True)
            ]
            for row, token in zip(rows, drawn, strict=True):
                if row in open_rows and token in ends:
                    open_rows.discard(row)
                elif row in open_rows:
                    found[row].append(token)
            if not open_rows:
                break
            fed = mx.array(drawn)[:, None]
    return found


def _draw(loaded: LoadedModel, logits: Floats, temperature: float, rng: np.random.Generator) -> int:
    """A token by inversion of softmax(logits / temperature)."""
    if not np.isfinite(logits).all():
        raise UserError(f"{loaded.name}: its logits are not finite: copy its weights again")
    with np.errstate(over="ignore"):  # at a tiny temperature all but the largest is nothing
        heaps = np.cumsum(np.exp((logits - logits.max()) / temperature))
    at = np.searchsorted(heaps, rng.random() * heaps[-1], side="right")
    return min(int(at), len(heaps) - 1)
