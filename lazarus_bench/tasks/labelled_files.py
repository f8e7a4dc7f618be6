"""Labelled sentences from the usual files of SST-2 and AG News, or from a hub.

The forms are GLUE's TSV (header ``sentence label``), AG News' CSV (class, title, description; the
class counts from 1), and ``text<TAB>label`` without a header.
"""

from __future__ import annotations

import codecs
import csv
import io
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lazarus_bench import reading
from lazarus_bench.errors import UserError
from lazarus_bench.tasks.labelled import Labelled, installed_data

HUB = "hub"
"""Stands for a folder where the data come from the hub."""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A public data set: its classes, what its files call them, and where the hub has it.

    `replaces` is the generated data set in whose place it is read; "" for a data set that claims
    name themselves.
    """

    classes: tuple[str, ...]
    labels: Mapping[str, int]
    repository: str
    column: str
    evaluation: str
    replaces: str = ""


CORPORA: dict[str, Corpus] = {
    "sst2": Corpus(
        classes=("negative", "positive"),
        labels={"0": 0, "1": 1},
        repository="stanfordnlp/sst2",
        column="sentence",
        evaluation="validation",
        replaces="sentiment",
    ),
    "ag_news": Corpus(
        classes=("World", "Sports", "Business", "Sci/Tech"),
        labels={"World": 0, "Sports": 1, "Business": 2, "Sci/Tech": 3}
        | {str(label + 1): label for label in range(4)},
        repository="fancyzhx/ag_news",
        column="text",
        evaluation="test",
        replaces="topics",
    ),
}


def corpora() -> Mapping[str, Corpus]:
    """The data sets in files, ours and installed packages'."""
    theirs = {name: data for name, data in installed_data().items() if isinstance(data, Corpus)}
    return {**theirs, **CORPORA}


Splits = tuple[tuple[Labelled, ...], tuple[Labelled, ...]]
"""Training and evaluation examples, in the order of the files."""

_GLUE = ["sentence", "label"]
_UNLABELLED = ["index", "sentence"]
_CSV = ["class index", "title", "description"]


def read_splits(name: str, folder: Path) -> Splits:
    """Read every example of the corpus `name` in `folder`.

    Training is train and dev, evaluation is test. If test is missing or has no labels, as in GLUE,
    evaluation is dev. UserError if the folder or a split is missing or there twice, or a file has
    none of the forms.
    """
    try:
        is_folder = folder.is_dir()
    except OSError:  # a name that is too long for the file system
        is_folder = False
    if not is_folder:
        raise UserError(f"{folder} is not a folder: name the one that has the files of {name}")
    train, dev, test = (_file(folder, split) for split in ("train", "dev", "test"))
    if test is not None and next((row for _, row in _rows(test)), []) == _UNLABELLED:
        test = None
    learned, judged = ([train, dev], test) if test is not None else ([train], dev)
    found = [file for file in learned if file is not None]
    if not found or judged is None:
        lacking = "evaluation: it needs test or dev" if found else "training: it needs train"
        raise UserError(f"{folder} has no split for {lacking}, .tsv or .csv, with labels")
    corpus = corpora()[name]
    return (
        tuple(example for file in found for example in _examples(file, corpus)),
        tuple(_examples(judged, corpus)),
    )


def _file(folder: Path, split: str) -> Path | None:
    """The file of a split, if any.

    UserError if there are two, or something else has that name: if a split were passed over, the
    evaluation would silently use another one.
    """
    candidates = (folder / f"{split}{ending}" for ending in (".tsv", ".csv"))
    found = [file for file in candidates if os.path.lexists(file)]
    for file in found:
        if not file.is_file():
            why = "is a link to nothing" if file.is_symlink() else "is not a file"
            raise UserError(f"{file} {why}: put the split there, or remove it")
    if len(found) > 1:
        raise UserError(
            f"{folder} has {found[0].name} and {found[1].name}, the same split in two "
            f"formats: keep one"
        )
    return found[0] if found else None


def _rows(file: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with the number of its (last) line.

    The UserError for a row that cannot be read has the line where it begins; for a quotation mark
    that is never closed, the end of the file would not help.
    """
    # In GLUE's files a quotation mark is a character of the text; in AG News' it quotes.
    form: dict[str, Any] = (
        {} if file.suffix == ".csv" else {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
    )
    try:
        data = reading.read_bytes(file)
        text = data.removeprefix(codecs.BOM_UTF8).decode()
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = len(re.findall(rb"\r\n?|\n", error.object[: error.start])) + 1
        raise UserError(f"{file}, line {line} is not UTF-8: save the file as UTF-8") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, **form)
    begins = 1
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
            begins = reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"{file}, line {begins} cannot be read: {error}") from error


def _examples(file: Path, corpus: Corpus) -> Iterator[Labelled]:
    """Every example of a file; a UserError names the line with wrong columns, text or label."""
    is_csv = file.suffix == ".csv"
    for position, (line, row) in enumerate(_rows(file)):
        place = f"{file}, line {line}"
        cells = [cell.strip().casefold() for cell in row]
        if position == 0 and cells == (_CSV if is_csv else _GLUE):
            continue
        if len(row) != (3 if is_csv else 2):
            form = "class,title,description" if is_csv else "text<TAB>label"
            raise UserError(f"{place} has {len(row)} columns: write each line as {form}")
        label, text = (row[0], " ".join(row[1:])) if is_csv else (row[1], row[0])
        if label.strip() not in corpus.labels:
            known = ", ".join(corpus.labels)
            raise UserError(f"{place} has the label {label.strip()!r}: the labels are {known}")
        yield _example(text, corpus.labels[label.strip()], place)


def _example(text: str, label: int, place: str) -> Labelled:
    if not text.strip():
        raise UserError(f"{place} has an empty text: write one, or remove the line")
    return Labelled(text=text.strip(), label=label, place=place)


def hub_splits(name: str) -> Splits:
    """Read the corpus `name` from the hub with the `datasets` library.

    UserError without the library or the hub, or if a row has no text or an unknown label.
    """
    try:
        import datasets
    except ImportError as error:
        raise UserError(
            f"{name}={HUB} needs the library datasets: pip install 'lazarus-bench[{HUB}]', or name "
            f"a folder of files"
        ) from error
    corpus = corpora()[name]
    try:
        loaded = datasets.load_dataset(corpus.repository)
    except OSError as error:
        raise UserError(
            f"{name}={HUB}: {corpus.repository} cannot be downloaded from the hub ({error}): name "
            f"a folder of files"
        ) from error
    train, judged = (
        tuple(_hub_examples(loaded[split], split, corpus)) for split in ("train", corpus.evaluation)
    )
    return train, judged


def _hub_examples(rows: Any, split: str, corpus: Corpus) -> Iterator[Labelled]:
    for position, row in enumerate(rows):
        place = f"{corpus.repository}, {split} row {position}"
        label, classes = int(row["label"]), len(corpus.classes)
        # A hub marks a hidden label by -1, which would count from the last class.
        if not 0 <= label < classes:
            raise UserError(f"{place} has the label {label}: the labels are 0 to {classes - 1}")
        yield _example(str(row[corpus.column]), label, place)
