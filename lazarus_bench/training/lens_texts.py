"""The texts that a lens is fitted on: the lab's corpus, or rows of one's own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.texts import context_of
from lazarus_bench.tasks import corpus
from lazarus_bench.tasks.text_rows import TextRow, TextSource, read_rows
from lazarus_bench.training.arithmetic_data import end_tokens
from lazarus_bench.training.own_rows import read_examples

SINKS = 16
"""First positions of a long text that are left out: attention sinks, whose residuals are far off
(Gurnee et al. 2026)."""

LONG = 2 * SINKS
"""Tokens beyond which a text is long; a shorter one leaves its first position out."""

CORPUS_LENGTH = 32
"""About the most tokens of a text of the lab's corpus; its own tokenizer makes 17 at most."""

LEAST = 3
"""Tokens of the shortest text with a position to fit on, as the last is left out too."""


@dataclass(frozen=True, kw_only=True)
class LensTexts:
    """Texts as tokens, and the rows that they come from."""

    rows: Sequence[TextRow]
    texts: Sequence[tuple[int, ...]]

    @property
    def about(self) -> dict[str, Any]:
        """What a fitted lens says of them; a digest of their content, not of their tokens."""
        content = json.dumps([[row.prompt, row.text, row.messages] for row in self.rows])
        return {
            "digest": hashlib.sha256(content.encode()).hexdigest(),
            "texts": len(self.texts),
            "positions": sum(len(text) - 1 - skipped(len(text)) for text in self.texts),
        }

    def split(self, count: int) -> tuple[LensTexts, LensTexts]:
        """The first `count` of them, and the others."""
        halves = (slice(count), slice(count, None))
        first, rest = (LensTexts(rows=self.rows[h], texts=self.texts[h]) for h in halves)
        return first, rest


def skipped(length: int) -> int:
    """How many positions at the start of a text of `length` tokens are left out."""
    return SINKS if length > LONG else 1


def lens_texts(
    loaded: LoadedModel, source: TextSource | None, seed: int, count: int, max_length: int
) -> LensTexts:
    """At most `count` texts of `source`, or so many of the lab's corpus, each cut to `max_length`.

    The corpus's are in turn arithmetic in symbols, in words, and prose. Their seeds are apart from
    those of pretraining and of claims; no text of the corpus has a held-out pair of operands.

    Raises:
        UserError: the rows cannot be read, or fewer than two have a position to fit on.
    """
    rows = _from_corpus(seed, count) if source is None else read_rows(source).train[:count]
    room = context_of(loaded) or max_length
    read = read_examples(loaded, rows, min(max_length, room), whole=True)
    end = end_tokens(loaded)
    texts = [e.tokens[:-1] if end and e.tokens[-1:] == end else e.tokens for e in read.examples]
    kept = [(row, text) for row, text in zip(rows, texts, strict=True) if len(text) >= LEAST]
    if len(kept) < 2:
        raise UserError(
            f"a lens is fitted on two texts of {LEAST} tokens or more, and {len(kept)} of "
            f"{len(rows)} are so long: give more text"
        )
    return LensTexts(rows=[row for row, _ in kept], texts=[text for _, text in kept])


def _from_corpus(seed: int, count: int) -> list[TextRow]:
    rng = np.random.default_rng((seed, 23))
    kinds = (corpus.symbols, corpus.worded, corpus.prose)
    drawn = [kind(rng, -(-count // len(kinds))) for kind in kinds]
    documents = [document for together in zip(*drawn, strict=True) for document in together]
    return [TextRow(text=document.whole, place="the corpus") for document in documents[:count]]


@dataclass(frozen=True, kw_only=True)
class LensBatch:
    """Right-padded texts: `tokens` `[text, time]` and `weights` `[text, time]`.

    A text's weights sum to 1 over its positions, the first ones and the last left out. `size`:
    tokens without padding.
    """

    tokens: mx.array
    weights: mx.array
    size: int


def lens_batch(texts: Sequence[tuple[int, ...]]) -> LensBatch:
    """A batch of `texts`, of `LEAST` tokens or more."""
    lengths = np.array([len(text) for text in texts])
    tokens = np.zeros((len(texts), lengths.max()), dtype=np.int32)
    weights = np.zeros(tokens.shape, dtype=np.float32)
    for row, text in enumerate(texts):
        first, last = skipped(len(text)), len(text) - 1
        tokens[row, : len(text)] = text
        weights[row, first:last] = 1 / (last - first)
    return LensBatch(tokens=mx.array(tokens), weights=mx.array(weights), size=int(lengths.sum()))


def lens_batches(texts: Sequence[tuple[int, ...]], size: int) -> Iterator[LensBatch]:
    """Endless batches of `size` of the texts, in their order."""
    while True:
        for start in range(0, len(texts) - size + 1, size):
            yield lens_batch(texts[start : start + size])
