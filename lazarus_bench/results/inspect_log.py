"""Logs of Inspect, `.json` and `.eval`: an item a sample, the mean of its epochs."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from lazarus_bench import reading
from lazarus_bench.errors import UserError
from lazarus_bench.results.table import CLUSTER, CONTENT, ITEM, VALUE, Builder, Columns, Table

LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
"""Inspect's correct, partial, incorrect and no answer."""

_MOST = 1 << 30
"""Bytes that a member of an archive may hold: more is no summary of samples."""

Sample = Mapping[str, Any]


def read_inspect_json(file: Path, source: str, columns: Columns) -> Table:
    """A log in JSON."""
    try:
        log = reading.parse_json(reading.read_text(file))
    except ValueError as error:
        raise UserError(f"{source} is not JSON in UTF-8: name a log of Inspect") from error
    if not isinstance(log, dict) or "eval" not in log or "status" not in log:
        raise UserError(
            f"{source} is no log of Inspect: name one, or results in long form as .csv, .jsonl or "
            f".parquet"
        )
    return _table(log, log.get("samples"), source, columns)


def read_inspect_eval(file: Path, source: str, columns: Columns) -> Table:
    """A log in Inspect's archive, of which only the header and the samples' summaries are read."""
    try:
        with _zipfile().ZipFile(file) as archive:
            if "header.json" not in archive.namelist():
                raise _unfinished(source, "started")
            header, samples = (_member(archive, name) for name in ("header.json", "summaries.json"))
    except UserError:
        raise
    except NotImplementedError as error:
        raise UserError(
            f"{source} is compressed by Zstandard: `pip install 'lazarus-bench[logs]'` reads it"
        ) from error
    except Exception as error:  # zipfile, zlib, zstd, struct and json have a dozen kinds
        raise UserError(f"{source} is not a whole log of Inspect: copy it anew") from error
    return _table(header, samples, source, columns)


def _zipfile() -> Any:
    """The module that knows Zstandard: Python's own from 3.14 on, before that a package's."""
    with suppress(ImportError):
        return import_module("backports.zstd.zipfile")
    return zipfile


def _member(archive: Any, name: str) -> Any:
    with archive.open(name) as stream:
        data = stream.read(_MOST + 1)
    if len(data) > _MOST:
        raise ValueError(f"{name} is too large")
    return reading.parse_json(data.decode())


def _unfinished(source: str, status: object) -> UserError:
    return UserError(
        f"{source} was not finished (its status is {status!r:.40}): run it to its end with "
        f"`inspect eval-retry`, and judge that log"
    )


def _table(header: Any, samples: Any, source: str, columns: Columns) -> Table:
    status = header.get("status") if isinstance(header, dict) else None
    if status != "success":
        raise _unfinished(source, status)
    if not isinstance(samples, list) or not samples:
        raise UserError(f"{source} has no samples: run it again with them in its log")
    rows = [*_checked(samples, source)]
    score = _score(rows[0], source, columns.value)
    clusters = columns.clusters
    called = {ITEM: "id", CONTENT: "input", VALUE: score, CLUSTER: clusters or CLUSTER}
    builder = Builder(source=source, called=called)
    values = [_value(row, score, place, builder) for place, row in enumerate(rows, 1)]
    names = [str(row["id"]) for row in rows]
    order = {name: at for at, name in enumerate(dict.fromkeys(names))}
    codes = np.array([order[name] for name in names])
    first = np.unique(codes, return_index=True)[1]
    sums = np.bincount(codes, weights=values)
    found: dict[str, Sequence[Any]] = {
        ITEM: [*order],
        VALUE: (sums / np.bincount(codes)).tolist(),
        CONTENT: [json.dumps([rows[at].get("input"), rows[at].get("target")]) for at in first],
    }
    if clusters is not None:
        found[CLUSTER] = [_of_metadata(rows[at], clusters) for at in first]
    builder.add(found, (first + 1).tolist())
    return builder.table()


def _checked(samples: Sequence[Any], source: str) -> Iterator[Sample]:
    """Each sample; a UserError where one has failed, was not scored or is there twice."""
    seen: set[tuple[str, str]] = set()
    for number, row in enumerate(samples, 1):
        usable = isinstance(row, dict) and isinstance(row.get("id"), str | int)
        if not usable or not isinstance(row.get("scores"), dict) or not row["scores"]:
            failed = isinstance(row, dict) and row.get("error")
            why = "ended in an error" if failed else "has no id or no score"
            raise UserError(
                f"{source}, row {number}: its sample {why}; score every sample, and judge that log"
            )
        key = (str(row["id"]), str(row.get("epoch")))
        if key in seen:
            raise UserError(
                f"{source}, row {number}: sample {key[0]} is there twice in epoch {key[1]}; give "
                f"each its own id"
            )
        seen.add(key)
        yield row


def _score(row: Sample, source: str, wanted: str | None) -> str:
    names = [*_scores(row)]
    if wanted in names:
        return wanted
    if wanted is not None or len(names) != 1:
        raise UserError(
            f"{source} has the scores {', '.join(names) or '(none)'}: choose one with --value"
        )
    return names[0]


def _scores(row: Sample) -> dict[str, Any]:
    """A sample's scores by name; `scorer.part` where a scorer gives several."""
    found: dict[str, Any] = {}
    for name, score in row["scores"].items():
        value = score.get("value") if isinstance(score, dict) else None
        parts = value if isinstance(value, dict) else None
        found |= {f"{name}.{part}": v for part, v in parts.items()} if parts else {name: value}
    return found


def _value(row: Sample, score: str, number: int, builder: Builder) -> float:
    scores = _scores(row)
    if score not in scores:
        raise builder.refusal(number, VALUE, f"is not there (there is {', '.join(scores):.200})")
    value = scores[score]
    if isinstance(value, str) and value in LETTERS:
        return LETTERS[value]
    return float(builder.numbers([value], [number])[0])


def _of_metadata(row: Sample, name: str) -> Any:
    metadata = row.get("metadata")
    return metadata.get(name) if isinstance(metadata, dict) else None
