"""`report.json`: the form of a report on file, written whole or not at all.

A file names its schema version; a version this code does not know is refused, never guessed at.
Version 1 had no curves.
"""

import json
import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from lazarus_bench.errors import UserError
from lazarus_bench.judge import Estimate, Verdict, from_json, to_json
from lazarus_bench.report.rows import (
    SCHEMA_VERSION,
    Curve,
    Curves,
    JobRow,
    LensRow,
    LensTable,
    Report,
    Row,
    Secondary,
)

__all__ = [
    "SCHEMA_VERSION",
    "Curve",
    "Curves",
    "JobRow",
    "LensRow",
    "LensTable",
    "Report",
    "Row",
    "Secondary",
    "from_dict",
    "load",
    "save",
    "to_dict",
    "write_text",
]

_WITHOUT_CURVES = 1
_READABLE = (_WITHOUT_CURVES, SCHEMA_VERSION)


def save(report: Report, path: Path) -> None:
    """Write `report` to `path` as JSON, whole or not at all: beside it first, then renamed.

    Raises:
        UserError: The path cannot be written.
    """
    text = json.dumps(to_dict(report), ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    write_text(text, path)


def write_text(text: str, path: Path) -> None:
    """Write `text` to `path` whole or not at all, making the folders above it.

    Raises:
        UserError: The path cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(text, path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(
            f"cannot write the report to {path} ({reason}); name a file where you can write"
        ) from error


def _replace(text: str, path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(None, "is a directory")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    beside = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        beside.chmod(0o644)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def load(path: Path) -> Report:
    """Read a report that `save` wrote; one of an older version becomes one of this version.

    Raises:
        UserError: The file is missing, is no report, or has a schema version unknown here.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read the report {path}; name an existing report.json") from error
    except ValueError as error:
        raise UserError(f"{path} is not JSON; name a report.json of lazarus-bench") from error
    _check_version(data, path)
    try:
        return from_dict(_upgraded(data))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{path} is damaged ({error!r}); run the hypotheses again to write it anew"
        ) from error


def _check_version(data: object, path: Path) -> None:
    if not isinstance(data, dict) or "schema" not in data:
        raise UserError(f"{path} is not a report of lazarus-bench; it names no schema version")
    if data["schema"] not in _READABLE:
        readable = " and ".join(map(str, _READABLE))
        raise UserError(
            f"{path} has schema version {data['schema']}, this lazarus-bench reads versions "
            f"{readable}; read it with the version that wrote it, or run the hypotheses again"
        )


def _upgraded(data: dict[str, Any]) -> dict[str, Any]:
    if data["schema"] == _WITHOUT_CURVES:
        return {**data, "schema": SCHEMA_VERSION, "curves": []}
    return data


def to_dict(report: Report) -> dict[str, Any]:
    """Turn a report into plain JSON values."""
    return {
        **_plain(report),
        "manifest": dict(report.manifest),
        "rows": [_row_to_dict(row) for row in report.rows],
        "lens_tables": [
            {**_plain(table), "rows": [_plain(row) for row in table.rows]}
            for table in report.lens_tables
        ],
        "jobs": [_plain(job) for job in report.jobs],
        "curves": [
            {**_plain(item), "series": [_curve_to_dict(curve) for curve in item.series]}
            for item in report.curves
        ],
    }


def from_dict(data: Mapping[str, Any]) -> Report:
    """Build a report from the values that `to_dict` made."""
    return Report(
        **{
            **data,
            "rows": tuple(_row_from_dict(row) for row in data["rows"]),
            "lens_tables": tuple(_lens_from_dict(table) for table in data["lens_tables"]),
            "jobs": tuple(JobRow(**_numbers(JobRow, job)) for job in data["jobs"]),
            "curves": tuple(_curves_from_dict(item) for item in data["curves"]),
        }
    )


def _plain(value: Report | Row | LensTable | LensRow | JobRow | Curves) -> dict[str, Any]:
    return {field.name: _finite(getattr(value, field.name)) for field in fields(value)}


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity; a diverged run has, and its report must still be written."""
    diverged = isinstance(value, float) and not math.isfinite(value)
    return str(value) if diverged else value


def _numbers(kind: type[Row | LensRow | JobRow], data: Mapping[str, Any]) -> dict[str, Any]:
    floats = {field.name for field in fields(kind) if "float" in str(field.type)}
    return {
        name: float(value) if name in floats and isinstance(value, str) else value
        for name, value in data.items()
    }


def _row_to_dict(row: Row) -> dict[str, Any]:
    return {
        **_plain(row),
        "verdict": to_json(row.verdict),
        "published": None if row.published is None else to_json(row.published),
        "digests": list(row.digests),
        "secondary": [
            {"label": item.label, "estimate": to_json(item.estimate)} for item in row.secondary
        ],
    }


def _row_from_dict(data: Mapping[str, Any]) -> Row:
    published = data["published"]
    return Row(
        **{
            **_numbers(Row, data),
            "verdict": _verdict(data["verdict"]),
            "published": None if published is None else _verdict(published),
            "digests": tuple(data["digests"]),
            "secondary": tuple(
                Secondary(label=item["label"], estimate=_estimate(item["estimate"]))
                for item in data["secondary"]
            ),
        }
    )


def _lens_from_dict(data: Mapping[str, Any]) -> LensTable:
    rows = tuple(LensRow(**_numbers(LensRow, row)) for row in data["rows"])
    return LensTable(**{**data, "rows": rows})


def _curve_to_dict(curve: Curve) -> dict[str, Any]:
    lines = [[[_finite(x), _finite(y)] for x, y in line] for line in curve.lines]
    return {"name": curve.name, "lines": lines}


def _curves_from_dict(data: Mapping[str, Any]) -> Curves:
    series = tuple(
        Curve(
            name=curve["name"],
            lines=tuple(tuple((float(x), float(y)) for x, y in line) for line in curve["lines"]),
        )
        for curve in data["series"]
    )
    return Curves(**{**data, "series": series})


def _verdict(data: dict[str, Any]) -> Verdict:
    value = from_json(data)
    if not isinstance(value, Verdict):
        raise TypeError(f"a verdict is expected, not {type(value).__name__}")
    return value


def _estimate(data: dict[str, Any]) -> Estimate:
    value = from_json(data)
    if not isinstance(value, Estimate):
        raise TypeError(f"an estimate is expected, not {type(value).__name__}")
    return value
