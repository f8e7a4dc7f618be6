"""The lens on arithmetic prompts: which layer names the operation, which shows the answer.

Whether the predicted operation differs from prompt to prompt, and rightly so, is measured by
`Collapse`; a constant predictor has entropy 0, share 1 and Matthews correlation 0.

`SubstringHits` are of source A's hit rule, a task word as a substring of a top-20 token, beside its
chance level: random vocabularies of the same size whose tokens are of the same kind (letters,
digits, symbols) and as frequent. `TaskSignal` is what A follows over checkpoints (A, *Task
Vocabulary*, *Analysis Method* and *Summary Table*).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from lazarus_bench.analysis.lens import continued, read_lens, total_variation
from lazarus_bench.analysis.measured import (
    SHARE,
    Axes,
    Floats,
    Hits,
    HitsByLayer,
    Ints,
    Measured,
    Shares,
    SharesByLayer,
)
from lazarus_bench.analysis.prompts import first_answer_tokens, symbol_tokens
from lazarus_bench.analysis.vocabulary import known_words
from lazarus_bench.errors import NotApplicable
from lazarus_bench.models.lenses import Null
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.prompts import HowRead, WordTokens, word_ids, word_tokens
from lazarus_bench.tasks.arithmetic import OPERATION_NAMES, Operation, Problem
from lazarus_bench.tasks.text_rows import AnyProblem, OwnProblem

REMAINING = ("remaining", "remainder", "remain", "reste")
"""The synonym set of B's subtraction classifier (*Subtraction Classifier at Layer 10*)."""

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
class OperationLens:
    """Lens readings of arithmetic prompts, `[prompt, layer]` unless said otherwise.

    `bare` and `variants`: probability of each operation's bare name and of all its declared
    variants, `[prompt, layer, operation]`; `gold`: index of the prompt's own operation `[prompt]`;
    `answer`: probability of the right answer's first token; `top`: the most probable tokens
    `[prompt, layer, k]` with their probabilities.
    """

    problems: tuple[AnyProblem, ...]
    words: tuple[WordTokens, ...]
    gold: Ints
    bare: Annotated[Floats, Axes(("prompts", "layers", "operations"), SHARE)]
    variants: Floats
    answer: SharesByLayer
    top: Annotated[Ints, Axes(("prompts", "layers", "tokens"))]
    top_probability: Annotated[Floats, Axes(("prompts", "layers", "tokens"), SHARE)]

    @property
    def gold_probability(self) -> SharesByLayer:
        """Probability of the bare token that names the prompt's operation."""
        return np.take_along_axis(self.bare, self.gold[:, None, None], axis=2)[:, :, 0]

    @property
    def gold_mass(self) -> SharesByLayer:
        """The same, summed over the declared variants."""
        return np.take_along_axis(self.variants, self.gold[:, None, None], axis=2)[:, :, 0]

    @property
    def hits(self) -> HitsByLayer:
        """Unrestricted hit: the top of the whole vocabulary is a variant of the right name."""
        allowed = [set(self.words[g].variants) for g in self.gold]
        first = self.top[:, :, 0]
        return np.array([[t in ok for t in row] for row, ok in zip(first, allowed, strict=True)])

    @property
    def predicted(self) -> Annotated[Ints, Axes(("prompts", "layers"))]:
        """Predicted operation: the top among the operations' bare names, in `Operation`'s order."""
        return np.asarray(self.bare.argmax(axis=2))

    @property
    def restricted_hits(self) -> HitsByLayer:
        """Restricted hit: the right name is the top among the operations' names.

        A constant predictor scores one in four here.
        """
        return np.asarray(self.predicted == self.gold[:, None])


def class_words(
    loaded: LoadedModel,
    classes: Sequence[str] = OPERATION_NAMES,
    words: Mapping[str, str] | None = None,
    token: HowRead = "only",
) -> tuple[WordTokens, ...]:
    """The tokens of each class's name, in their order.

    A class that is in `words` is read by that text alone, without variants; so is every class where
    `token` is "first", by the first token of its text, or "phrase", by all of them.

    Raises:
        NotApplicable: a text is not a single token, and `token` is "only".
    """
    given, found = words or {}, []
    for name in classes:
        if name not in given and token == "only":
            found.append(word_tokens(loaded.tokenizer, name))
            continue
        own = word_ids(loaded.tokenizer, given.get(name, name), token)
        found.append(WordTokens(word=name, bare=own[0], variants=own[:1], rest=own[1:]))
    return tuple(found)


def read_operations(
    loaded: LoadedModel,
    problems: Sequence[AnyProblem],
    top: int = 20,
    words: Mapping[str, str] | None = None,
    token: HowRead = "only",
) -> OperationLens:
    """Read the lens on the prompts in symbols of `problems`, at `class_words`.

    The classes are the four operations, or of problems of one's own theirs, in the order of the
    alphabet. The probability of a phrase is the product of those of its tokens, each read where the
    prompt and the tokens before it end; `hits` and `top` are of its first.

    Raises:
        NotApplicable: a class's text is not a single token, and `token` is "only".
    """
    own = {problem.operation for problem in problems if isinstance(problem, OwnProblem)}
    order = sorted(own) or list(OPERATION_NAMES)
    named = class_words(loaded, order, words, token)
    columns = [word.bare for word in named] + [t for word in named for t in word.variants]
    answers = first_answer_tokens(loaded, problems)
    targets = np.array([[*columns, answer] for answer in answers])
    prompts = symbol_tokens(loaded, problems)
    reading = read_lens(loaded, prompts, targets, top)
    for column, word in enumerate(named):
        if word.rest:  # whose only variant stands in the same place behind the bare ones
            rest = continued(loaded, prompts, (word.bare, *word.rest))
            reading.probability[:, :, [column, len(named) + column]] *= rest[:, :, None]
    borders = np.cumsum([len(word.variants) for word in named])[:-1]
    variants = np.split(reading.probability[:, :, len(named) : -1], borders, axis=2)
    return OperationLens(
        problems=tuple(problems),
        words=named,
        gold=np.array([order.index(problem.operation) for problem in problems]),
        bare=reading.probability[:, :, : len(named)],
        variants=np.stack([each.sum(axis=2) for each in variants], axis=2),
        answer=reading.probability[:, :, -1],
        top=reading.top_ids,
        top_probability=reading.top_probability,
    )


def read_null(
    loaded: LoadedModel, problems: Sequence[AnyProblem], null: Null, seed: int = 0, top: int = 20
) -> OperationLens:
    """`read_operations` through a fitted lens without what was fitted (`models.lenses.Null`).

    Raises:
        NotApplicable: the model is read through no fitted lens.
        UserError: there is one layer alone to shuffle, or no matrix to draw anew.
    """
    if loaded.lens is None:
        raise NotApplicable(f"{loaded.name} is read through no fitted lens: fit one")
    changed = replace(loaded, lens=loaded.lens.null(null, seed, loaded.depth))
    return read_operations(changed, problems, top)


def read_synonyms(
    loaded: LoadedModel, problems: Sequence[Problem], synonyms: Sequence[str] = REMAINING
) -> Annotated[Floats, Axes(("prompts", "layers", "tokens"), SHARE)]:
    """Probability of every single-token variant of `synonyms`, `[prompt, layer, token]`.

    Raises:
        NotApplicable: none of the synonyms is a single token here.
    """
    ids = {token for word in known_words(loaded, synonyms) for token in word.variants}
    targets = np.tile(np.array(sorted(ids)), (len(problems), 1))
    prompts = symbol_tokens(loaded, problems)
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
    """Measure predicted classes `[prompt]` against the right ones, of at least two `classes`."""
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


def synonym_mass(run: Measured, problems: Sequence[Problem]) -> SharesByLayer:
    """Lens mass on B's remaining/remainder set `[prompt, layer]`."""
    return np.asarray(run.read(read_synonyms, problems).sum(axis=2))


def collapse(run: Measured, problems: Sequence[Problem]) -> Collapse:
    """How the operations predicted at the classifier layer spread over the prompts."""
    lens = run.read(read_operations, problems)
    predicted = lens.predicted[:, run.loaded.classifier_layer]
    return measure_collapse(predicted, lens.gold, len(Operation))


def constant_collapse(run: Measured, problems: Sequence[Problem]) -> Collapse:
    """The same measures of a predictor that always names the prompts' most frequent operation."""
    gold = run.read(read_operations, problems).gold
    return measure_collapse(np.full_like(gold, np.bincount(gold).argmax()), gold, len(Operation))


def lens_moved(run: Measured, problems: Sequence[Problem]) -> SharesByLayer:
    """Total variation distance of the lens under the run's quirk from the lens without.

    `[prompt, layer]`, of the prompts in symbols; 0 without a quirk.
    """
    prompts = symbol_tokens(run.plain, problems)
    return total_variation(run.loaded, run.plain, prompts)


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


def matching_tokens(texts: Sequence[str], terms: Sequence[str]) -> Ints:
    """Ids of the tokens whose text contains one of `terms`, ignoring case."""
    lowered = [text.lower() for text in texts]
    return np.array([i for i, text in enumerate(lowered) if any(t in text for t in terms)])


def kind_of(text: str) -> str:
    """What a token is made of: "letters" where there is one, else "digits", else "symbols"."""
    if any(character.isalpha() for character in text):
        return "letters"
    return "digits" if any(character.isdigit() for character in text) else "symbols"


def matched_random(texts: Sequence[str], ids: Ints, draws: int, rng: np.random.Generator) -> Ints:
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
    texts = vocabulary_texts(loaded)
    rng = np.random.default_rng(seed)
    real: list[float] = []
    chance: list[float] = []
    tops = lens.top.reshape(len(lens.problems), -1)
    for operation, terms in TASK_VOCABULARY.items():
        rows = [i for i, p in enumerate(lens.problems) if p.operation is operation]
        ids = matching_tokens(texts, terms)
        random = np.zeros((draws, len(texts)), dtype=np.bool_)
        np.put_along_axis(random, matched_random(texts, ids, draws, rng), True, axis=1)
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
    texts = vocabulary_texts(loaded)
    ids: dict[str, Ints] = {
        name: matching_tokens(texts, terms) for name, terms in TASK_VOCABULARY.items()
    }
    matches = np.stack([np.isin(lens.top[i], ids[lens.problems[i].operation]) for i in rows])
    peak = (lens.top_probability[rows] * matches).max(axis=(1, 2))
    return TaskSignal(peak=peak, counted=peak > 0)


def vocabulary_texts(loaded: LoadedModel) -> list[str]:
    """The text of every token id below the vocabulary size."""
    size = int(loaded.config["vocab_size"])
    return [loaded.tokenizer.decode([token]) for token in range(size)]


def substring(run: Measured, problems: Sequence[Problem]) -> SubstringHits:
    """`substring_hits` of the prompts in symbols of `problems`."""
    return substring_hits(run.loaded, run.read(read_operations, problems))


def signal(run: Measured, problems: Sequence[Problem]) -> TaskSignal:
    """`task_signal` of the prompts in symbols of `problems`."""
    return task_signal(run.loaded, run.read(read_operations, problems))
