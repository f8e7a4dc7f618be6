"""Labelled texts for the engram recipes: the lab's generated corpora, or files of a real data set.

Generated data are the same for every training: distinct sentences, of which `is_held_out` ones are
the validation split.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from lazarus_bench.errors import UserError
from lazarus_bench.tasks import sentiment, topics
from lazarus_bench.tasks.labelled import Labelled, is_held_out


@dataclass(frozen=True, kw_only=True)
class DataSource:
    """Which labelled texts, and at most how many of each split.

    `path` is the folder of the files, "" for generated data; `digest` the SHA-256 of the files'
    content, so that the digest of a training follows the data.
    """

    name: str = "sentiment"
    path: str = ""
    digest: str = ""
    train: int = 4000
    validation: int = 1000


@dataclass(frozen=True, kw_only=True)
class LabelledData:
    """Two splits of labelled texts that share no text."""

    name: str
    classes: tuple[str, ...]
    train: tuple[Labelled, ...]
    validation: tuple[Labelled, ...]


_GENERATED: dict[str, tuple[tuple[str, ...], Callable[[np.random.Generator], Labelled]]] = {
    "sentiment": (sentiment.CLASSES, sentiment.sentence),
    "topics": (topics.CLASSES, topics.sentence),
}


def read_data(source: DataSource) -> LabelledData:
    """The two splits that `source` names.

    Raises:
        UserError: there are no such data.
    """
    if source.name in _GENERATED:
        return _generated(source)
    return _from_files(source)


def _distinct(
    draw: Callable[[np.random.Generator], Labelled], held_out: bool
) -> Iterator[Labelled]:
    rng, seen = np.random.default_rng((0, 11)), set[str]()
    for _ in range(100_000):
        sentence = draw(rng)
        if sentence.text not in seen and is_held_out(sentence) == held_out:
            seen.add(sentence.text)
            yield sentence


def _generated(source: DataSource) -> LabelledData:
    classes, draw = _GENERATED[source.name]
    return LabelledData(
        name=source.name,
        classes=classes,
        train=tuple(islice(_distinct(draw, held_out=False), source.train)),
        validation=tuple(islice(_distinct(draw, held_out=True), source.validation)),
    )


_FILES = {
    "sst2": (("negative", "positive"), ("0", "1"), "train.tsv", "test.tsv", 1),
    "ag_news": (
        ("World", "Sports", "Business", "Sci/Tech"),
        ("World", "Sports", "Business", "Sci/Tech"),
        "dev.tsv",
        "test.tsv",
        0,
    ),
}


def _from_files(source: DataSource) -> LabelledData:
    if source.name not in _FILES:
        raise UserError(
            f"data {source.name!r} are unknown: choose sentiment, topics, sst2, ag_news"
        )
    classes, labels, train, validation, header = _FILES[source.name]

    def rows(name: str) -> tuple[Labelled, ...]:
        lines = (Path(source.path) / name).read_text(encoding="utf-8").split("\n")[header:]
        pairs = [line.rsplit("\t", 1) for line in lines if line]
        return tuple(Labelled(text=text, label=labels.index(label)) for text, label in pairs)

    return LabelledData(
        name=source.name,
        classes=classes,
        train=rows(train)[: source.train],
        validation=rows(validation)[: source.validation],
    )
