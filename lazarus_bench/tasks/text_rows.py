"""A user's own training data: JSON lines in the three forms that mlx-lm reads.

A row is `{"prompt": ..., "completion": ...}`, `{"text": ...}` or `{"messages": [...]}`; other keys
are ignored, but for `split`, which is "train" or "valid". A folder has train.jsonl and, for an
evaluation, valid.jsonl.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lazarus_bench import reading
from lazarus_bench.errors import UserError
from lazarus_bench.tasks.example_rows import SPLITS

FORMS = ("prompt and completion", "text", "messages")


@dataclass(frozen=True, kw_only=True)
class TextRow:
    """One example: `text` after `prompt`, or messages of which the last is learnt.

    A text learnt whole has an empty prompt; `place` is the line it was read from.
    """

    prompt: str = ""
    text: str = ""
    messages: tuple[tuple[str, str], ...] = ()
    place: str = field(default="", compare=False)


@dataclass(frozen=True, kw_only=True)
class TextRows:
    """The rows of each split, in the order of the file."""

    train: tuple[TextRow, ...]
    valid: tuple[TextRow, ...]

    @property
    def shared(self) -> int:
        """Number of evaluation rows that are training rows as well."""
        known = set(self.train)
        return sum(row in known for row in self.valid)

    @property
    def digest(self) -> str:
        """SHA-256 of the rows of each split, in their order."""
        content = [
            [[row.prompt, row.text, row.messages] for row in rows]
            for rows in (self.train, self.valid)
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class TextSource:
    """A set of rows, compared by content and not by path."""

    path: str = field(default="", compare=False)
    digest: str


def source_of(named: str) -> tuple[TextSource, TextRows]:
    """The rows at `named`, a file or a folder, and their source for a training's digest.

    UserError if they cannot be read, or none is for training.
    """
    path = Path(named).expanduser().absolute()
    rows = _read(path, named)
    return TextSource(path=str(path), digest=rows.digest), rows


def read_rows(source: TextSource) -> TextRows:
    """The rows of `source`; UserError if they cannot be read or have changed since it was made."""
    if not source.digest:
        raise UserError("there are no rows to train on: name them with source_of(file)")
    rows = _read(Path(source.path), source.path)
    if rows.digest != source.digest:
        raise UserError(
            f"{source.path} has changed since this training was set up: restore the file, or "
            f"start again"
        )
    return rows


def _read(path: Path, named: str) -> TextRows:
    if path.is_dir():
        train_file, valid_file = (path / f"{name}.jsonl" for name in SPLITS)
        found = _rows(train_file, str(train_file), "train")
        if valid_file.exists():
            found += _rows(valid_file, str(valid_file), "valid")
    else:
        found = _rows(path, named, None)
    train, valid = (tuple(row for split, row in found if split == name) for name in SPLITS)
    if not train:
        raise UserError(f"--data {named} has no row to train on: write one per line")
    return TextRows(train=train, valid=valid)


def _rows(file: Path, named: str, split: str | None) -> list[tuple[str, TextRow]]:
    """Rows, each with its split."""
    try:
        # Texts may hold the other line ends of Unicode.
        lines = reading.read_text(file).split("\n")
    except OSError as error:
        raise UserError(
            f"--data {named} cannot be read ({error.strerror}): name a .jsonl, or a folder with "
            f"train.jsonl"
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(f"--data {named} is not UTF-8: save it again with that encoding") from error
    rows = []
    for at, line in enumerate(lines, 1):
        place = f"{named}, line {at}"
        if not line.strip():
            continue
        try:
            row = reading.parse_json(line)
        except ValueError as error:
            raise UserError(f"{place} is not JSON ({error}): write one object per line") from error
        if not isinstance(row, Mapping):
            raise UserError(f"{place} is not a JSON object: write one per line")
        own = row.get("split", split or SPLITS[0])
        if own not in SPLITS or (split is not None and own != split):
            raise UserError(f"{place} has the split {own!r}: give {split or ' or '.join(SPLITS)}")
        rows.append((str(own), _content(row, place)))
    return rows


def _content(row: Mapping[str, Any], place: str) -> TextRow:
    def text(key: str) -> str:
        if not isinstance(row[key], str) or not row[key]:
            raise UserError(f"{place}: {key} is {row[key]!r} and must be text: write it there")
        return str(row[key])

    if "prompt" in row and "completion" in row:
        return TextRow(prompt=text("prompt"), text=text("completion"), place=place)
    if "messages" not in row and "text" in row:
        return TextRow(text=text("text"), place=place)
    if "messages" not in row:
        keys = ", ".join(map(str, row)) or "none"
        raise UserError(f"{place} has the keys {keys}: give {', or '.join(FORMS)}")
    messages = row["messages"]
    whole = isinstance(messages, Sequence) and all(
        isinstance(message, Mapping)
        and isinstance(message.get("role"), str)
        and isinstance(message.get("content"), str)
        for message in messages
    )
    if not whole or len(messages) < 2 or messages[-1]["role"] != "assistant":
        raise UserError(
            f"{place}: messages must be two or more objects of a role and a content, the last an "
            f"assistant's"
        )
    pairs = tuple((message["role"], message["content"]) for message in messages)
    return TextRow(messages=pairs, place=place)
