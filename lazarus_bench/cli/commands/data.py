"""Generate training and evaluation examples, and print their balance and overlap.

Writes the examples used by trainings here, or more of the same kind: problems in symbols
(arithmetic) or in words, sentences labelled by sentiment or topic. No operand pair or sentence is
in both splits.

Examples:
    lazarus-bench data arithmetic --output arithmetic.jsonl
    lazarus-bench data arithmetic --format text --output data/   # data/train.jsonl, ...
    lazarus-bench data topics --count 400 --seed 3 --output topics.jsonl --json
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from lazarus_bench.cli import terminal
from lazarus_bench.cli.flags import Json, Line, number
from lazarus_bench.cli.outputs import document
from lazarus_bench.errors import UserError
from lazarus_bench.figures.tables import table, wrapped
from lazarus_bench.report.files import check_place, write_text
from lazarus_bench.versions import versions

if TYPE_CHECKING:
    from lazarus_bench.tasks.example_rows import Examples

SENTENCES = ("sentiment", "topics")


def run(
    kind: Annotated[
        Literal["arithmetic", "words", "sentiment", "topics"],
        Parameter(metavar="KIND", help="arithmetic, words, sentiment, topics"),
    ],
    /,
    *,
    count: Annotated[int, number("training examples (default: 4500)")] = 4500,
    validation: Annotated[int, number("evaluation examples, all different (default: 200)")] = 200,
    seed: Annotated[int, number("random seed (default: 0)")] = 0,
    form: Annotated[
        Literal["completion", "text", "messages"] | None,
        Parameter(
            name="--format",
            help="completion: prompt and completion (default for problems); text: both in one "
            "(default for sentences); messages: a user's and an assistant's",
        ),
    ] = None,
    output: Annotated[
        str,
        Parameter(
            metavar="FILE.jsonl|DIR/",
            help="one file, or a folder with train.jsonl and valid.jsonl in mlx-lm's format",
        ),
    ],
    as_json: Json = False,
    line: Line,
) -> int:
    """Write the examples that are asked for, and say how they are balanced and split."""
    from lazarus_bench.tasks.example_rows import SPLITS, generate, rows

    form = form or ("text" if kind in SENTENCES else "completion")
    _check_output(output)
    with terminal.busy(f"drawing {count} examples"):
        examples = generate(kind, count, validation, seed)
    split = zip(SPLITS, (examples.train, examples.valid), strict=True)
    split_rows = {name: rows(chosen, name, form) for name, chosen in split}
    path = Path(output).expanduser()
    if _is_folder(output):  # as mlx-lm reads them
        files = {path / f"{name}.jsonl": found for name, found in split_rows.items() if found}
    else:
        files = {path: [row for found in split_rows.values() for row in found]}
    for file, content in files.items():
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in content)
        write_text("".join(lines), file, "data")
    if not as_json:
        terminal.write(_told(kind, examples, files))
        return 0
    result = {
        "kind": kind,
        "format": form,
        "seed": seed,
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
    terminal.write(document(line, result, versions()), as_json=True)
    return 0


def _told(kind: str, examples: Examples, files: Iterable[Path]) -> str:
    """Where the examples were written, their balance, and what the splits share."""
    from lazarus_bench.tasks.example_rows import SPLITS

    room = terminal.width()
    rows = [[name, *map(str, counts)] for name, counts in examples.balance.items()]
    rows.append(["all", str(len(examples.train)), str(len(examples.valid))])
    apart = "sentences" if kind in SENTENCES else "operand pairs"
    note = (
        f"{examples.different} of the training examples are different; {apart} that both splits "
        f"have: {examples.overlap or 'none'}"
    )
    written = f"written: {' and '.join(map(str, files))}"
    return f"{written}\n\n{table(['class', *SPLITS], rows, room)}\n\n{wrapped(note, room)}"


def _check_output(output: str) -> None:
    """Make sure that the examples can be written, before any is drawn."""
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
