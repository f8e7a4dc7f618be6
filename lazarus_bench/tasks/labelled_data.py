"""Labelled data for a training and its evaluation: generated, or from files (methods, *Engram*).

The splits share no text. The generated corpora are also part of the lab's prose, so a base has read
some of their sentences, held-out ones among them, but never a class.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lazarus_bench.errors import UserError
from lazarus_bench.tasks.labelled import GENERATED, Draw, Labelled, generated, is_held_out
from lazarus_bench.tasks.labelled_files import (
    CORPORA,
    HUB,
    Splits,
    corpora,
    hub_splits,
    read_splits,
)

DRAWS = 20
"""Maximum draws per sentence wanted, since a generated corpus is finite."""

MOST_IDLE = 100_000
"""Draws in succession that may bring no new sentence; a corpus has some thousands."""

LEAST_OF_A_CLASS = 2


@dataclass(frozen=True, kw_only=True)
class DataSource:
    """A data set; part of a training's digest, except for the place of its files.

    `name` is "sentiment" or "topics", which are generated, "sst2" or "ag_news", or a data set of an
    installed package. `path` is the folder of the files, or "hub", and `digest` the SHA-256 of the
    examples read; both are empty for generated data, and for a data set that a claim declares and
    whoever runs it gives (`--data NAME=DIR`). `train` and `validation` are maximum numbers
    of examples. `held` is the number of training examples in the files, for a plan's estimate of
    the time; 0 if unknown. Sources are compared by content: without `path` and `held`.
    """

    name: str = "sentiment"
    path: str = field(default="", compare=False)
    digest: str = ""
    train: int = 4000
    validation: int = 1000
    held: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        # Installed packages are searched only for a name that is not ours.
        if self.name not in GENERATED:
            known = (*generated(), *corpora())
            if self.name not in known:
                raise UserError(
                    f"DataSource.name = {self.name!r} is unknown: choose {', '.join(known)}"
                )
            if self.name in corpora() and bool(self.path) != bool(self.digest):
                raise UserError(f"{self.name} needs its files: use source_at(name, folder)")
        for name in ("train", "validation"):
            count = getattr(self, name)
            if not isinstance(count, int) or count < LEAST_OF_A_CLASS:
                raise UserError(
                    f"DataSource.{name} = {count!r} must be an integer of at least "
                    f"{LEAST_OF_A_CLASS}: give one such as 1000"
                )


@dataclass(frozen=True, kw_only=True)
class LabelledData:
    """Examples of a training and of its evaluation, which have no text in common.

    A label is an index of `classes`. `train` is shuffled; generated `validation` examples have
    distinct texts. `shared` counts the texts of the training split that evaluation has too, which
    are not in `train`, and `available` the other training examples and those of evaluation.
    """

    name: str
    classes: tuple[str, ...]
    train: tuple[Labelled, ...]
    validation: tuple[Labelled, ...]
    shared: int = 0
    available: tuple[int, int]

    @property
    def balance(self) -> tuple[tuple[int, int], ...]:
        """Training and evaluation examples of each class."""
        counts = [Counter(e.label for e in split) for split in (self.train, self.validation)]
        return tuple((counts[0][c], counts[1][c]) for c in range(len(self.classes)))

    @property
    def summary(self) -> str:
        """Sizes, class balance and overlap, in one line."""
        train, validation = self.available
        by_class = "; ".join(
            f"{name} {learned} and {judged}"
            for name, (learned, judged) in zip(self.classes, self.balance, strict=True)
        )
        return (
            f"{len(self.train)} of {train} training and {len(self.validation)} of {validation} "
            f"evaluation examples ({by_class}); {self.shared} texts of the training split left "
            f"out, as evaluation has them"
        )


def read_data(source: DataSource) -> LabelledData:
    """Read or generate the examples of `source`; the same source gives the same examples.

    Texts that both splits have are left out of training, so that evaluation keeps the size that is
    published for it; they are counted. UserError if files cannot be read or have changed, or a
    class has too few examples.
    """
    if source.name in generated():
        draw, classes = generated()[source.name]
        return _limited(source, classes, _drawn(draw, source.train, source.validation))
    if not source.digest:
        raise UserError(f"{source.name} has no files here: give --data {source.name}=DIR")
    splits = _splits(source.name, source.path)
    if digest_of(*splits) != source.digest:
        raise UserError(
            f"{source.path} has changed since this training was set up: restore the files, or "
            f"start again"
        )
    return _limited(source, corpora()[source.name].classes, splits)


def source_at(
    name: str, path: Path | str, train: int = 20_000, validation: int = 10_000
) -> DataSource:
    """The real data `name` in the folder `path`, or from the hub for the word "hub", read once.

    A path is always a folder, so that `Path("hub")` is one of that name. UserError if there is no
    such data set or its files cannot be read.
    """
    if name not in corpora():
        raise UserError(f"the data set {name!r} is unknown: choose {' or '.join(corpora())}")
    try:
        place = HUB if path == HUB else str(Path(path).expanduser().absolute())
    except RuntimeError as error:
        raise UserError(f"{path}: there is no such user's folder: name it without ~") from error
    splits = _splits(name, place)
    return DataSource(
        name=name,
        path=place,
        digest=digest_of(*splits),
        train=train,
        validation=validation,
        held=len(splits[0]),
    )


def given_data(words: Iterable[str], flag: str = "--data") -> dict[str, DataSource]:
    """The data that `NAME=DIR` words name, by the data set in whose place each is read.

    That is the generated one that it replaces, or itself, as a claim of an installed package
    declares it.

    UserError, which says how the user gave the words (`flag`), for another form, a name given
    twice, or data that cannot be read.
    """
    found: dict[str, DataSource] = {}
    for word in words:
        name, equals, folder = word.partition("=")
        known = corpora()
        if name not in known or not equals or not folder:
            names = [*CORPORA, *(each for each in known if each not in CORPORA)]
            choice = " or ".join(f"{each}=DIR" for each in names)
            raise UserError(f"{flag} {word} names no data set and its folder: give {choice}")
        place = known[name].replaces or name
        if place in found:
            raise UserError(
                f"{flag} {word}: {name} is given twice; give it once"
                if found[place].name == name
                else f"{flag} {word}: {found[place].name} is read in place of {place}; give one"
            )
        # As it was typed: a path forgets that "./hub" is not "hub".
        found[place] = source_at(name, folder)
    return found


def _splits(name: str, path: str) -> Splits:
    splits = hub_splits(name) if path == HUB else read_splits(name, Path(path))
    for split, use in zip(splits, ("training", "evaluation"), strict=True):
        _check_classes(split, corpora()[name].classes, f"{name}={path}, {use}")
    return splits


def digest_of(*splits: Sequence[Labelled]) -> str:
    """SHA-256 of the examples of each split, in their order."""
    rows = [[[example.text, example.label] for example in split] for split in splits]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _check_classes(examples: Sequence[Labelled], classes: Sequence[str], where: str) -> None:
    counts = Counter(example.label for example in examples)
    for label, name in enumerate(classes):
        if counts[label] >= LEAST_OF_A_CLASS:
            continue
        place = next((e.place for e in examples if e.label == label and e.place), "")
        at = f" ({place})" if place else ""
        often = f"once{at}" if counts[label] else "never"
        raise UserError(
            f"{where}: the class {name} occurs {often}, which nothing can be learnt or judged "
            f"from: give at least {LEAST_OF_A_CLASS} examples of each class"
        )


def key_of(text: str) -> str:
    """The text normalised for whitespace and case; texts with equal keys count as one."""
    return " ".join(text.split()).casefold()


def _limited(source: DataSource, classes: tuple[str, ...], splits: Splits) -> LabelledData:
    judged = {key_of(example.text) for example in splits[1]}
    learned = [example for example in splits[0] if key_of(example.text) not in judged]
    shared = len(splits[0]) - len(learned)
    if shared:
        left = f"{source.name} without {shared} training texts that evaluation has too"
        _check_classes(learned, classes, left)
    order = np.random.default_rng(0)
    train = tuple(learned[i] for i in order.permutation(len(learned))[: source.train])
    # A random choice in the file's order, so that it does not depend on how the file is sorted.
    chosen = order.permutation(len(splits[1]))[: source.validation]
    validation = tuple(splits[1][i] for i in sorted(chosen))
    for examples, use in ((train, "train"), (validation, "validation")):
        _check_classes(examples, classes, f"{source.name} with {use} = {getattr(source, use)}")
    return LabelledData(
        name=source.name,
        classes=classes,
        train=train,
        validation=validation,
        shared=shared,
        available=(len(learned), len(splits[1])),
    )


def generated_splits(name: str, train: int, validation: int, seed: int = 0) -> Splits:
    """Distinct sentences of a generated corpus for each split; seed 0 is what a training reads.

    UserError if the corpus is unknown, or has fewer different sentences.
    """
    if name not in generated():
        raise UserError(f"{name} is not generated: choose {' or '.join(generated())}")
    splits = _drawn(generated()[name][0], train, validation, seed)
    for found, wanted, use in zip(splits, (train, validation), ("train", "evaluate"), strict=True):
        if len(found) < wanted:
            raise UserError(
                f"{len(found)} different sentences to {use} on were found for {name} where "
                f"{wanted} are asked for: ask for fewer"
            )
    return splits


def _drawn(draw: Draw, train: int, validation: int, seed: int = 0) -> Splits:
    """Distinct sentences, at most so many of each split, in drawing order."""
    rng = np.random.default_rng(seed)
    learned: dict[str, Labelled] = {}
    judged: dict[str, Labelled] = {}
    idle = 0  # draws since the last new sentence
    for _ in range(DRAWS * (train + validation)):
        if (len(learned) == train and len(judged) == validation) or idle > MOST_IDLE:
            break
        example = draw(rng)
        split, most = (judged, validation) if is_held_out(example) else (learned, train)
        idle = 0 if len(split) < most and example.text not in split else idle + 1
        if len(split) < most:
            split[example.text] = example
    return tuple(learned.values()), tuple(judged.values())
