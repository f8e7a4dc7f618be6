"""`lazarus-bench data`: generated examples in a file, split, with what a reader would check."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lazarus_bench.cli import terminal
from lazarus_bench.cli.results import SCHEMA
from lazarus_bench.errors import UserError
from lazarus_bench.report.files import check_place, write_text
from lazarus_bench.tasks.example_rows import SPLITS, Examples, generate, rows
from lazarus_bench.versions import versions

SENTENCES = ("sentiment", "topics")

Row = Mapping[str, Any]


def run(options: argparse.Namespace) -> int:
    """Write the examples that `options` ask for, and say how they are balanced and split.

    Raises:
        UserError: a flag cannot be honoured, or the file cannot be written.
    """
    form = options.format or ("text" if options.kind in SENTENCES else "completion")
    _check_output(options.output)
    with terminal.busy(f"drawing {options.count} examples"):
        examples = generate(options.kind, options.count, options.validation, options.seed)
    split = zip(SPLITS, (examples.train, examples.valid), strict=True)
    files = _files(options.output, {name: rows(chosen, name, form) for name, chosen in split})
    for file, content in files.items():
        write_text(_lines(content), file, "data")
    shown = _document(options, examples, form, list(files)) if options.json else None
    terminal.write(shown or _shown(options, examples, list(files)), as_json=options.json)
    return 0


def _check_output(output: str) -> None:
    """Make sure that the examples can be written, before any is drawn.

    Raises:
        UserError: it is neither a folder nor a .jsonl, or cannot be written.
    """
    path = Path(output).expanduser()
    folder = _is_folder(output)
    if not folder and path.suffix.lower() != ".jsonl":
        raise UserError(
            f"--output {output} is written as JSON lines: end its name in .jsonl, or in / for a "
            f"folder"
        )
    check_place(path / "train.jsonl" if folder else path, "data")


def _is_folder(output: str) -> bool:
    return output.endswith("/") or Path(output).expanduser().is_dir()


def _files(output: str, splits: Mapping[str, Sequence[Row]]) -> dict[Path, list[Row]]:
    """Which rows go where: all into one file, or into a folder a file a split, as mlx-lm reads."""
    path = Path(output).expanduser()
    if _is_folder(output):
        return {path / f"{name}.jsonl": list(found) for name, found in splits.items() if found}
    return {path: [row for found in splits.values() for row in found]}


def _lines(content: Sequence[Row]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content)


def _shown(options: argparse.Namespace, examples: Examples, files: Sequence[Path]) -> str:
    room = terminal.width()
    balance = [[name, *map(str, counts)] for name, counts in examples.balance.items()]
    total = ["all", str(len(examples.train)), str(len(examples.valid))]
    apart = "sentences" if options.kind in SENTENCES else "operand pairs"
    said = (
        f"{examples.different} of the training examples are different; {apart} that both splits "
        f"have: {examples.overlap or 'none'}"
    )
    written = f"written: {' and '.join(map(str, files))}"
    table = terminal.table(["class", *SPLITS], [*balance, total], room)
    return f"{written}\n\n{table}\n\n{terminal.wrapped(said, room)}"


def _document(
    options: argparse.Namespace, examples: Examples, form: str, files: Sequence[Path]
) -> str:
    result = {
        "kind": options.kind,
        "format": form,
        "seed": options.seed,
        "files": [str(file) for file in files],
        "train": len(examples.train),
        "valid": len(examples.valid),
        "balance": {
            name: dict(zip(SPLITS, counts, strict=True))
            for name, counts in examples.balance.items()
        },
        "different": examples.different,
        "overlap": examples.overlap,
    }
    document = {
        "schema": SCHEMA,
        "kind": options.command,
        "command": shlex.join(["lazarus-bench", *options.arguments]),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "manifest": dict(versions()),
        "result": result,
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
