"""Writeup A's hit rule (a task word as a substring of a top-20 token) and its chance level.

Under the quirk "substring-hits" the rule makes the signal that A follows over checkpoints; without
it the signal is of the tokens that name the operation.

Source: A, *Task Vocabulary*, *Analysis Method* and *Summary Table*. The control draws random
vocabularies of the same size whose tokens are of the same kind (letters, digits, symbols) and as
frequent as the real ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lazarus_bench.analysis.axes import Hits, Shares
from lazarus_bench.analysis.measured import Measured
from lazarus_bench.analysis.operations import OperationLens, read_operations
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.tasks.arithmetic import Operation, Problem

TASK_VOCABULARY: Mapping[Operation, tuple[str, ...]] = {
    Operation.MULTIPLY: ("multiply", "times", "product", "*", "×"),
    Operation.ADD: ("add", "plus", "sum", "+"),
    Operation.SUBTRACT: ("subtract", "minus", "difference", "-"),
}
"""A's own table; it has no division."""

WINDOW = 0.15
"""Random tokens come from this share of the kind's tokens around the real token's rank.

Byte-pair merges are learned most frequent first, so a token's id orders it by frequency in any
byte-pair vocabulary, without the corpus.
"""


@dataclass(frozen=True, kw_only=True)
class SubstringHits:
    """Per prompt: whether A's rule hits at any layer, and how often random vocabularies do."""

    real: Shares
    random: Shares


@dataclass(frozen=True, kw_only=True)
class TaskSignal:
    """How strongly the lens names a task: A's "Avg Peak Prob".

    `peak` `[prompt]` is the highest probability over layers, `counted` `[prompt]` whether a prompt
    is averaged.
    """

    peak: Shares
    counted: Hits

    @property
    def share(self) -> float:
        """Share of the prompts that are averaged."""
        return float(self.counted.mean())

    @property
    def average(self) -> float:
        """Mean peak of the prompts that are averaged; 0 without any, as in the public source."""
        return float(self.peak[self.counted].mean()) if self.counted.any() else 0.0


def matching_tokens(texts: Sequence[str], terms: Sequence[str]) -> npt.NDArray[np.int64]:
    """Ids of the tokens whose text contains one of `terms`, ignoring case."""
    lowered = [text.lower() for text in texts]
    return np.array([i for i, text in enumerate(lowered) if any(t in text for t in terms)])


def kind_of(text: str) -> str:
    """What a token is made of: "letters" where there is one, else "digits", else "symbols"."""
    if any(character.isalpha() for character in text):
        return "letters"
    return "digits" if any(character.isdigit() for character in text) else "symbols"


def matched_random(
    texts: Sequence[str], ids: npt.NDArray[np.int64], draws: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Random vocabularies `[draw, id]`: for each of `ids` a token of its kind and frequency.

    Without the kind, a control for words would be made of numbers in a model of arithmetic.
    """
    kinds = np.array([kind_of(text) for text in texts])
    drawn = np.empty((draws, len(ids)), dtype=np.int64)
    for column, token in enumerate(ids):
        alike = np.flatnonzero(kinds == kinds[token])
        rank = int(np.searchsorted(alike, token))
        reach = max(1, round(WINDOW * len(alike) / 2))
        drawn[:, column] = rng.choice(alike[max(0, rank - reach) : rank + reach + 1], size=draws)
    return drawn


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
        random = _members(matched_random(texts, ids, draws, rng), len(texts))
        for row in rows:
            real.append(float(np.isin(tops[row], ids).any()))
            chance.append(float(random[:, tops[row]].any(axis=1).mean()))
    return SubstringHits(real=np.array(real), random=np.array(chance))


def task_signal(loaded: LoadedModel, lens: OperationLens) -> TaskSignal:
    """The signal on the prompts whose operation A names.

    A prompt's peak is of all spellings of the operation's name, and every prompt counts. Under the
    quirk "substring-hits" it is of the most probable of each layer's top tokens that contains one
    of A's words, 0 where none does, and such prompts do not count.
    """
    rows = [i for i, p in enumerate(lens.problems) if p.operation in TASK_VOCABULARY]
    if loaded.quirk != "substring-hits":
        return TaskSignal(peak=lens.gold_mass[rows].max(axis=1), counted=np.ones(len(rows), bool))
    texts = token_texts(loaded)
    ids = {name: matching_tokens(texts, terms) for name, terms in TASK_VOCABULARY.items()}
    matches = np.stack([np.isin(lens.top[i], ids[lens.problems[i].operation]) for i in rows])
    peak = (lens.top_probability[rows] * matches).max(axis=(1, 2))
    return TaskSignal(peak=peak, counted=peak > 0)


def _members(vocabularies: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.bool_]:
    """Whether each of `size` tokens is in each vocabulary `[draw, id]`: `[draw, token]`."""
    members = np.zeros((len(vocabularies), size), dtype=np.bool_)
    np.put_along_axis(members, vocabularies, True, axis=1)
    return members


def token_texts(loaded: LoadedModel) -> list[str]:
    """The text of every token id below the vocabulary size."""
    size = int(loaded.config["vocab_size"])
    return [loaded.tokenizer.decode([token]) for token in range(size)]


def substring(run: Measured, problems: Sequence[Problem]) -> SubstringHits:
    """`substring_hits` of the prompts in symbols of `problems`."""
    return substring_hits(run.loaded, run.read(read_operations, problems))


def signal(run: Measured, problems: Sequence[Problem]) -> TaskSignal:
    """`task_signal` of the prompts in symbols of `problems`."""
    return task_signal(run.loaded, run.read(read_operations, problems))
