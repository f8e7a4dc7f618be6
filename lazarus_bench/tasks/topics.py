"""Four-class topics, generated: one-line news of the world, sport, business and science."""

import numpy as np

from lazarus_bench.tasks.labelled import Labelled

CLASSES = ("world", "sport", "business", "science")

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


def _pick(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    return words[int(rng.integers(len(words)))]


def sentence(rng: np.random.Generator) -> Labelled:
    """Draw one sentence; the four classes are equally likely."""
    label = int(rng.integers(4))
    of = int(rng.integers(4)) if rng.random() < _MIXED else label
    actor, verb = _pick(rng, _ACTORS[label]), _pick(rng, _VERBS[label])
    text = f"{actor} {verb} {_pick(rng, _OBJECTS[of])} {_pick(rng, _WHEN)}."
    return Labelled(text=f"{text[0].upper()}{text[1:]}", label=label)


def sentences(rng: np.random.Generator, n: int) -> list[Labelled]:
    """Draw ``n`` sentences, repetitions possible."""
    return [sentence(rng) for _ in range(n)]
