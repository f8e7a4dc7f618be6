"""Words, prompts and answers as tokens, and batches of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np

from lazarus_bench.backend import mx
from lazarus_bench.errors import NotApplicable, UserError


@dataclass(frozen=True, kw_only=True)
class Example:
    """One prompt with its answer; `gold` are the tokens that stand for its class, if it has one."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    gold: tuple[int, ...] = ()

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
    predicts the target; `prompt_last` `[batch]`: the last prompt position; `gold` `[batch]`: the
    first token of each class, −1 without one. `size`: tokens without padding. `phrases`: the same
    prompts followed by their classes, where a class has several tokens.

    A shard's losses are sums over its labels or rows divided by `label_divisor` or `row_divisor`
    (None: means over its own), such that the mean over all shards is the whole batch's mean.
    """

    tokens: mx.array
    rows: mx.array
    columns: mx.array
    targets: mx.array
    prompt_last: mx.array
    gold: mx.array
    size: int
    label_divisor: float | None = None
    row_divisor: float | None = None
    phrases: Batch | None = None

    def shard(self, rank: int, size: int) -> Batch:
        """The rows of one of `size` ranks, as even as can be; its `size` stays the whole batch's.

        Raises:
            UserError: there are fewer rows than ranks.
        """
        count = self.tokens.shape[0]
        check_shares("a batch", count, size)
        start, end = rank * count // size, (rank + 1) * count // size
        rows = np.array(self.rows)
        kept = mx.array(np.flatnonzero((rows >= start) & (rows < end)))
        return replace(
            self,
            tokens=self.tokens[start:end],
            rows=self.rows[kept] - start,
            columns=self.columns[kept],
            targets=self.targets[kept],
            prompt_last=self.prompt_last[start:end],
            gold=self.gold[start:end],
            label_divisor=len(rows) / size,
            row_divisor=count / size,
            phrases=self.phrases and self.phrases.shard(rank, size),
        )


def unshifted(batch: Batch) -> Batch:
    """The same targets, each predicted by its own position: the quirk "unshifted-labels"."""
    return replace(batch, columns=batch.columns + 1)


def at_answer_end(batch: Batch) -> Batch:
    """The class predicted at the last answer token: the quirk "class-at-answer-end"."""
    last = np.zeros(batch.tokens.shape[0], dtype=np.int32)
    np.maximum.at(last, np.array(batch.rows), np.array(batch.columns) + 1)
    return replace(batch, prompt_last=mx.array(last))


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


def collate(examples: Sequence[Example], pad: int, mask_prompt: bool = True) -> Batch:
    """Pad on the right (causal masks make the padding invisible) and list the labelled positions.

    Labels are shifted: the state at position i predicts token i + 1. With `mask_prompt` only answer
    tokens are labels.
    """
    width = max(len(example.tokens) for example in examples)
    tokens = np.full((len(examples), width), pad, dtype=np.int32)
    labels: list[tuple[int, int, int]] = []
    for row, example in enumerate(examples):
        sequence = example.tokens
        tokens[row, : len(sequence)] = sequence
        first = len(example.prompt) if mask_prompt else 1
        labels += [(row, at - 1, sequence[at]) for at in range(first, len(sequence))]
    rows, columns, targets = np.array(labels, dtype=np.int32).T
    several = any(len(example.gold) > 1 for example in examples)
    named = [Example(prompt=example.prompt, answer=example.gold) for example in examples]
    return Batch(
        tokens=mx.array(tokens),
        rows=mx.array(rows),
        columns=mx.array(columns),
        targets=mx.array(targets),
        prompt_last=mx.array([len(example.prompt) - 1 for example in examples]),
        gold=mx.array([example.gold[0] if example.gold else -1 for example in examples]),
        size=sum(len(example.tokens) for example in examples),
        phrases=collate(named, pad) if several else None,
    )


class Tokenizer(Protocol):
    """What we ask of a tokenizer: mlx-lm's wrapper around a Hugging Face one has it."""

    def encode(self, text: str, *, add_special_tokens: bool = ...) -> list[int]:
        """Token ids of `text`."""

    def decode(self, ids: list[int]) -> str:
        """Text of token ids."""


HowRead = Literal["only", "first", "phrase"]
"""How a word is read: by its only token, by its first one, or by all of them."""

_CHOSEN = re.compile(r"token:([0-9]{1,9})")


def word_ids(tokenizer: Tokenizer, word: str, token: HowRead = "only") -> tuple[int, ...]:
    """The tokens that stand for `word`; ``token:N`` is the one with the id N, whatever it spells.

    Raises:
        UserError: the word has no token.
        NotApplicable: it has several and `token` is "only".
    """
    if chosen := _CHOSEN.fullmatch(word):
        return (int(chosen[1]),)
    ids = tokenizer.encode(word, add_special_tokens=False)
    if not ids:
        raise UserError(f"{word!r} has no token in this tokenizer: name another word")
    if token == "only" and len(ids) > 1:
        raise NotApplicable(several_tokens(word, len(ids)))
    return tuple(ids) if token == "phrase" else (ids[0],)


def several_tokens(word: str, count: int) -> str:
    """Why a word of `count` tokens is not read."""
    return f"{word!r} is {count} tokens in this tokenizer; the lens reads single tokens"


@dataclass(frozen=True, kw_only=True)
class WordTokens:
    """The single tokens that spell one word.

    `bare` is the word as it stands; `variants` all of bare, leading space,
    capitalised and both that are single tokens (methods, *Lens*). Of a phrase, `bare` is the first
    token, and `rest` are those after it.
    """

    word: str
    bare: int
    variants: tuple[int, ...]
    rest: tuple[int, ...] = ()


def word_tokens(tokenizer: Tokenizer, word: str) -> WordTokens:
    """Look `word` up.

    Raises:
        NotApplicable: the bare word is not a single token here.
    """
    spellings = (word, f" {word}", word.capitalize(), f" {word.capitalize()}")
    found = [tokenizer.encode(spelling, add_special_tokens=False) for spelling in spellings]
    if len(found[0]) != 1:
        raise NotApplicable(several_tokens(word, len(found[0])))
    singles = tuple(dict.fromkeys(ids[0] for ids in found if len(ids) == 1))
    return WordTokens(word=word, bare=found[0][0], variants=singles)
