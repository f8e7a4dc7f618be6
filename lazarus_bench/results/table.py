"""Results in long form, as columns: one value of one item in one run of one arm a row."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazarus_bench.errors import UserError

Numbers = NDArray[np.float64]
Codes = NDArray[np.int64]

ITEM, RUN, ARM, CLUSTER, VALUE, CONTENT = "item", "run", "arm", "cluster", "value", "content"
KEYS = (ITEM, RUN, ARM, CLUSTER, CONTENT)
"""The columns that hold names; `CONTENT` tells whether two items of one name are the same."""

TRUTH = {"true": 1.0, "false": 0.0}
_LARGEST = 1e150
"""Of a value: the squares of larger ones overflow."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which columns the user named; None for the format's own.

    `chosen` is the filter of lm-eval that counts.
    """

    item: str | None = None
    run: str | None = None
    arm: str | None = None
    clusters: str | None = None
    value: str | None = None
    chosen: str | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Keys:
    """A column of names: `names[codes[row]]`."""

    codes: Codes
    names: tuple[str, ...]

    @classmethod
    def one(cls, name: str, rows: int) -> Keys:
        """The same name in every row."""
        return cls(codes=np.zeros(rows, dtype=np.int64), names=(name,))


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """Rows of one file or of several; columns that no file has are absent from `keys`.

    Attributes:
        keys: the columns of names.
        values: shape (rows,), finite.
        rows: each row's number in its file, shape (rows,).
        files: the file of each row.
        called: what the file calls each column.
    """

    keys: Mapping[str, Keys]
    values: Numbers
    rows: Codes
    files: Keys
    called: Mapping[str, str]

    def place(self, row: int) -> str:
        """The file and number of a row."""
        return f"{self.files.names[int(self.files.codes[row])]}, row {self.rows[row]}"

    def name(self, column: str, row: int) -> str:
        """What a column of names holds in a row."""
        return self.keys[column].names[int(self.keys[column].codes[row])]


@dataclass(kw_only=True)
class Builder:
    """Gathers the chunks of one file; `called` names its columns as the file does."""

    source: str
    called: Mapping[str, str]
    _codes: dict[str, array[int]] = field(default_factory=dict)
    _names: dict[str, dict[Any, int]] = field(default_factory=dict)
    _values: list[Numbers] = field(default_factory=list)
    _rows: list[Codes] = field(default_factory=list)

    def add(self, columns: Mapping[str, Sequence[Any]], rows: Sequence[int]) -> None:
        """Add rows with the numbers `rows`, a list for each column.

        Raises:
            UserError: a value is no finite number, or a name is empty, a list or an object.
        """
        self._values.append(self.numbers(columns[VALUE], rows))
        self._rows.append(np.asarray(rows, dtype=np.int64))
        for column in self._names or [name for name in KEYS if name in columns]:
            known = self._names.setdefault(column, {})
            given = columns[column]
            self._check_names(column, given, rows)
            for key in dict.fromkeys(given):
                known.setdefault(key, len(known))
            self._codes.setdefault(column, array("q")).extend(map(known.__getitem__, given))

    def table(self) -> Table:
        """What was added; a UserError where that is nothing."""
        if not self._values:
            raise UserError(f"{self.source} has no row: name a file with results")
        values = np.concatenate(self._values)
        keys = {}
        for column, known in self._names.items():
            codes = np.frombuffer(self._codes[column], np.int64)
            keys[column] = Keys(codes=codes, names=tuple(map(str, known)))
        return Table(
            keys=keys,
            values=values,
            rows=np.concatenate(self._rows),
            files=Keys.one(self.source, values.size),
            called=self.called,
        )

    def _check_names(self, column: str, given: Sequence[Any], rows: Sequence[int]) -> None:
        try:
            empty = [key for key in {*given} if key in (None, "") or key != key]
        except TypeError:  # a list or an object
            at = next(at for at, key in enumerate(given) if isinstance(key, list | dict))
            raise self.refusal(rows[at], column, "is no name") from None
        if empty:
            raise self.refusal(rows[given.index(empty[0])], column, "is empty")

    def numbers(self, given: Sequence[Any], rows: Sequence[int]) -> Numbers:
        """Values as floats; a UserError where one is no finite number."""
        try:
            found = np.fromiter(map(float, given), np.float64, len(given))
        except (TypeError, ValueError, OverflowError):
            found = np.array(
                [self._number(value, row) for value, row in zip(given, rows, strict=True)]
            )
        bad = np.flatnonzero(~(np.abs(found) <= _LARGEST))
        if bad.size:
            what = "too large" if np.isfinite(found[bad[0]]) else "no finite number"
            raise self.refusal(rows[bad[0]], VALUE, f"is {given[bad[0]]!s:.40}, {what}")
        return found

    def _number(self, value: Any, row: int) -> float:
        try:
            if isinstance(value, str) and value.strip().lower() in TRUTH:
                return TRUTH[value.strip().lower()]
            return float(value)
        except (TypeError, ValueError, OverflowError):
            held = "is empty" if value in (None, "") else f"is {value!r:.40}, no number"
            raise self.refusal(row, VALUE, held) from None

    def refusal(self, row: int, column: str, held: str) -> UserError:
        """The error for what a column holds in a row."""
        return UserError(
            f"{self.source}, row {row}: column {self.called.get(column, column)} {held}; mend the "
            f"row, or leave it out"
        )


def joined(tables: Sequence[Table]) -> Table:
    """The rows of several tables one after the other; columns that not all have are left out."""
    shared = [column for column in KEYS if all(column in table.keys for table in tables)]
    return Table(
        keys={column: _joined([table.keys[column] for table in tables]) for column in shared},
        values=np.concatenate([table.values for table in tables]),
        rows=np.concatenate([table.rows for table in tables]),
        files=_joined([table.files for table in tables]),
        called=tables[0].called,
    )


def _joined(parts: Iterable[Keys]) -> Keys:
    known: dict[str, int] = {}
    codes = []
    for part in parts:
        new = np.array([known.setdefault(name, len(known)) for name in part.names], dtype=np.int64)
        codes.append(new[part.codes])
    return Keys(codes=np.concatenate(codes), names=tuple(known))
