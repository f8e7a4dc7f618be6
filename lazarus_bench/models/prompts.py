"""Words, prompts and answers as tokens, and batches of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from lazarus_bench.backend import mx
from lazarus_bench.errors import NotApplicable, UserError


@dataclass(frozen=True, kw_only=True)
class Example:
    """One prompt with its answer; `gold` is the token of the operation's name, −1 when unused."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    gold: int = -1

    @property
    def tokens(self) -> tuple[int, ...]:
        """Prompt and answer."""
        return self.prompt + self.answer


def answer_tokens(tokenizer: Tokenizer, prompt: str, answer: str) -> tuple[int, ...]:
    """Tokens of `answer` as they follow `prompt`.

    Where a tokenizer would merge across the border (GPT-2 joins the space and the digits), the
    answer is encoded on its own: training and evaluation both feed the prompt as it is, with its
    trailing space.
    """
    head = tokenizer.encode(prompt)
    whole = tokenizer.encode(prompt + answer)
    if whole[: len(head)] == head and len(whole) > len(head):
        return tuple(whole[len(head) :])
    return tuple(tokenizer.encode(answer, add_special_tokens=False))


@dataclass(frozen=True)
class Batch:
    """A right-padded batch and the positions that carry a loss.

    `tokens` `[batch, time]`; `rows`, `columns`, `targets` `[labels]`: position (row, column)
    predicts the target; `prompt_last` `[batch]`: the last prompt position; `gold` `[batch]`.
    `size`: tokens without padding.

    A loss is the sum over labels or rows times their weights, `label_weight` `[labels]` and
    `row_weight` `[batch]`: the inverse of their number, and 0 for labels that only pad. Those of a
    shard are such that the mean over all shards is the whole batch's mean.
    """

    tokens: mx.array
    rows: mx.array
    columns: mx.array
    targets: mx.array
    prompt_last: mx.array
    gold: mx.array
    label_weight: mx.array
    row_weight: mx.array
    size: int

    def shard(self, rank: int, size: int) -> Batch:
        """The rows of one of `size` ranks, as even as can be; its `size` stays the whole batch's.

        Raises:
            UserError: there are fewer rows than ranks.
        """
        count = self.tokens.shape[0]
        check_shares("a batch", count, size)
        start, end = rank * count // size, (rank + 1) * count // size
        rows, weights = np.array(self.rows), np.array(self.label_weight)
        kept = mx.array(np.flatnonzero((rows >= start) & (rows < end) & (weights > 0)))
        return replace(
            self,
            tokens=self.tokens[start:end],
            rows=self.rows[kept] - start,
            columns=self.columns[kept],
            targets=self.targets[kept],
            prompt_last=self.prompt_last[start:end],
            gold=self.gold[start:end],
            label_weight=self.label_weight[kept] * size,
            row_weight=self.row_weight[start:end] * size,
        )


def unshifted(batch: Batch) -> Batch:
    """The same targets, each predicted by its own position: the quirk "unshifted-labels"."""
    return replace(batch, columns=batch.columns + 1)


def at_answer_end(batch: Batch) -> Batch:
    """The class predicted at the last answer token: the quirk "class-at-answer-end"."""
    none = mx.zeros_like(batch.prompt_last)
    last = none.at[batch.rows].maximum(batch.columns + 1)
    return replace(batch, prompt_last=last)


def check_shares(what: str, count: int, ranks: int) -> None:
    """Make sure that each of `ranks` processes gets one of `count` examples.

    Raises:
        UserError: there are fewer examples than ranks.
    """
    if count < ranks:
        raise UserError(
            f"{what} of {count} cannot be shared by {ranks} ranks: make it larger, or take at most "
            f"{count} ranks"
        )


def padded_size(size: int, least: int = 1) -> int:
    """`size` rounded up to one of at most eight sizes an octave, which adds less than an eighth.

    A compiled step is traced anew for every shape, so there must be few. All are multiples of
    `least`, a power of two.
    """
    unit = max(least, 1 << max(0, size.bit_length() - 4))
    return -(-size // unit) * unit


def collate(
    examples: Sequence[Example], pad: int, mask_prompt: bool = True, least: int = 1
) -> Batch:
    """Pad on the right (causal masks make the padding invisible) and list the labelled positions.

    Labels are shifted: the state at position i predicts token i + 1. With `mask_prompt` only answer
    tokens are labels. Widths are rounded up to multiples of `least` (`padded_size`), numbers of
    labels to multiples of four times as many.
    """
    width = padded_size(max(len(example.tokens) for example in examples), least)
    tokens = np.full((len(examples), width), pad, dtype=np.int32)
    labels: list[tuple[int, int, int]] = []
    for row, example in enumerate(examples):
        sequence = example.tokens
        tokens[row, : len(sequence)] = sequence
        first = len(example.prompt) if mask_prompt else 1
        labels += [(row, at - 1, sequence[at]) for at in range(first, len(sequence))]
    rows, columns, targets = (
        np.pad(each, (0, padded_size(len(labels), 4 * least) - len(labels)))
        for each in np.array(labels, dtype=np.int32).T
    )
    weights = np.zeros(len(rows), dtype=np.float32)
    weights[: len(labels)] = 1 / len(labels)
    return Batch(
        tokens=mx.array(tokens),
        rows=mx.array(rows),
        columns=mx.array(columns),
        targets=mx.array(targets),
        prompt_last=mx.array([len(example.prompt) - 1 for example in examples]),
        gold=mx.array([example.gold for example in examples]),
        label_weight=mx.array(weights),
        row_weight=mx.full(len(examples), 1 / len(examples)),
        size=sum(len(example.tokens) for example in examples),
    )


class Tokenizer(Protocol):
    """What we ask of a tokenizer: mlx-lm's wrapper around a Hugging Face one has it."""

    def encode(self, text: str, *, add_special_tokens: bool = ...) -> list[int]:
        """Token ids of `text`."""

    def decode(self, ids: list[int]) -> str:
        """Text of token ids."""


@dataclass(frozen=True, kw_only=True)
class WordTokens:
    """The single tokens that spell one word.

    `bare` is the word as it stands; `variants` all of bare, leading space,
    capitalised and both that are single tokens (methods, *Lens*).
    """

    word: str
    bare: int
    variants: tuple[int, ...]


def word_tokens(tokenizer: Tokenizer, word: str) -> WordTokens:
    """Look `word` up.

    Raises:
        NotApplicable: the bare word is not a single token here.
    """
    spellings = (word, f" {word}", word.capitalize(), f" {word.capitalize()}")
    found = [tokenizer.encode(spelling, add_special_tokens=False) for spelling in spellings]
    if len(found[0]) != 1:
        raise NotApplicable(
            f"{word!r} is {len(found[0])} tokens in this tokenizer; the lens reads single tokens"
        )
    singles = tuple(dict.fromkeys(ids[0] for ids in found if len(ids) == 1))
    return WordTokens(word=word, bare=found[0][0], variants=singles)
