"""How likely the right answer is: probability and rank of its first token (methods, *Answers*)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lazarus_bench.analysis.axes import Shares
from lazarus_bench.analysis.lens import MAX_LOGITS, Ints, batches_by_length
from lazarus_bench.analysis.tokens import first_answer_tokens, prompt_tokens
from lazarus_bench.backend import mx
from lazarus_bench.exponentials import log_sum_exp
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.tasks.arithmetic import Problem


@dataclass(frozen=True, kw_only=True)
class Likelihood:
    """What the model expects to follow each prompt, one a problem.

    `probability` `[prompt]` of the right answer's first token; `rank` `[prompt]`, 1 plus how many
    tokens of the vocabulary are more probable, so that 1 is the greedy answer's.
    """

    problems: tuple[Problem, ...]
    probability: Shares
    rank: Ints


def read_likelihood(loaded: LoadedModel, problems: Sequence[Problem]) -> Likelihood:
    """Read the right answers off the prompts in symbols of `problems`, in float32."""
    prompts = prompt_tokens(loaded, [problem.symbols for problem in problems])
    first = first_answer_tokens(loaded, problems)
    probability = np.zeros(len(problems))
    rank = np.zeros(len(problems), dtype=np.int64)
    vocabulary = int(loaded.config.get("vocab_size", 1 << 17))
    longest = max(len(prompt) for prompt in prompts)
    for rows, tokens in batches_by_length(prompts, max(1, MAX_LOGITS // (vocabulary * longest))):
        logits = loaded.model(tokens)[:, -1].astype(mx.float32)
        asked = mx.array([first[row] for row in rows])[:, None]
        wanted = mx.take_along_axis(logits, asked, axis=-1)
        log_p = wanted - log_sum_exp(logits)
        probability[rows] = np.exp(np.array(log_p[:, 0], dtype=np.float64))
        rank[rows] = 1 + np.array((logits > wanted).sum(axis=-1))
    return Likelihood(problems=tuple(problems), probability=probability, rank=rank)
