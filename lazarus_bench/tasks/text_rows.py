"""A user's own training data: JSON lines in the three forms that mlx-lm reads.

A row is `{"prompt": ..., "completion": ...}`, `{"text": ...}` or `{"messages": [...]}`; other keys
are ignored, but for `split`, which is "train" or "valid", and for `class`, where a recipe names
classes. A folder has train.jsonl and, for an evaluation, valid.jsonl.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lazarus_bench import reading
from lazarus_bench.errors import UserError
from lazarus_bench.tasks.arithmetic import Key, Operation, Problem, key_of
from lazarus_bench.tasks.example_rows import SPLITS

_ARITHMETIC = re.compile(r"\s*([0-9]{1,9}) ?([-+*/]) ?([0-9]{1,9}) ?=\s*")
"""A prompt that is one of ours in symbols, or nearly."""

FORMS = ("prompt and completion", "text", "messages")


@dataclass(frozen=True, kw_only=True)
class TextRow:
    """One example: `text` after `prompt`, or messages of which the last is learnt.

    A text learnt whole has an empty prompt; `label` is its class, if it has one, and `place` the
    line it was read from.
    """

    prompt: str = ""
    text: str = ""
    messages: tuple[tuple[str, str], ...] = ()
    label: str = field(default="", compare=False)
    place: str = field(default="", compare=False)


@dataclass(frozen=True, kw_only=True)
class OwnProblem:
    """A row as whatever reads a `Problem` sees it: prompt, right answer and class ("" for none)."""

    symbols: str
    answer: str
    operation: str = ""

    @property
    def key(self) -> str | Key:
        """What training and evaluation must not share: the prompt, or if it is one, the problem."""
        written = _ARITHMETIC.fullmatch(self.symbols)
        if written is None:
            return self.symbols
        a, symbol, b = written.groups()
        operation = next(o for o in Operation if o.symbol == symbol)
        return key_of(operation, int(a), int(b))


AnyProblem = Problem | OwnProblem


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
        """SHA-256 of the rows of each split, in their order, without their classes."""
        return self._digest(labels=False)

    @property
    def class_digest(self) -> str:
        """The same with the classes."""
        return self._digest(labels=True)

    def _digest(self, *, labels: bool) -> str:
        content = [
            [[r.prompt, r.text, r.messages, *([r.label] if labels else [])] for r in rows]
            for rows in (self.train, self.valid)
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the training rows, in the order of their first ones."""
        return tuple(dict.fromkeys(row.label for row in self.train))


@dataclass(frozen=True, kw_only=True)
class TextSource:
    """A set of rows, compared by content and not by path."""

    path: str = field(default="", compare=False)
    digest: str


def source_of(named: str, *, classes: bool = False) -> tuple[TextSource, TextRows]:
    """The rows at `named`, a file or a folder, and their source for a training's digest.

    The digest covers `classes` where the training reads them. UserError if the rows cannot be read,
    or none is for training.
    """
    path = Path(named).expanduser().absolute()
    rows = _read(path, named)
    digest = rows.class_digest if classes else rows.digest
    return TextSource(path=str(path), digest=digest), rows


def problems_in(named: str | Path, *, classes: bool = False) -> TextSource:
    """The rows at `named` as a recipe's problems: each has a prompt, and a class if asked for.

    UserError if one has not, or they cannot be read.
    """
    source, rows = source_of(str(named), classes=classes)
    check_problems(rows, classes=classes)
    return source


def check_problems(rows: TextRows, *, classes: bool) -> None:
    """Make sure that every row has a prompt, and a class if `classes`; else UserError."""
    for row in (*rows.train, *rows.valid):
        if not (row.prompt or row.messages):
            raise UserError(
                f"{row.place} has no prompt: give prompt and completion, or messages, to train on "
                f"problems"
            )
        if classes and not row.label:
            raise UserError(f'{row.place} has no class: add one, such as "class": "yes"')
    if classes and len(rows.classes) < 2:
        raise UserError(
            f"{rows.train[0].place} and all other rows have the class {rows.classes[0]}: give rows "
            f"of at least two"
        )


def own_problems(rows: Sequence[TextRow]) -> tuple[OwnProblem, ...]:
    """Rows of a prompt and a completion as problems, for instruments.

    UserError for messages, which only a model's template turns into a prompt
    (`models.templates.own_problems_of`).
    """
    for row in rows:
        if not row.prompt:
            raise UserError(f"{row.place} is no prompt and completion: write it as these")
    return tuple(OwnProblem(symbols=r.prompt, answer=r.text, operation=r.label) for r in rows)


def read_rows(source: TextSource) -> TextRows:
    """The rows of `source`; UserError if they cannot be read or have changed since it was made."""
    if not source.digest:
        raise UserError("there are no rows to train on: name them with source_of(file)")
    rows = _read(Path(source.path), source.path)
    if source.digest not in (rows.digest, rows.class_digest):
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


def read_prompt_rows(lines: Iterable[str], named: str) -> list[TextRow]:
    """Prompts as JSON lines: a text, `{"prompt": ...}` or `{"messages": [...]}`, and its `class`.

    Messages end where the model's answer begins. UserError for a line that is none of these.
    """
    found = []
    for place, row in _objects(lines, named):
        content = {"prompt": row} if isinstance(row, str) else row
        messages = _messages(content.get("messages"))
        prompt = content.get("prompt", "") if messages is None else ""
        if not isinstance(prompt, str) or not (prompt or messages):
            raise UserError(
                f'{place} is no prompt: write a text, {{"prompt": "..."}} or {{"messages": [...]}}'
            )
        found.append(
            TextRow(prompt=prompt, messages=messages or (), label=_label(content), place=place)
        )
    return found


def _objects(lines: Iterable[str], named: str) -> Iterator[tuple[str, Any]]:
    """The objects and texts of JSON lines, each with its place; blank lines are passed over."""
    for at, line in enumerate(lines, 1):
        place = f"{named}, line {at}"
        if not line.strip():
            continue
        try:
            row = reading.parse_json(line)
        except ValueError as error:
            raise UserError(f"{place} is not JSON ({error}): write one object per line") from error
        if not isinstance(row, Mapping | str):
            raise UserError(f"{place} is not a JSON object: write one per line")
        yield place, row


def _label(row: Mapping[str, Any]) -> str:
    """A row's class; "" without one."""
    label = row.get("class", "")
    return label if isinstance(label, str) else ""


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
    for place, row in _objects(lines, named):
        if isinstance(row, str):
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

    kept: dict[str, Any] = {"label": _label(row), "place": place}
    if "prompt" in row and "completion" in row:
        return TextRow(prompt=text("prompt"), text=text("completion"), **kept)
    if "messages" not in row and "text" in row:
        return TextRow(text=text("text"), **kept)
    if "messages" not in row:
        keys = ", ".join(map(str, row)) or "none"
        raise UserError(f"{place} has the keys {keys}: give {', or '.join(FORMS)}")
    messages = _messages(row["messages"])
    if messages is None or len(messages) < 2 or messages[-1][0] != "assistant":
        raise UserError(
            f"{place}: messages must be two or more objects of a role and a content, the last an "
            f"assistant's"
        )
    return TextRow(messages=messages, **kept)


def _messages(given: Any) -> tuple[tuple[str, str], ...] | None:
    """Role and content of each message; None where they are not such objects."""
    whole = isinstance(given, Sequence) and all(
        isinstance(message, Mapping)
        and isinstance(message.get("role"), str)
        and isinstance(message.get("content"), str)
        for message in given
    )
    return tuple((m["role"], m["content"]) for m in given) if whole else None
