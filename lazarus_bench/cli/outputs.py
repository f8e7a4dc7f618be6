"""What a command leaves: text or a JSON document with a manifest, a picture, a folder."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from lazarus_bench.cli import terminal
from lazarus_bench.cli.flags import CommandLine, Output
from lazarus_bench.cli.inputs import Found
from lazarus_bench.errors import UserError
from lazarus_bench.figures.draw import Figure
from lazarus_bench.figures.tables import cut
from lazarus_bench.report.files import check_place, probe, write_bytes, write_text

SCHEMA = 1
REPORT = "report.json"


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
    """Make sure that the result can be written as asked, before anything is read."""
    if output.output is not None:
        if Path(output.output).suffix.lower() != ".json":
            raise UserError(f"--output {output.output} is written as JSON: end its name in .json")
        check_place(Path(output.output).expanduser(), "result")
    check_plot(plot)


def show(result: Result, found: Found, line: CommandLine, output: Output, **more: Any) -> int:
    """Print a result below the model's name; `more` joins its JSON."""
    room = terminal.width()
    text = f"{cut(found.label, room)}\n\n{result.text(room)}"
    give(found, line, output, result.to_json() | more, text)
    return 0


def draw(result: Drawn, found: Found, line: CommandLine, output: Output, plot: str | None) -> int:
    """Draw a result where `plot` says so, and `show` it."""
    if plot is not None:
        write_figure(result.figure(found.label).svg(heading=True), plot)
    return show(result, found, line, output)


def give(
    found: Found, line: CommandLine, output: Output, result: Mapping[str, Any], text: str
) -> None:
    """Print `text`, or with --json the document; leave the document in --output as well."""
    if output.json or output.output is not None:
        from lazarus_bench import backend

        manifest = backend.manifest(found.precision.dtype).as_strings()
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


def check_plot(named: str | None) -> None:
    """Make sure that the figure can be drawn and written, before anything is read."""
    if named is None:
        return
    ending = Path(named).suffix.lower()
    if ending not in (".svg", ".png"):
        raise UserError(f"--plot {named} cannot be drawn: end its name in .svg or .png")
    if ending == ".png":
        from lazarus_bench.figures.draw import check_png

        check_png(f"--plot {named}")
    check_place(Path(named).expanduser(), "picture")


def write_figure(svg: str, named: str) -> None:
    """Write an SVG into the file, rasterised where the file's name ends in .png."""
    file = Path(named).expanduser()
    if file.suffix.lower() != ".png":
        write_text(svg, file, "picture")
        return
    from lazarus_bench.figures.draw import png

    write_bytes(png(svg), file, "picture")


def report_file(named: str | Path) -> Path:
    """The report.json of a folder, or the file that is named itself."""
    path = Path(named).expanduser()
    return path / REPORT if path.is_dir() else path


def check_apart(output: str | Path | None, *read: Path) -> None:
    """Make sure that `--output` names none of the files that are read, links followed."""
    if output is None:
        return
    written = Path(output).expanduser().resolve()
    for path in read:
        if path.expanduser().resolve() == written:
            raise UserError(
                f"--output {output} is the report that is read, and writing it would destroy it: "
                f"name another file"
            )


def _content(folder: Path) -> list[str]:
    """Names of what lies in `folder`, sorted; none where it is not there."""
    try:
        return sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise UserError(f"--output {folder} cannot be used ({why}): name a folder") from error


def check_free(folder: Path, ours: Sequence[str] = ()) -> None:
    """Make sure that nothing but `ours` lies in `folder`."""
    foreign = [name for name in _content(folder) if name not in ours]
    if foreign:
        raise UserError(
            f"--output {folder} is not empty (it has {foreign[0]}) and was not written by this "
            f"command: name another folder"
        )


def holds(folder: Path, digest: str) -> bool:
    """Whether `folder` is what this job made, every file whole."""
    from lazarus_bench.jobs.artifact import MANIFEST, damages

    if MANIFEST not in _content(folder):
        return False
    wrong = next(damages(folder, digest, checksums=True), None)
    if wrong is not None and "belongs to another job" not in wrong:
        raise UserError(f"--output {folder}: {wrong}; remove the folder, or name another")
    return wrong is None


def check_folder(folder: Path) -> None:
    """Make sure that `folder` can be written, before the work that fills it."""
    try:
        probe(folder.parent)
    except OSError as error:
        raise _no_folder(folder, error) from error


def _no_folder(folder: Path, error: OSError) -> UserError:
    why = (error.strerror or str(error)).lower()
    return UserError(f"cannot write {folder} ({why}): name a folder where you can write")


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill that becomes `folder`, which is empty or not there, when the block ends."""
    work = folder.parent / f".{folder.name}-{uuid.uuid4().hex[:8]}"
    try:
        work.mkdir(parents=True)
        yield work
        work.rename(folder)
    except OSError as error:
        raise _no_folder(folder, error) from error
    except Exception as error:
        from lazarus_bench.jobs.store import is_full

        if not is_full(error, work):  # mlx and safetensors have words of their own for it
            raise
        raise UserError(
            f"cannot write {folder} (no space left on device): free space, or name another folder"
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
