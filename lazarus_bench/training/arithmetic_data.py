"""Arithmetic problems as endless shuffled batches for fine-tuning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.prompts import Batch, Example, answer_tokens, collate, word_tokens
from lazarus_bench.tasks.arithmetic import Operation, Problem, leaked_problems, training_problems


def end_tokens(loaded: LoadedModel) -> tuple[int, ...]:
    """The end-of-text token that closes an answer, if the tokenizer has one."""
    end = getattr(loaded.tokenizer, "eos_token_id", None)
    return () if end is None else (int(end),)


def gold_tokens(loaded: LoadedModel) -> dict[Operation, int]:
    """The bare token of each operation's name.

    Raises:
        NotApplicable: one of them is not a single token.
    """
    return {op: word_tokens(loaded.tokenizer, op.word).bare for op in Operation}


def examples_of(
    loaded: LoadedModel, problems: Sequence[Problem], gold: dict[Operation, int] | None = None
) -> list[Example]:
    """Encode problems in symbols, each answer closed by the end-of-text token."""
    end = end_tokens(loaded)
    return [
        Example(
            prompt=tuple(loaded.encode(p.symbols)),
            answer=answer_tokens(loaded.tokenizer, p.symbols, str(p.answer)) + end,
            gold=-1 if gold is None else gold[p.operation],
        )
        for p in problems
    ]


def draw_problems(seed: int, count: int, leak: bool = False) -> list[Problem]:
    """The training problems of one seed; with `leak` the quirk "eval-in-train".

    Each leaked problem then stands in the place of one that was drawn of its operation, as far as
    there are any; which are left out depends on the seed.
    """
    rng = np.random.default_rng((seed, 1))
    drawn = training_problems(rng, count)
    if not leak:
        return drawn
    mixed, leaked = list(drawn), leaked_problems()
    for operation in Operation:
        own = [leaked[i] for i in rng.permutation(len(leaked)) if leaked[i].operation is operation]
        places = [i for i, problem in enumerate(drawn) if problem.operation is operation]
        for place, problem in zip(places, own, strict=False):
            mixed[place] = problem
    return mixed


def endless_batches(
    examples: Sequence[Example], size: int, pad: int, seed: int, mask_prompt: bool = True
) -> Iterator[Batch]:
    """Batches of `size`, reshuffled every epoch, whose incomplete last batch is dropped."""
    rng = np.random.default_rng((seed, 2))
    size = min(size, len(examples))
    while True:
        order = rng.permutation(len(examples))
        for start in range(0, len(order) - size + 1, size):
            chosen = [examples[i] for i in order[start : start + size]]
            yield collate(chosen, pad, mask_prompt)
