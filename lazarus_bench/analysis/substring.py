"""Writeup A's hit rule (a task word as a substring of a top-20 token) and its chance level.

Source: A, *Task Vocabulary* and *Analysis Method*. The control draws random vocabularies of the
same size whose tokens are as frequent as the real ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lazarus_bench.analysis.operations import OperationLens
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.tasks.arithmetic import Operation

TASK_VOCABULARY: Mapping[Operation, tuple[str, ...]] = {
    Operation.MULTIPLY: ("multiply", "times", "product", "*", "×"),
    Operation.ADD: ("add", "plus", "sum", "+"),
    Operation.SUBTRACT: ("subtract", "minus", "difference", "-"),
}
"""A's own table; it has no division."""

WINDOW = 0.15
"""Random tokens come from this share of the vocabulary around the real token's rank.

Byte-pair merges are learned most frequent first, so a token's id orders it by frequency in any
byte-pair vocabulary, without the corpus.
"""


@dataclass(frozen=True, kw_only=True)
class SubstringHits:
    """Per prompt: whether A's rule hits at any layer, and how often random vocabularies do."""

    real: npt.NDArray[np.float64]
    random: npt.NDArray[np.float64]


def matching_tokens(texts: Sequence[str], terms: Sequence[str]) -> npt.NDArray[np.int64]:
    """Ids of the tokens whose text contains one of `terms`, ignoring case."""
    lowered = [text.lower() for text in texts]
    return np.array([i for i, text in enumerate(lowered) if any(t in text for t in terms)])


def matched_random(
    ids: npt.NDArray[np.int64], size: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """A random token for each of `ids`, drawn within ±`WINDOW`/2 of its rank in the vocabulary."""
    reach = max(1, round(WINDOW * size / 2))
    low = np.clip(ids - reach, 0, size - 1)
    high = np.clip(ids + reach, 1, size)
    return rng.integers(low, high)


def substring_hits(
    loaded: LoadedModel, lens: OperationLens, draws: int = 200, seed: int = 0
) -> SubstringHits:
    """Apply A's rule and its random control to the prompts whose operation A names.

    Returns:
        `real` 0 or 1 and `random` in [0, 1], both `[prompt]` over those prompts.
    """
    texts = token_texts(loaded)
    rng = np.random.default_rng(seed)
    real: list[float] = []
    chance: list[float] = []
    tops = lens.top.reshape(len(lens.problems), -1)
    for operation, terms in TASK_VOCABULARY.items():
        rows = [i for i, p in enumerate(lens.problems) if p.operation is operation]
        ids = matching_tokens(texts, terms)
        random = [matched_random(ids, len(texts), rng) for _ in range(draws)]
        for row in rows:
            real.append(float(np.isin(tops[row], ids).any()))
            chance.append(float(np.mean([np.isin(tops[row], r).any() for r in random])))
    return SubstringHits(real=np.array(real), random=np.array(chance))


def token_texts(loaded: LoadedModel) -> list[str]:
    """The text of every token id below the vocabulary size."""
    size = int(loaded.config["vocab_size"])
    return [loaded.tokenizer.decode([token]) for token in range(size)]
