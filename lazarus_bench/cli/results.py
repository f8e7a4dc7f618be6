"""The result of a command: a JSON document with a manifest, on standard output or in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from lazarus_bench.cli import terminal
from lazarus_bench.cli.flags import CommandLine, Output
from lazarus_bench.cli.pictures import check_plot, write_figure
from lazarus_bench.cli.subject import Found
from lazarus_bench.errors import UserError
from lazarus_bench.figures import Figure
from lazarus_bench.figures.tables import cut
from lazarus_bench.report.files import check_place, write_text

SCHEMA = 1


class Result(Protocol):
    """What an instrument found: it knows its own JSON and text."""

    def to_json(self) -> dict[str, Any]:
        """Its numbers, arrays as they are."""

    def text(self, room: int, /) -> str:
        """Its tables and notes, in lines of at most `room` characters."""


class Drawn(Result, Protocol):
    """A result that can be drawn."""

    def figure(self, subject: str) -> Figure:
        """The figure that --plot draws, of `subject`."""


def check_output(output: Output, plot: str | None = None) -> None:
    """Make sure that the result can be written as asked, before anything is read.

    Raises:
        UserError: --output ends in something else than .json, --plot in something else than .svg or
            .png, or a file cannot be written.
    """
    if output.output is not None:
        if Path(output.output).suffix.lower() != ".json":
            raise UserError(f"--output {output.output} is written as JSON: end its name in .json")
        check_place(Path(output.output).expanduser(), "result")
    check_plot(plot)


def show(result: Result, found: Found, line: CommandLine, output: Output, **more: Any) -> int:
    """Print a result below the model's name; `more` joins its JSON.

    Raises:
        UserError: a file cannot be written.
    """
    room = terminal.width()
    text = f"{cut(found.label, room)}\n\n{result.text(room)}"
    give(found, line, output, result.to_json() | more, text)
    return 0


def draw(result: Drawn, found: Found, line: CommandLine, output: Output, plot: str | None) -> int:
    """Draw a result where `plot` says so, and `show` it.

    Raises:
        UserError: a file cannot be written.
    """
    if plot is not None:
        write_figure(result.figure(found.label).svg(heading=True), plot)
    return show(result, found, line, output)


def give(
    found: Found, line: CommandLine, output: Output, result: Mapping[str, Any], text: str
) -> None:
    """Print `text`, or with --json the document; leave the document in --output as well.

    Raises:
        UserError: the file cannot be written.
    """
    if output.json or output.output is not None:
        from lazarus_bench import backend

        manifest = backend.manifest().as_strings()
        whole = document(line, result, manifest, model=found.described())
        if output.output is not None:
            write_text(whole, Path(output.output).expanduser(), "result")
        text = whole if output.json else text
    terminal.write(text, as_json=output.json)


def document(
    line: CommandLine, result: Mapping[str, Any], manifest: Mapping[str, str], **more: Any
) -> str:
    """The JSON document of a command's result; `more` stands before the manifest."""
    whole = {
        "schema": SCHEMA,
        "kind": line.command,
        "command": str(line),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        **more,
        "manifest": manifest,
        "result": result,
    }
    text = json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False, default=_plain)
    return f"{text}\n"


def _plain(value: Any) -> Any:
    """An array as nested lists; what is not finite as null, for which JSON has no other word."""
    import numpy as np

    if not isinstance(value, np.ndarray):
        raise TypeError(f"{type(value).__name__} has no place in a result")
    if not np.issubdtype(value.dtype, np.floating):
        return value.tolist()
    found = value.astype(object)
    found[~np.isfinite(value)] = None
    return found.tolist()
