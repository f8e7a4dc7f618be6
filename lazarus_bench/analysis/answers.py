"""Answers: greedy decoding, the first integer, exact match (methods, *Answers*)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lazarus_bench.analysis.axes import Hits
from lazarus_bench.analysis.lens import MAX_LOGITS, batches_by_length
from lazarus_bench.analysis.tokens import prompt_tokens
from lazarus_bench.backend import mx
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.tasks.arithmetic import Problem
from lazarus_bench.tasks.integers import first_integer
from lazarus_bench.tasks.words import word_prompts

ANSWER_TOKENS = 8
"""Tokens decoded for an answer: enough for a space, a sign and five digits one by one."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Decoded continuations and whether their first integer is right, one a problem."""

    problems: tuple[Problem, ...]
    texts: tuple[str, ...]

    @property
    def correct(self) -> Hits:
        """Exact match `[prompt]`."""
        pairs = zip(self.problems, self.texts, strict=True)
        return np.array([first_integer(text) == problem.answer for problem, text in pairs])


def greedy(loaded: LoadedModel, prompts: Sequence[Sequence[int]], tokens: int) -> list[list[int]]:
    """Continue each prompt by its most probable tokens, cut at the end-of-text token.

    Prompts of one length share a batch and a KV cache, so no padding enters the model.
    """
    from mlx_lm.models.cache import make_prompt_cache

    ends = set(getattr(loaded.tokenizer, "eos_token_ids", ()) or ())
    vocabulary = int(loaded.config.get("vocab_size", 1 << 17))
    longest = max(len(prompt) for prompt in prompts)
    limit = max(1, MAX_LOGITS // (vocabulary * longest))
    continuations: list[list[int]] = [[] for _ in prompts]
    for rows, batch in batches_by_length(prompts, limit):
        cache = make_prompt_cache(loaded.model)
        steps: list[mx.array] = []
        ended = np.zeros(len(rows), dtype=np.bool_)
        fed = batch
        for _ in range(tokens):
            fed = mx.argmax(loaded.model(fed, cache=cache)[:, -1, :], axis=-1)[:, None]
            mx.eval(fed)
            steps.append(fed)
            ended |= np.isin(np.array(fed[:, 0]), list(ends))
            if ended.all():
                break
        for row, ids in zip(rows, np.array(mx.concatenate(steps, axis=1)).tolist(), strict=True):
            continuations[row] = _until(ids, ends)
    return continuations


def _until(ids: list[int], ends: set[int]) -> list[int]:
    for at, token in enumerate(ids):
        if token in ends:
            return ids[:at]
    return ids


def answer(
    loaded: LoadedModel, problems: Sequence[Problem], asked: Sequence[str] | None = None
) -> Answers:
    """Let the model answer `problems`, `asked` in one text each, in symbols unless given."""
    asked = [problem.symbols for problem in problems] if asked is None else asked
    prompts = prompt_tokens(loaded, asked)
    decoded = greedy(loaded, prompts, ANSWER_TOKENS)
    texts = tuple(loaded.tokenizer.decode(ids) for ids in decoded)
    return Answers(problems=tuple(problems), texts=texts)


def answer_in_words(loaded: LoadedModel, problems: Sequence[Problem]) -> Answers:
    """Greedy answers to the same problems in words, the templates in turn."""
    return answer(loaded, problems, word_prompts(problems))
