"""Long form in CSV, JSON Lines or Parquet, and lm-eval's `samples_*.jsonl`, read in chunks."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from lazarus_bench import reading
from lazarus_bench.errors import UserError
from lazarus_bench.results.table import (
    ARM,
    CLUSTER,
    CONTENT,
    ITEM,
    RUN,
    VALUE,
    Builder,
    Columns,
    Table,
)

_CHUNK = 1 << 12
"""Rows held at a time: few enough that Python's garbage collector does not search many."""

USUAL = {ITEM: ("item",), RUN: ("run", "seed"), ARM: ("arm",), CLUSTER: ("cluster",)}
"""Names under which a column is found where the user names none."""


def named(
    source: str, columns: Columns, known: Sequence[str], *, nested: bool = False
) -> dict[str, str]:
    """The file's name for each column that it has, of the names that it knows.

    Where fields are `nested`, a name `a.b` is known if a is.

    Raises:
        UserError: it lacks one that the user named, or has no values.
    """
    given = {
        ITEM: columns.item,
        RUN: columns.run,
        ARM: columns.arm,
        CLUSTER: columns.clusters,
        VALUE: columns.value or VALUE,
    }
    there = {*known}
    lacking = [
        name
        for name in given.values()
        if name and name not in there and not (nested and name.partition(".")[0] in there)
    ]
    if lacking:
        flag = {ITEM: "--paired-by", CLUSTER: "--clusters"}
        role = next(role for role, name in given.items() if name == lacking[0])
        raise UserError(
            f"{source} has no column {lacking[0]} (it has {', '.join(known)[:200]}): name another "
            f"with {flag.get(role, f'--{role}')}"
        )
    found = {role: name for role, name in given.items() if name}
    for role, usual in USUAL.items():
        name = next((name for name in usual if name in known), None)
        if name is not None:
            found.setdefault(role, name)
    return found


def read_csv(file: Path, source: str, columns: Columns) -> Table:
    """A CSV (or, by its name, TSV) file with a header."""
    delimiter = "\t" if file.suffix.lower() == ".tsv" else ","
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, delimiter=delimiter, strict=True)
            header = next(reader, [])
            if len(set(header)) < len(header):
                twice = next(name for name in header if header.count(name) > 1)
                raise UserError(f"{source} has the column {twice} twice: name one otherwise")
            called = named(source, columns, header)
            at = {role: header.index(name) for role, name in called.items()}
            builder = Builder(source=source, called=called)
            for rows, found in _csv_chunks(reader, len(header), source):
                parts = [*zip(*found, strict=True)]
                builder.add({role: parts[i] for role, i in at.items()}, rows)
    except UnicodeDecodeError as error:
        raise UserError(f"{source} is not UTF-8: save it with that encoding") from error
    except csv.Error as error:
        raise UserError(f"{source}, row {reader.line_num}: {error}; mend the row") from error
    return builder.table()


def _csv_chunks(
    reader: Iterator[list[str]], width: int, source: str
) -> Iterator[tuple[Sequence[int], list[list[str]]]]:
    """Row numbers, the header being row 1, and rows of one width; blank lines count, as rows."""
    start = 2
    while chunk := [*islice(reader, _CHUNK)]:
        rows: Sequence[int] = range(start, start + len(chunk))
        start += len(chunk)
        if {*map(len, chunk)} != {width}:
            rows = [number for number, row in zip(rows, chunk, strict=True) if row]
            chunk = [row for row in chunk if row]
            other = next((at for at, row in enumerate(chunk) if len(row) != width), None)
            if other is not None:
                raise UserError(
                    f"{source}, row {rows[other]} has {len(chunk[other])} cells where the header "
                    f"has {width}: mend the row"
                )
        if chunk:
            yield rows, chunk


def read_json_lines(file: Path, source: str, columns: Columns) -> Table:
    """JSON Lines: an object a row, lm-eval's or in long form; `a.b` is the field b of a."""
    builder: Builder | None = None
    chosen = _Filter(source=source, wanted=columns.chosen)
    try:
        with file.open(encoding="utf-8-sig", newline="\n") as stream:
            numbered = enumerate(stream, 1)
            while chunk := [*islice(numbered, _CHUNK)]:
                read = [(n, _object(line, n, source)) for n, line in chunk if not line.isspace()]
                if read and builder is None:
                    builder = Builder(source=source, called=_called(read[0][1], source, columns))
                kept = [(n, row) for n, row in read if chosen.keeps(row)]
                if kept and builder is not None:
                    builder.add(_fields(kept, builder), [n for n, _ in kept])
    except UnicodeDecodeError as error:
        raise UserError(f"{source} is not UTF-8: save it with that encoding") from error
    chosen.check()
    return (builder or Builder(source=source, called={})).table()


def _object(line: str, number: int, source: str) -> dict[str, Any]:
    try:
        row = reading.parse_json(line)
    except ValueError as error:
        why = str(error).partition(":")[0]  # the place in the line is left out
        raise UserError(f"{source}, row {number} is not JSON ({why}): mend the row") from error
    if not isinstance(row, dict):
        raise UserError(f"{source}, row {number} is no JSON object: write one a line")
    return row


def _called(row: Mapping[str, Any], source: str, columns: Columns) -> dict[str, str]:
    """The names of columns, as the first row has them."""
    if not is_lm_eval(row):
        return named(source, columns, [*row], nested=True)
    metrics = [name for name in row["metrics"] if isinstance(name, str)]
    if columns.value is None and len(metrics) != 1:
        raise UserError(
            f"{source} has the metrics {', '.join(metrics) or '(none)'}: choose one with --value"
        )
    asked = Columns(
        item=columns.item or "doc_id",
        run=columns.run,
        arm=columns.arm,
        clusters=columns.clusters,
        value=columns.value or metrics[0],
    )
    found = named(source, asked, [*row], nested=True)
    return {**found, CONTENT: "doc_hash"} if "doc_hash" in row else found


def is_lm_eval(row: Mapping[str, Any]) -> bool:
    """Whether a row is of lm-eval's `samples_*.jsonl`."""
    return "doc_id" in row and isinstance(row.get("metrics"), list)


def _fields(kept: Sequence[tuple[int, dict[str, Any]]], builder: Builder) -> dict[str, list[Any]]:
    found = {}
    for role, name in builder.called.items():
        try:
            found[role] = [row[name] for _, row in kept]
        except KeyError:
            found[role] = [_field(row, name) for _, row in kept]
    return found


def _field(row: Mapping[str, Any], name: str) -> Any:
    if name in row:
        return row[name]
    first, dot, rest = name.partition(".")
    inner = row.get(first)
    return _field(inner, rest) if dot and isinstance(inner, dict) else None


class _Filter:
    """Keeps the rows of lm-eval's one filter, or of the wanted one of several."""

    def __init__(self, *, source: str, wanted: str | None) -> None:
        self._source, self._wanted = source, wanted
        self._seen: dict[str, None] = {}

    def keeps(self, row: Mapping[str, Any]) -> bool:
        if not is_lm_eval(row) and self._wanted is None:
            return True
        name = str(row.get("filter", "none"))
        self._seen[name] = None
        return self._wanted in (None, name)

    def check(self) -> None:
        """Raise a UserError where several filters are mixed, or the wanted one is not there."""
        known = ", ".join(self._seen)
        if self._wanted is None and len(self._seen) > 1:
            raise UserError(f"{self._source} has the filters {known}: choose one with --filter")
        if self._wanted is not None and self._wanted not in self._seen:
            raise UserError(
                f"{self._source} has no filter {self._wanted} (it has {known or 'none'}): choose "
                f"another with --filter"
            )


def read_parquet(file: Path, source: str, columns: Columns) -> Table:
    """A Parquet file; needs pyarrow."""
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise UserError(
            f"{source} needs pyarrow: install it with `pip install 'lazarus-bench[logs]'`"
        ) from error
    try:
        with parquet.ParquetFile(file) as opened:
            called = named(source, columns, opened.schema_arrow.names)
            builder, start = Builder(source=source, called=called), 1
            for batch in opened.iter_batches(16 * _CHUNK, columns=[*called.values()]):
                parts = {role: batch.column(name).to_pylist() for role, name in called.items()}
                builder.add(parts, range(start, start + batch.num_rows))
                start += batch.num_rows
    except UserError:
        raise
    except Exception as error:  # pyarrow has a dozen kinds, and raises Python's own as well
        raise UserError(f"{source} is not a whole Parquet file: write it anew") from error
    return builder.table()
