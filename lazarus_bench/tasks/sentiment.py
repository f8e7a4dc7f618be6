"""Two-class sentiment, generated: short verdicts on films, meals and books.

A sentence may praise one side and blame another; the clause after *but* decides. A negated
adjective counts as its opposite.
"""

import numpy as np

from lazarus_bench.tasks.labelled import Labelled

CLASSES = ("negative", "positive")

SUBJECTS = ("the film", "the story", "this book", "the meal", "the music", "the acting", "her song")
ADJECTIVES = (
    ("dull", "awful", "weak", "slow", "poor", "sad", "boring", "bad"),
    ("great", "lovely", "warm", "clever", "fine", "funny", "bright", "good"),
)
DEGREES = ("", "very ", "so ", "quite ")


def _pick(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    return words[int(rng.integers(len(words)))]


def _clause(rng: np.random.Generator, label: int) -> str:
    negated = rng.random() < 0.25
    adjective = _pick(rng, ADJECTIVES[1 - label if negated else label])
    return f"{_pick(rng, SUBJECTS)} was {'not ' if negated else _pick(rng, DEGREES)}{adjective}"


def sentence(rng: np.random.Generator) -> Labelled:
    """Draw one sentence; both classes are equally likely."""
    label = int(rng.integers(2))
    text = _clause(rng, label)
    if rng.random() < 0.4:
        text = f"{_clause(rng, 1 - label)} but {text}"
    return Labelled(text=f"{text[0].upper()}{text[1:]}.", label=label)


def sentences(rng: np.random.Generator, n: int) -> list[Labelled]:
    """Draw ``n`` sentences, repetitions possible."""
    return [sentence(rng) for _ in range(n)]
