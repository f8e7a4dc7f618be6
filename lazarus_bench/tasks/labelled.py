"""Labelled sentences, generated or read, and the split that keeps training and evaluation apart.

`sentiment` draws short verdicts on films, meals and books in two classes: a sentence may praise one
side and blame another, and the clause after *but* decides; a negated adjective counts as its
opposite. `topic` draws one-line news in four classes.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points

import numpy as np

from lazarus_bench.errors import UserError
from lazarus_bench.reading import load_entry

HELD_OUT_SHARE = 0.2


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """A sentence and the index of its class; `place` is the file and line it was read from."""

    text: str
    label: int
    place: str = field(default="", compare=False)


def is_held_out(sentence: Labelled) -> bool:
    """Whether only evaluation may use this sentence; a pure function of its text."""
    digest = hashlib.blake2b(sentence.text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < HELD_OUT_SHARE * 2**64


def pick(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    """One of `words`, each equally likely."""
    return words[int(rng.integers(len(words)))]


SENTIMENTS = ("negative", "positive")

_SUBJECTS = (
    *("the film", "the story", "this book", "the meal", "the music", "the acting", "her song"),
)
_ADJECTIVES = (
    ("dull", "awful", "weak", "slow", "poor", "sad", "boring", "bad"),
    ("great", "lovely", "warm", "clever", "fine", "funny", "bright", "good"),
)
_DEGREES = ("", "very ", "so ", "quite ")


def _clause(rng: np.random.Generator, label: int) -> str:
    negated = rng.random() < 0.25
    adjective = pick(rng, _ADJECTIVES[1 - label if negated else label])
    return f"{pick(rng, _SUBJECTS)} was {'not ' if negated else pick(rng, _DEGREES)}{adjective}"


def sentiment(rng: np.random.Generator) -> Labelled:
    """Draw one sentence; both classes are equally likely."""
    label = int(rng.integers(2))
    text = _clause(rng, label)
    if rng.random() < 0.4:
        text = f"{_clause(rng, 1 - label)} but {text}"
    return Labelled(text=f"{text[0].upper()}{text[1:]}.", label=label)


TOPICS = ("world", "sport", "business", "science")

_ACTORS = (
    ("the minister", "the army", "the voters", "the president"),
    ("the team", "the striker", "the coach", "the runner"),
    ("the bank", "the company", "the shop", "the market"),
    ("the doctor", "the probe", "the engineer", "the lab"),
)
_VERBS = (
    ("signed", "opposed", "welcomed", "broke"),
    ("won", "lost", "missed", "played"),
    ("sold", "bought", "raised", "cut"),
    ("found", "measured", "built", "studied"),
)
_OBJECTS = (
    ("the treaty", "the border law", "the peace talks", "the vote"),
    ("the final", "the match", "the race", "the cup"),
    ("the shares", "the prices", "the loan", "the profits"),
    ("the virus", "a new star", "the engine", "the cells"),
)
_WHEN = ("today", "on Monday", "last night", "this week", "again", "in the city")
_MIXED = 0.15
"""Share of objects drawn from another topic, so that no single word decides every sentence."""


def topic(rng: np.random.Generator) -> Labelled:
    """Draw one sentence; the four classes are equally likely."""
    label = int(rng.integers(4))
    of = int(rng.integers(4)) if rng.random() < _MIXED else label
    actor, verb = pick(rng, _ACTORS[label]), pick(rng, _VERBS[label])
    text = f"{actor} {verb} {pick(rng, _OBJECTS[of])} {pick(rng, _WHEN)}."
    return Labelled(text=f"{text[0].upper()}{text[1:]}", label=label)


Draw = Callable[[np.random.Generator], Labelled]

GENERATED: dict[str, tuple[Draw, tuple[str, ...]]] = {
    "sentiment": (sentiment, SENTIMENTS),
    "topics": (topic, TOPICS),
}
"""The generated corpora: how to draw a sentence, and the names of the classes."""


@cache
def installed_data() -> Mapping[str, object]:
    """The data sets that installed packages bring, by name.

    A package names a mapping as `data` in the entry-point group `lazarus_bench`: from each name to
    a pair of a function that draws one sentence and its classes, as in `GENERATED`, or a `Corpus`;
    else a UserError. Ours come first, so that no package changes what their names mean.
    """
    found: dict[str, object] = {}
    for entry in entry_points(group="lazarus_bench", name="data"):
        theirs = load_entry(entry)
        if not isinstance(theirs, Mapping):
            raise UserError(
                f"the entry point {entry.value} names {theirs!r}, which is not a mapping of data "
                f"sets: name one from names to (draw, classes) or to a Corpus"
            )
        found |= theirs
    return found


def generated() -> Mapping[str, tuple[Draw, tuple[str, ...]]]:
    """The corpora that are drawn, ours and installed packages'."""
    theirs = {name: data for name, data in installed_data().items() if isinstance(data, tuple)}
    return {**theirs, **GENERATED}
