"""The result of a command: a JSON document with a manifest, on standard output or in a file."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from lazarus_bench.cli import terminal
from lazarus_bench.cli.subject import Found
from lazarus_bench.errors import UserError
from lazarus_bench.report.files import check_place, write_text

SCHEMA = 1


def check_output(options: argparse.Namespace) -> None:
    """Make sure that the result can be written as asked, before anything is read.

    Raises:
        UserError: the file's name ends in something else than .json, or the file cannot be written.
    """
    if options.output is not None and Path(options.output).suffix.lower() != ".json":
        raise UserError(f"--output {options.output} is written as JSON: end its name in .json")
    if options.output is not None:
        check_place(Path(options.output).expanduser(), "result")


def give(options: argparse.Namespace, found: Found, result: Mapping[str, Any], text: str) -> None:
    """Print `text`, or with --json the document; leave the document in --output as well.

    Raises:
        UserError: the file cannot be written.
    """
    if options.json or options.output is not None:
        whole = _document(options, found, result)
        if options.output is not None:
            write_text(whole, Path(options.output).expanduser(), "result")
        text = whole if options.json else text
    terminal.write(text, as_json=options.json)


def _document(options: argparse.Namespace, found: Found, result: Mapping[str, Any]) -> str:
    from lazarus_bench import backend

    document = {
        "schema": SCHEMA,
        "kind": options.command,
        "command": shlex.join(["lazarus-bench", *options.arguments]),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": found.described(),
        "manifest": backend.manifest().as_strings(),
        "result": result,
    }
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False, default=_plain)
    return f"{text}\n"


def _plain(value: Any) -> Any:
    """An array as nested lists, what is not finite as null: JSON has no word for it."""
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{type(value).__name__} has no place in a result")
    if not np.issubdtype(value.dtype, np.floating):
        return value.tolist()
    found = value.astype(object)
    found[~np.isfinite(value)] = None
    return found.tolist()
