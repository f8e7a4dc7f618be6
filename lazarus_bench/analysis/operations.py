"""The lens on arithmetic prompts: which layer names the operation, which shows the answer.

Whether the predicted operation differs from prompt to prompt, and rightly so, is measured by
`Collapse`; a constant predictor has entropy 0, share 1 and Matthews correlation 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lazarus_bench.analysis.lens import Floats, Ints, read_lens
from lazarus_bench.analysis.tokens import first_answer_tokens, prompt_tokens
from lazarus_bench.errors import NotApplicable
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.prompts import WordTokens, word_tokens
from lazarus_bench.tasks.arithmetic import Operation, Problem

REMAINING = ("remaining", "remainder", "remain", "reste")
"""The synonym set of B's subtraction classifier (*Subtraction Classifier at Layer 10*)."""

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class OperationLens:
    """Lens readings of arithmetic prompts, `[prompt, layer]` unless said otherwise.

    `bare` and `variants`: probability of each operation's bare name and of all its declared
    variants, `[prompt, layer, operation]`; `gold`: index of the prompt's own operation `[prompt]`;
    `answer`: probability of the right answer's first token; `top`: the most probable tokens
    `[prompt, layer, k]` with their probabilities.
    """

    problems: tuple[Problem, ...]
    words: tuple[WordTokens, ...]
    gold: Ints
    bare: Floats
    variants: Floats
    answer: Floats
    top: Ints
    top_probability: Floats

    @property
    def gold_probability(self) -> Floats:
        """Probability of the bare token that names the prompt's operation, the writeups' number."""
        return np.take_along_axis(self.bare, self.gold[:, None, None], axis=2)[:, :, 0]

    @property
    def gold_mass(self) -> Floats:
        """The same, summed over the declared variants."""
        return np.take_along_axis(self.variants, self.gold[:, None, None], axis=2)[:, :, 0]

    @property
    def hits(self) -> Bools:
        """Unrestricted hit: the top of the whole vocabulary is a variant of the right name."""
        allowed = [set(self.words[g].variants) for g in self.gold]
        first = self.top[:, :, 0]
        return np.array([[t in ok for t in row] for row, ok in zip(first, allowed, strict=True)])

    @property
    def predicted(self) -> Ints:
        """Predicted operation: the top among the operations' bare names, in `Operation`'s order."""
        return np.asarray(self.bare.argmax(axis=2))

    @property
    def restricted_hits(self) -> Bools:
        """Restricted hit: the right name is the top among the operations' names.

        A constant predictor scores one in four here.
        """
        return np.asarray(self.predicted == self.gold[:, None])


def operation_words(loaded: LoadedModel) -> tuple[WordTokens, ...]:
    """The tokens of the four operations' names, in `Operation`'s order.

    Raises:
        NotApplicable: one of the names is not a single token.
    """
    return tuple(word_tokens(loaded.tokenizer, operation.word) for operation in Operation)


def read_operations(
    loaded: LoadedModel, problems: Sequence[Problem], top: int = 20
) -> OperationLens:
    """Read the lens on the prompts in symbols of `problems`.

    Raises:
        NotApplicable: an operation's name is not a single token.
    """
    words = operation_words(loaded)
    order = list(Operation)
    columns = [word.bare for word in words] + [t for word in words for t in word.variants]
    answers = first_answer_tokens(loaded, problems)
    targets = np.array([[*columns, answer] for answer in answers])
    prompts = prompt_tokens(loaded, [problem.symbols for problem in problems])
    reading = read_lens(loaded, prompts, targets, top)
    return OperationLens(
        problems=tuple(problems),
        words=words,
        gold=np.array([order.index(problem.operation) for problem in problems]),
        bare=reading.probability[:, :, : len(words)],
        variants=_sum_variants(reading.probability[:, :, len(words) : -1], words),
        answer=reading.probability[:, :, -1],
        top=reading.top_ids,
        top_probability=reading.top_probability,
    )


def _sum_variants(probability: Floats, words: Sequence[WordTokens]) -> Floats:
    borders = np.cumsum([len(word.variants) for word in words])[:-1]
    parts = np.split(probability, borders, axis=2)
    stacked: Floats = np.stack([part.sum(axis=2) for part in parts], axis=2)
    return stacked


def read_synonyms(
    loaded: LoadedModel, problems: Sequence[Problem], synonyms: Sequence[str] = REMAINING
) -> Floats:
    """Probability of every single-token variant of `synonyms`, `[prompt, layer, token]`.

    Raises:
        NotApplicable: none of the synonyms is a single token here.
    """
    ids: list[int] = []
    for synonym in synonyms:
        try:
            ids += word_tokens(loaded.tokenizer, synonym).variants
        except NotApplicable:
            continue
    if not ids:
        raise NotApplicable(f"none of {', '.join(synonyms)} is a single token in this tokenizer")
    targets = np.tile(np.array(sorted(set(ids))), (len(problems), 1))
    prompts = prompt_tokens(loaded, [problem.symbols for problem in problems])
    return read_lens(loaded, prompts, targets, top=1).probability


@dataclass(frozen=True, kw_only=True)
class Collapse:
    """Measures of one run's predictions.

    `entropy` of the predictions' shares in [0, 1], 1 where all classes are equally frequent;
    `majority`, share of the most frequent prediction; `matthews`, the multiclass correlation with
    the truth in [−1, 1] (Gorodkin 2004), 0 where either is constant; `shares` by class.
    """

    entropy: float
    majority: float
    matthews: float
    shares: tuple[float, ...]


def measure_collapse(predicted: Ints, gold: Ints, classes: int) -> Collapse:
    """Measure predictions against the truth.

    Args:
        predicted: index of the predicted class `[prompt]`.
        gold: index of the right class `[prompt]`.
        classes: number of classes, at least 2.
    """
    from scipy import stats  # Both take a second to import, and few who read the lens need them.
    from sklearn.metrics import matthews_corrcoef

    shares = np.bincount(predicted, minlength=classes) / len(predicted)
    # scikit-learn has 0 for a constant side too, but warns where both are.
    constant = np.ptp(predicted) == 0 or np.ptp(gold) == 0
    matthews = 0.0 if constant else float(matthews_corrcoef(gold, predicted))
    return Collapse(
        entropy=float(stats.entropy(shares)) / math.log(classes),
        majority=float(shares.max()),
        matthews=matthews,
        shares=tuple(shares.tolist()),
    )


def constant_predictor(gold: Ints, classes: int) -> Collapse:
    """The measures of a predictor that always names the most frequent class of `gold`."""
    most = np.bincount(gold, minlength=classes).argmax()
    return measure_collapse(np.full_like(gold, most), gold, classes)
