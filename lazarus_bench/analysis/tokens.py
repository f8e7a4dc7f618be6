"""Prompts and answers as tokens, each encoded once a tokenizer, as all instruments ask alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.prompts import answer_tokens
from lazarus_bench.tasks.arithmetic import Problem

_PROMPTS: WeakKeyDictionary[Any, dict[str, tuple[int, ...]]] = WeakKeyDictionary()
_ANSWERS: WeakKeyDictionary[Any, dict[Problem, int]] = WeakKeyDictionary()


def prompt_tokens(loaded: LoadedModel, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of prompts, with the tokenizer's own special tokens."""
    known = _PROMPTS.setdefault(loaded.tokenizer, {})
    for text in texts:
        if text not in known:
            known[text] = tuple(loaded.encode(text))
    return [list(known[text]) for text in texts]


def first_answer_tokens(loaded: LoadedModel, problems: Sequence[Problem]) -> list[int]:
    """The first token of the right answer to each prompt in symbols."""
    known = _ANSWERS.setdefault(loaded.tokenizer, {})
    for problem in problems:
        if problem not in known:
            answer = str(problem.answer)
            known[problem] = answer_tokens(loaded.tokenizer, problem.symbols, answer)[0]
    return [known[problem] for problem in problems]
