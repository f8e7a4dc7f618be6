"""Prompts and answers as tokens, and batches of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lazarus_bench.backend import mx
from lazarus_bench.models.words import Tokenizer


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
    answer is encoded on its own: training and evaluation both feed the prompt exactly as the
    writeups do, with its trailing space.
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
    """

    tokens: mx.array
    rows: mx.array
    columns: mx.array
    targets: mx.array
    prompt_last: mx.array
    gold: mx.array
    size: int


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
    return Batch(
        tokens=mx.array(tokens),
        rows=mx.array(rows),
        columns=mx.array(columns),
        targets=mx.array(targets),
        prompt_last=mx.array([len(example.prompt) - 1 for example in examples]),
        gold=mx.array([example.gold for example in examples]),
        size=sum(len(example.tokens) for example in examples),
    )
