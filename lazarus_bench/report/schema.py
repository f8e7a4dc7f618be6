"""`report.json`: the form of a report on file, written whole or not at all.

A file names its schema version; a version this code does not know is refused, never guessed at.
Version 1 had no curves; version 2 had neither layer curves nor pooled estimates; version 3 had
neither scatters nor seeds' own values in its estimates; version 4 had neither digests of claims nor
heat maps, and knew of no defects. A printed range (`Explained.span`) stands in version 5 where
there is one.
"""

import json
from pathlib import Path
from typing import Any

from lazarus_bench.errors import UserError
from lazarus_bench.report.checking import check
from lazarus_bench.report.files import write_text
from lazarus_bench.report.plain import from_dict, to_dict
from lazarus_bench.report.rows import (
    SCHEMA_VERSION,
    Explained,
    JobRow,
    LensRow,
    LensTable,
    PooledClaim,
    PooledFamily,
    Report,
    Row,
    Secondary,
)

__all__ = [
    "SCHEMA_VERSION",
    "Explained",
    "JobRow",
    "LensRow",
    "LensTable",
    "PooledClaim",
    "PooledFamily",
    "Report",
    "Row",
    "Secondary",
    "from_dict",
    "load",
    "save",
    "to_dict",
]

_ADDED: dict[int, tuple[str, ...]] = {
    1: (),
    2: ("curves",),
    3: ("layer_curves", "pooled"),
    4: ("scatters",),
    5: ("heatmaps",),
}
"""What each version added to a report beside its rows; an older file has none of it."""


def save(report: Report, path: Path) -> None:
    """Write `report` to `path` as JSON, whole or not at all: beside it first, then renamed.

    Raises:
        UserError: The path cannot be written.
    """
    text = json.dumps(to_dict(report), ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    write_text(text, path)


def load(path: Path) -> Report:
    """Read a report that `save` wrote; one of an older version becomes one of this version.

    Raises:
        UserError: The file is missing, is no report, or has a schema version unknown here.
    """
    try:
        # Editors and shells of Windows put a byte order mark before the text.
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserError(f"cannot read the report {path}; name an existing report.json") from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not text in UTF-8; save it as that, or name another report.json"
        ) from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON; name a report.json of lazarus-bench") from error
    _check_version(data, path)
    try:
        report = from_dict(_upgraded(data))
        check(report, Report, "report")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{path} is damaged ({error!r}); run the hypotheses again to write it anew"
        ) from error
    return report


def _check_version(data: object, path: Path) -> None:
    if not isinstance(data, dict) or "schema" not in data:
        raise UserError(f"{path} is not a report of lazarus-bench; it names no schema version")
    version = data["schema"]
    # 1.0 and true equal 1, and nothing of ours wrote them.
    if type(version) is not int or version not in _ADDED:
        *older, newest = map(str, _ADDED)
        readable = f"{', '.join(older)} and {newest}"
        raise UserError(
            f"{path} has schema version {version}, this lazarus-bench reads versions "
            f"{readable}; read it with the version that wrote it, or run the hypotheses again"
        )


def _upgraded(data: dict[str, Any]) -> dict[str, Any]:
    added = [name for version in _ADDED if version > data["schema"] for name in _ADDED[version]]
    return {**data, **{name: [] for name in added}, "schema": SCHEMA_VERSION}
