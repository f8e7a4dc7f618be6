"""Labelled texts as tokens, and batches of them.

Every token of a text after the first is a label of the language model: the first would have to be
predicted from nothing where a tokenizer has no begin-of-text token, and from a prefix that only
some models have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.prompts import padded_size
from lazarus_bench.tasks.labelled import Labelled

_CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "n_ctx")


@dataclass(frozen=True, kw_only=True)
class EncodedText:
    """Tokens of one text, after the tokenizer's own opening ones; `cut` if it was longer."""

    tokens: tuple[int, ...]
    label: int
    cut: bool


def context_of(loaded: LoadedModel) -> int | None:
    """How many tokens the model's configuration says it reads; None where it says nothing."""
    config: dict[str, Any] = loaded.config.get("text_config") or loaded.config
    found = (config.get(key) for key in _CONTEXT_KEYS)
    return next((int(length) for length in found if length), None)


def encode_texts(
    loaded: LoadedModel, texts: Sequence[Labelled], what: str, max_length: int | None
) -> list[EncodedText]:
    """Encode every text, cut after `max_length` tokens of its own where that is given.

    In the context one position stays free, for a prefix. A context that holds fewer tokens than
    `max_length` cuts there. An error names the line that a text was read from, where there is one.

    Args:
        loaded: whose tokenizer and context.
        texts: in the order by which an error counts those of no file, from 1.
        what: names them in an error, such as "training example".
        max_length: of the text's own tokens, the tokenizer's opening ones not counted.

    Raises:
        UserError: a text is empty, or does not fit the context.
    """
    # The special tokens before a text, without those that would close it.
    begin, end = (getattr(loaded.tokenizer, f"{at}_token_id", None) for at in ("bos", "eos"))
    opening = tuple(token for token in loaded.encode("") if token == begin or token != end)
    context = context_of(loaded)
    room = None if context is None else context - 1 - len(opening)
    if room is not None and max_length is not None:
        max_length = min(max_length, room)
    found = []
    for at, text in enumerate(texts, 1):
        own = loaded.tokenizer.encode(text.text, add_special_tokens=False)
        named = text.place or f"{what} {at}"
        if not text.text.strip() or not own:
            raise UserError(f"{named} is empty: remove it")
        if room is not None and max_length is None and len(own) > room:
            raise UserError(
                f"{named} has {len(own)} tokens, and {loaded.name} reads {room} of a text: "
                f"shorten it, or give max_length={room}, which cuts such texts and counts them"
            )
        kept = own if max_length is None else own[:max_length]
        cut = len(kept) < len(own)
        found.append(EncodedText(tokens=(*opening, *kept), label=text.label, cut=cut))
    return found


@dataclass(frozen=True, kw_only=True)
class TextBatch:
    """Right-padded texts: `tokens` `[text, time]`, `last` `[text]` the last position of each.

    `labels` `[text]` are the classes; the state at (`rows`, `columns`) `[label]` predicts
    `targets`, whose `weights` are 1, and 0 where they only pad. `size`: tokens without padding.
    """

    tokens: mx.array
    last: mx.array
    labels: mx.array
    rows: mx.array
    columns: mx.array
    targets: mx.array
    weights: mx.array
    size: int


def collate_texts(texts: Sequence[EncodedText], pad: int = 0) -> TextBatch:
    """Pad on the right, where causal masks make it invisible, to one of few sizes."""
    lengths = np.array([len(text.tokens) for text in texts])
    tokens = np.full((len(texts), padded_size(int(lengths.max()))), pad, dtype=np.int32)
    for row, text in enumerate(texts):
        tokens[row, : lengths[row]] = text.tokens
    rows, columns = np.nonzero(np.arange(1, lengths.max()) < lengths[:, None])
    labels = len(rows)
    rows, columns = (np.pad(each, (0, padded_size(labels) - labels)) for each in (rows, columns))
    return TextBatch(
        tokens=mx.array(tokens),
        last=mx.array(lengths - 1),
        labels=mx.array(np.array([text.label for text in texts], dtype=np.int32)),
        rows=mx.array(rows.astype(np.int32)),
        columns=mx.array(columns.astype(np.int32)),
        targets=mx.array(tokens[rows, np.minimum(columns + 1, tokens.shape[1] - 1)]),
        weights=mx.array((np.arange(len(rows)) < labels).astype(np.float32)),
        size=int(lengths.sum()),
    )
