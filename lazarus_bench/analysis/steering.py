"""Steering any prompts: what they are continued with when a direction is added after a layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lazarus_bench.analysis.answers import greedy
from lazarus_bench.analysis.interventions import difference_of_means, random_direction
from lazarus_bench.analysis.lens import (
    MAX_LOGITS,
    Floats,
    Ints,
    LensReading,
    batches_by_length,
    check_tokens,
    read_lens,
)
from lazarus_bench.analysis.states import last_states
from lazarus_bench.backend import mx
from lazarus_bench.models.edits import Steer
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.taps import edited


@dataclass(frozen=True, kw_only=True)
class Steered:
    """What prompts do under a direction: their lens, their continuations, and how far they moved.

    `moved` `[prompt]` is the total variation ½ Σ |p − q| between the next token's distributions
    with and without it.
    """

    reading: LensReading
    continuations: tuple[tuple[int, ...], ...]
    moved: Floats


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is read of a prompt: `targets` `[target]`, `top` tokens, a text of `length` tokens."""

    targets: Ints
    top: int
    length: int


def directions(
    loaded: LoadedModel, toward: Sequence[Sequence[int]], away: Sequence[Sequence[int]]
) -> Floats:
    """Mean last state of `toward` minus that of `away`, at every layer `[layer, d]`.

    Raises:
        UserError: there is no prompt on a side, or one is empty or has an unknown token.
    """
    return difference_of_means(last_states(loaded, toward), last_states(loaded, away))


def read_steered(
    loaded: LoadedModel,
    prompts: Sequence[Sequence[int]],
    asked: Asked,
    layer: int,
    direction: Floats,
    strength: float,
) -> Steered:
    """Steer by `strength` · `direction` `[d]` after `layer`, from each last prompt position on.

    So in all that is generated (Rimsky et al. 2024). Strength 0 is the model as it is, bit for bit.

    Raises:
        UserError: a token of a prompt is not in the vocabulary, the layer is not in the model, or
            the direction has another width.
    """
    shape = (len(prompts), loaded.depth)
    probability = np.zeros((*shape, len(asked.targets)))
    top_ids = np.zeros((*shape, asked.top), dtype=np.int64)
    top_probability, moved = np.zeros((*shape, asked.top)), np.zeros(len(prompts))
    texts: list[tuple[int, ...]] = [()] * len(prompts)
    for rows, tokens, edit in _edits(loaded, prompts, layer, direction, strength):
        moved[rows] = _moved(loaded, tokens, edit)
        own = [prompts[row] for row in rows]
        with edited(loaded.model, loaded.anatomy, (edit,)):
            reading = read_lens(loaded, own, np.tile(asked.targets, (len(own), 1)), asked.top)
            continued = greedy(loaded, own, asked.length)
        probability[rows], top_ids[rows] = reading.probability, reading.top_ids
        top_probability[rows] = reading.top_probability
        for row, ids in zip(rows, continued, strict=True):
            texts[row] = tuple(ids)
    reading = LensReading(probability=probability, top_ids=top_ids, top_probability=top_probability)
    return Steered(reading=reading, continuations=tuple(texts), moved=moved)


def moved_at_random(
    loaded: LoadedModel,
    prompts: Sequence[Sequence[int]],
    layer: int,
    like: Floats,
    strength: float,
    draws: int,
) -> Floats:
    """How far random directions as long as `like` `[d]` move the next token `[draw, prompt]`."""
    found = np.zeros((draws, len(prompts)))
    for draw in range(draws):
        drawn = random_direction(like, draw)
        for rows, tokens, edit in _edits(loaded, prompts, layer, drawn, strength):
            found[draw, rows] = _moved(loaded, tokens, edit)
    return found


def _edits(
    loaded: LoadedModel,
    prompts: Sequence[Sequence[int]],
    layer: int,
    direction: Floats,
    strength: float,
) -> Iterator[tuple[list[int], mx.array, Steer]]:
    """Prompts of one length, their tokens, and the edit that begins at their last position."""
    check_tokens(loaded, prompts)
    vector = mx.array(direction.astype(np.float32))
    longest = max(map(len, prompts))
    limit = max(1, MAX_LOGITS // (int(loaded.config.get("vocab_size", 1 << 17)) * longest))
    for rows, tokens in batches_by_length(prompts, limit):
        start = tokens.shape[1] - 1
        yield rows, tokens, Steer(layer=layer, direction=vector, strength=strength, start=start)


def _moved(loaded: LoadedModel, tokens: mx.array, edit: Steer) -> Floats:
    before = _distribution(loaded, tokens)
    with edited(loaded.model, loaded.anatomy, (edit,)):
        after = _distribution(loaded, tokens)
    return np.array(mx.abs(after - before).sum(axis=-1) / 2, dtype=np.float64)


def _distribution(loaded: LoadedModel, tokens: mx.array) -> mx.array:
    """Of the next token `[batch, token]`, in float32."""
    return mx.softmax(loaded.model(tokens)[:, -1].astype(mx.float32), axis=-1)
