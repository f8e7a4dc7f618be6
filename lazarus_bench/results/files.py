"""The files of one comparison: found, read by their kind, and told apart as arms and runs."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lazarus_bench.errors import UserError
from lazarus_bench.results.inspect_log import read_inspect_eval, read_inspect_json
from lazarus_bench.results.long_form import read_csv, read_json_lines, read_parquet
from lazarus_bench.results.table import ARM, RUN, Columns, Keys, Table, joined

Reader = Callable[[Path, str, Columns], Table]

READERS: Mapping[str, Reader] = {
    ".csv": read_csv,
    ".tsv": read_csv,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".parquet": read_parquet,
    ".json": read_inspect_json,
    ".eval": read_inspect_eval,
}


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file as it was named, with the arm that it was given; empty where none was."""

    name: str
    path: Path
    arm: str = ""

    def digest(self) -> str:
        """SHA-256 of its content."""
        with self.path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()


def sources(given: Sequence[str]) -> tuple[Source, ...]:
    """The files named on a command line, each as FILE or ARM=FILE.

    Raises:
        UserError: one cannot be read, is of no known kind, or is there twice.
    """
    found = tuple(map(_source, given))
    paths = [source.path.resolve() for source in found]
    for source, path in zip(found, paths, strict=True):
        if paths.count(path) > 1:
            raise UserError(f"{source.name} is named twice: name each file once")
    return found


def _source(given: str) -> Source:
    path = Path(given).expanduser()
    arm, equals, rest = given.partition("=")
    if equals and arm and rest and not path.exists():
        path = Path(rest).expanduser()
    else:
        arm, rest = "", given
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise UserError(f"cannot read {rest} ({why}): name a file with results") from error
    if path.suffix.lower() not in READERS:
        kinds = ", ".join(READERS)
        raise UserError(f"{rest} is of no kind that is read here: end its name in {kinds}")
    return Source(name=rest, path=path, arm=arm)


def read(files: Sequence[Source], columns: Columns) -> Table:
    """All rows of the files, each with an arm; and with a run, if only that of its file.

    A file without a column of arms is an arm: the one that it was given, else its own name. Several
    files of an arm without a column of runs are its runs, in their order.

    Raises:
        UserError: a file cannot be judged; the sentence names it, with the column and row.
    """
    tables = [READERS[file.path.suffix.lower()](file.path, file.name, columns) for file in files]
    with_runs = [RUN in table.keys for table in tables]
    if any(with_runs) and not all(with_runs):
        lacking = files[with_runs.index(False)].name
        raise UserError(
            f"{lacking} has no column of runs and another file has one: name it with --run in all"
        )
    stems = Counter(file.path.stem for file in files)
    names = [f.arm or (f.path.stem if stems[f.path.stem] == 1 else f.name) for f in files]
    armed = [_armed(*each) for each in zip(tables, files, names, strict=True)]
    return joined(armed if all(with_runs) else _numbered(armed))


def _armed(table: Table, file: Source, name: str) -> Table:
    if ARM in table.keys and file.arm:
        raise UserError(
            f"{file.name} has a column of arms, {table.called[ARM]}: name it without {file.arm}="
        )
    if ARM in table.keys:
        return table
    return replace(table, keys={**table.keys, ARM: Keys.one(name, table.values.size)})


def _numbered(tables: Sequence[Table]) -> list[Table]:
    """The tables with a run for each: how many earlier ones hold the arm."""
    seen: Counter[str] = Counter()
    found = []
    for table in tables:
        arms = table.keys[ARM]
        numbers = [seen[name] for name in arms.names]
        seen.update(arms.names)
        names = tuple(map(str, range(max(numbers) + 1)))
        keys = Keys(codes=np.array(numbers)[arms.codes], names=names)
        found.append(replace(table, keys={**table.keys, RUN: keys}))
    return found
