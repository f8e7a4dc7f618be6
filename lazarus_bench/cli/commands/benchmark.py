"""Measure speed, memory and scaling, alone and against other libraries.

Sections: each recipe and instrument alone (recipes, instruments); the time to a first verdict
(verdict); speed and memory compared with mlx_lm.lora, transformers on torch, mlx-lm's batched
generation and a plain scikit-learn loop (beside); how cost grows with each size (scaling); where a
step's time goes (profile); and the machine's limits (roofline). Without a section, all of them run.

Examples:
    lazarus-bench benchmark
    lazarus-bench benchmark beside --model lab:llama --output beside.json
    lazarus-bench benchmark roofline profile --rounds 5
    lazarus-bench benchmark --from beside.json --from scaling.json --report reports

Exit codes:
    0  measured
    1  with --gate, the whole interval of a ratio or an exponent is beyond its bound
    2  bad input
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from lazarus_bench.cli import terminal
from lazarus_bench.cli.flags import CommandLine, Json, Line, lab_models, number
from lazarus_bench.errors import UserError, say
from lazarus_bench.figures.tables import table, wrapped
from lazarus_bench.report.files import check_place, write_text

if TYPE_CHECKING:
    from lazarus_bench.benchmark.document import Document
    from lazarus_bench.benchmark.sections import Subject

SECTION_NAMES = ("recipes", "instruments", "verdict", "beside", "scaling", "profile", "roofline")
REGRESSED = 1

_File = Parameter(metavar="FILE.json")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is measured or read, and where it is left."""

    model: Annotated[
        str | None,
        Parameter(
            metavar="MODEL",
            completer=lab_models,
            help="a Hugging Face id, a directory or a lab name (default: an untrained lab llama, "
            "which is as fast as a trained one)",
        ),
    ] = None
    rounds: Annotated[int, number("rounds in which all arms take turns (default: 15)")] = 15
    steps: Annotated[int, number("steps per training (default: 12)")] = 12
    prompts: Annotated[int, number("prompts per instrument (default: 200)")] = 200
    documents: Annotated[
        tuple[Path, ...],
        _File,
        Parameter(
            name="--from", help="measure nothing; use the results in this file; may be repeated"
        ),
    ] = ()
    json: Json = False
    output: Annotated[Path | None, _File, Parameter(help="also write the results to this file")] = (
        None
    )
    bigger_is_better: Annotated[
        Path | None,
        _File,
        Parameter(help="also write a file for github-action-benchmark (customBiggerIsBetter)"),
    ] = None
    report: Annotated[
        Path | None,
        Parameter(metavar="DIR", help="also write benchmarks.md and its plots to this folder"),
    ] = None
    gate: Annotated[
        bool,
        Parameter(
            help="exit with 1 if a ratio of this run is beyond its bound; times are never compared"
        ),
    ] = False


def run(
    *sections: Annotated[str, Parameter(metavar="SECTION", help=f"of: {', '.join(SECTION_NAMES)}")],
    asked: Asked = Asked(),
    line: Line,
) -> int:
    """Measure, or read what was measured, and show it."""
    _check(sections, asked)
    _check_places(asked)
    found = _found(sections, asked, line)
    shown_all = "\n\n".join(shown(document, terminal.width()) for document in found)
    text = _only(found, "--json").to_json() if asked.json else shown_all
    for path, written in _files(asked, found):
        write_text(written, path, "document")
    if asked.report is not None:
        from lazarus_bench.benchmark.document import headings
        from lazarus_bench.benchmark.markdown import write_report

        parts = list(zip(headings(found), found, strict=True))
        write_report(parts, asked.report.expanduser())
    terminal.write(text, as_json=asked.json)
    return _gate(found) if asked.gate else 0


def _only(found: Sequence[Document], flag: str) -> Document:
    if len(found) > 1:
        from lazarus_bench.benchmark.document import headings

        several = "; ".join(headings(found))
        raise UserError(
            f"{flag} holds one machine's numbers of one model, not {several}: read each alone"
        )
    return found[0]


MOST = 100_000


def _check(sections: Sequence[str], asked: Asked) -> None:
    for name in ("rounds", "steps", "prompts"):
        least = {"rounds": 2, "steps": 1, "prompts": 40}[name]
        if getattr(asked, name) < least:
            raise UserError(f"--{name} {getattr(asked, name)} is too few: give {least} or more")
        if getattr(asked, name) > MOST:
            raise UserError(f"--{name} {getattr(asked, name)} is too many: give at most {MOST}")
    for name in ("output", "bigger_is_better"):
        given = getattr(asked, name)
        if given is not None and given.suffix.lower() != ".json":
            flag = name.replace("_", "-")
            raise UserError(f"--{flag} {given} is written as JSON: end its name in .json")
    if asked.documents and (sections or asked.model is not None):
        raise UserError("--from uses earlier measurements: leave sections and --model out")
    for name in ("rounds", "steps", "prompts"):
        if asked.documents and getattr(asked, name) != getattr(Asked, name):
            raise UserError(f"--from uses earlier measurements: leave --{name} out")
    for name in sections:
        if name not in SECTION_NAMES:
            raise UserError(f"there is no section {name!r}: choose {', '.join(SECTION_NAMES)}")


def _check_places(asked: Asked) -> None:
    """What cannot be written is told before anything is measured, which takes many minutes."""
    files = [asked.output, asked.bigger_is_better]
    places = [given.expanduser() for given in files if given is not None]
    if len(places) == 2 and places[0].absolute() == places[1].absolute():
        raise UserError(f"--output and --bigger-is-better both name {places[0]}: name two files")
    for place in places:
        check_place(place, "document")
    if asked.report is not None:
        from lazarus_bench.benchmark.markdown import FILE

        check_place(asked.report.expanduser() / FILE, "report")


def _found(sections: Sequence[str], asked: Asked, line: CommandLine) -> list[Document]:
    if asked.documents:
        from lazarus_bench.benchmark.document import by_machine, read_document

        return by_machine([read_document(path) for path in asked.documents])
    from lazarus_bench.benchmark.rivals import Effort
    from lazarus_bench.benchmark.sections import measure_sections

    effort = Effort(rounds=asked.rounds, steps=asked.steps, prompts=asked.prompts)
    with tempfile.TemporaryDirectory() as folder:
        subject = _subject(asked.model, Path(folder))
        say = partial(print, "measuring", file=sys.stderr, flush=True)
        return [measure_sections(sections, subject, effort, say, str(line))]


def _subject(name: str | None, folder: Path) -> Subject:
    from lazarus_bench.benchmark.sections import Subject, lab_subject
    from lazarus_bench.claims.folder import claims_folder
    from lazarus_bench.cli.inputs import find

    hypotheses = None
    with suppress(UserError):
        hypotheses = claims_folder(None)
    if name is None:
        return replace(lab_subject(folder), hypotheses=hypotheses)
    return Subject(
        name=name,
        directory=find(name).directory,
        lab=name.startswith("lab:"),
        hypotheses=hypotheses,
        judged=True,
    )


def _files(asked: Asked, found: Sequence[Document]) -> Sequence[tuple[Path, str]]:
    from lazarus_bench.benchmark.gate import bigger_is_better

    files: list[tuple[Path, str]] = []
    if asked.output is not None:
        files.append((asked.output, _only(found, "--output").to_json()))
    if asked.bigger_is_better is not None:
        only = _only(found, "--bigger-is-better")
        files.append((asked.bigger_is_better, bigger_is_better(only)))
    return [(path.expanduser(), text) for path, text in files]


def shown(found: Document, room: int) -> str:
    """The document for a terminal of `room` characters a line."""
    from lazarus_bench.benchmark.markdown import tables
    from lazarus_bench.report.markup import unescaped

    head = ", ".join(found.machine[key] for key in ("device", "blas", "exp", "cores"))
    parts = [f"{head}\n{found.model}"]
    for each in tables(found):
        cells = [[unescaped(cell) for cell in row] for row in each.rows]
        parts.append(f"{each.title}\n{table(each.header, cells, room)}".strip())
    parts += [wrapped(f"left out: {name}: {why}", room) for name, why in found.skipped.items()]
    return "\n\n".join(parts)


def _gate(found: Sequence[Document]) -> int:
    """The exit code; what fell is told on standard error."""
    if not any(document.ratios or document.curves for document in found):
        raise UserError(
            "--gate has nothing to judge: no ratio and no exponent was measured; measure `beside` "
            "or `scaling`, or leave it out"
        )
    from lazarus_bench.benchmark.gate import regressions

    fallen = [regression for document in found for regression in regressions(document)]
    for regression in fallen:
        say(f"regression: {regression}")
    return REGRESSED if fallen else 0
