"""One's own training data: JSON lines in the three forms that mlx-lm reads.

A row is `{"prompt": ..., "completion": ...}`, `{"text": ...}` or `{"messages": [...]}`; other keys
are passed over, but for `split`, which is "train" or "valid". A folder has train.jsonl and, where
there is something to evaluate on, valid.jsonl.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lazarus_bench.errors import UserError
from lazarus_bench.tasks.example_rows import SPLITS

FORMS = ("prompt and completion", "text", "messages")


@dataclass(frozen=True, kw_only=True)
class TextRow:
    """One example: `text` that follows `prompt`, or messages of which the last is learnt.

    Where all of a text is learnt its prompt is empty; `place` is the line it was read from.
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
        """Evaluation rows that are training rows as well."""
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
    """Which rows; their content counts in a comparison, and not where they lie."""

    path: str = field(default="", compare=False)
    digest: str


def source_of(named: str) -> tuple[TextSource, TextRows]:
    """The rows at `named`, a file or a folder, and what a training's digest covers of them.

    Raises:
        UserError: they cannot be read, or there are none to train on.
    """
    rows = _read(Path(named).expanduser().absolute(), named)
    return TextSource(path=str(Path(named).expanduser().absolute()), digest=rows.digest), rows


def read_rows(source: TextSource) -> TextRows:
    """The rows of `source`.

    Raises:
        UserError: they cannot be read, or are others than when the source was made.
    """
    if not source.digest:
        raise UserError("there are no rows to train on: name them with source_of(file)")
    rows = _read(Path(source.path), source.path)
    if rows.digest != source.digest:
        raise UserError(
            f"{source.path} has other rows than when this training was named: put the file back, "
            f"or start anew"
        )
    return rows


def _read(path: Path, named: str) -> TextRows:
    if path.is_dir():
        splits = [(path / f"{name}.jsonl", name) for name in SPLITS]
        found = [
            row
            for file, name in splits
            if file.exists() or name == "train"
            for row in _rows(file, str(file), name)
        ]
    else:
        found = _rows(path, named, None)
    train, valid = (tuple(row for split, row in found if split == name) for name in SPLITS)
    if not train:
        raise UserError(f"--data {named} has no row to train on: write one a line")
    return TextRows(train=train, valid=valid)


def _rows(file: Path, named: str, split: str | None) -> list[tuple[str, TextRow]]:
    """Rows with the split that each is of."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UserError(
            f"--data {named} cannot be read ({error.strerror}): name a .jsonl, or a folder with "
            f"train.jsonl"
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(f"--data {named} is not UTF-8: save it again with that encoding") from error
    return [
        _row(line, f"{named}, line {at}", split) for at, line in enumerate(lines, 1) if line.strip()
    ]


def _row(line: str, place: str, split: str | None) -> tuple[str, TextRow]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise UserError(f"{place} is no JSON ({error}): write one object a line") from error
    if not isinstance(row, Mapping):
        raise UserError(f"{place} is no JSON object: write one a line")
    said = row.get("split", split or SPLITS[0])
    if said not in SPLITS or (split is not None and said != split):
        raise UserError(f"{place} has the split {said!r}: give {split or ' or '.join(SPLITS)}")
    return str(said), _content(row, place)


def _content(row: Mapping[str, Any], place: str) -> TextRow:
    if "prompt" in row and "completion" in row:
        prompt, text = _text(row, "prompt", place), _text(row, "completion", place)
        return TextRow(prompt=prompt, text=text, place=place)
    if "messages" in row:
        return TextRow(messages=_messages(row["messages"], place), place=place)
    if "text" in row:
        return TextRow(text=_text(row, "text", place), place=place)
    raise UserError(
        f"{place} has the keys {', '.join(map(str, row)) or 'none'}: give {', or '.join(FORMS)}"
    )


def _text(row: Mapping[str, Any], key: str, place: str) -> str:
    if not isinstance(row[key], str) or not row[key]:
        raise UserError(f"{place}: {key} is {row[key]!r} and must be text: write it there")
    return str(row[key])


def _messages(given: Any, place: str) -> tuple[tuple[str, str], ...]:
    whole = isinstance(given, Sequence) and all(
        isinstance(message, Mapping)
        and isinstance(message.get("role"), str)
        and isinstance(message.get("content"), str)
        for message in given
    )
    if not whole or len(given) < 2 or given[-1]["role"] != "assistant":
        raise UserError(
            f"{place}: messages must be two or more objects of a role and a content, the last an "
            f"assistant's"
        )
    return tuple((message["role"], message["content"]) for message in given)
