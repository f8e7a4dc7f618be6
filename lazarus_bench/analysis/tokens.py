"""Prompts and answers as tokens, each encoded once per tokenizer, and tokens as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from lazarus_bench.errors import UserError
from lazarus_bench.figures.text import number, visible
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.prompts import answer_tokens
from lazarus_bench.models.texts import context_of
from lazarus_bench.tasks.arithmetic import Problem

Strings = npt.NDArray[np.object_]

_PROMPTS: WeakKeyDictionary[Any, dict[str, tuple[int, ...]]] = WeakKeyDictionary()
_ANSWERS: WeakKeyDictionary[Any, dict[Problem, int]] = WeakKeyDictionary()


def prompt_tokens(loaded: LoadedModel, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of prompts, with the tokenizer's own special tokens."""
    known = _PROMPTS.setdefault(loaded.tokenizer, {})
    for text in texts:
        if text not in known:
            known[text] = tuple(loaded.encode(text))
    return [list(known[text]) for text in texts]


def readable_prompts(loaded: LoadedModel, prompts: Sequence[str]) -> list[list[int]]:
    """`prompt_tokens` of prompts that somebody wrote, each checked against the model's context.

    Raises:
        UserError: a prompt has no token, or more than the model reads.
    """
    encoded, room = prompt_tokens(loaded, prompts), context_of(loaded)
    for prompt, tokens in zip(prompts, encoded, strict=True):
        if not tokens:
            raise UserError(f"{loaded.name}: the prompt {prompt!r} has no token: write another")
        if room is not None and len(tokens) > room:
            raise UserError(
                f"{loaded.name} reads {room} tokens, and the prompt {prompt[:40]!r} has "
                f"{len(tokens)}: shorten it"
            )
    return encoded


def first_answer_tokens(loaded: LoadedModel, problems: Sequence[Problem]) -> list[int]:
    """The first token of the right answer to each prompt in symbols."""
    known = _ANSWERS.setdefault(loaded.tokenizer, {})
    for problem in problems:
        if problem not in known:
            answer = str(problem.answer)
            known[problem] = answer_tokens(loaded.tokenizer, problem.symbols, answer)[0]
    return [known[problem] for problem in problems]


def token_texts(loaded: LoadedModel, ids: npt.ArrayLike) -> Strings:
    """The text of every id, in an array of the same shape; each id is decoded once.

    A tokenizer such as SentencePiece's drops the blank that a text begins with, and with it the
    difference between two tokens: each is decoded behind another, whose text is taken off.
    """
    given = np.asarray(ids, dtype=np.int64)
    known, places = np.unique(given, return_inverse=True)
    before = list(loaded.tokenizer.encode("a", add_special_tokens=False))
    texts = np.array([text_after(loaded, before, [token]) for token in known], dtype=np.object_)
    return np.asarray(texts[places].reshape(given.shape))


def text_after(loaded: LoadedModel, before: Sequence[int], ids: Sequence[int]) -> str:
    """The text of `ids` as it follows that of `before`, with the blank between the two."""
    decode = loaded.tokenizer.decode
    after = [int(token) for token in ids]
    start, whole = decode(list(before)), decode([*before, *after])
    return whole.removeprefix(start) if whole.startswith(start) else decode(after)


def token_cells(tokens: Iterable[str], values: Iterable[float]) -> list[str]:
    """Tokens with a number each, as a table shows them: blanks as ␣, control characters escaped."""
    pairs = zip(tokens, values, strict=True)
    return [f"{visible(token)} {number(float(value))}" for token, value in pairs]
