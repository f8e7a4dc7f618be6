"""`lazarus-bench benchmark`: how fast and how lean this machine runs recipes and instruments."""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lazarus_bench.benchmark.document import Document, by_machine, headings, read_document
from lazarus_bench.benchmark.gate import regressions
from lazarus_bench.cli import terminal
from lazarus_bench.cli.benchmark_command import PROMPTS, ROUNDS, SECTION_NAMES, STEPS
from lazarus_bench.errors import UserError
from lazarus_bench.report.files import check_place, write_text

if TYPE_CHECKING:
    from lazarus_bench.benchmark.sections import Subject

REGRESSED = 1


def run(options: argparse.Namespace) -> int:
    """Measure, or read what was measured, and show it.

    Raises:
        UserError: a flag cannot be honoured.
    """
    _check(options)
    _check_places(options)
    found = _found(options)
    shown_all = "\n\n".join(shown(document, terminal.width()) for document in found)
    text = _only(found, "--json").to_json() if options.json else shown_all
    for path, written in _files(options, found):
        write_text(written, path, "document")
    if options.report is not None:
        from lazarus_bench.benchmark.markdown import write_report

        parts = list(zip(headings(found), found, strict=True))
        write_report(parts, Path(options.report).expanduser())
    terminal.write(text, as_json=options.json)
    return _gate(found) if options.gate else 0


def _only(found: Sequence[Document], flag: str) -> Document:
    if len(found) > 1:
        several = "; ".join(headings(found))
        raise UserError(
            f"{flag} holds one machine's numbers of one model, not {several}: read each alone"
        )
    return found[0]


def _check(options: argparse.Namespace) -> None:
    for name in ("rounds", "steps", "prompts"):
        least = {"rounds": 2, "steps": 1, "prompts": 40}[name]
        if getattr(options, name) < least:
            raise UserError(f"--{name} {getattr(options, name)} is too few: give {least} or more")
    for name in ("output", "bigger_is_better"):
        given = getattr(options, name)
        if given is not None and Path(given).suffix.lower() != ".json":
            flag = name.replace("_", "-")
            raise UserError(f"--{flag} {given} is written as JSON: end its name in .json")
    if options.documents and (options.sections or options.model is not None):
        raise UserError("--from reads what was measured: leave sections and --model out")
    for name, usual in {"rounds": ROUNDS, "steps": STEPS, "prompts": PROMPTS}.items():
        if options.documents and getattr(options, name) != usual:
            raise UserError(f"--from reads what was measured: leave --{name} out")
    for name in options.sections:
        if name not in SECTION_NAMES:
            raise UserError(f"there is no section {name!r}: choose {', '.join(SECTION_NAMES)}")


def _check_places(options: argparse.Namespace) -> None:
    """What cannot be written is told before anything is measured, which takes many minutes."""
    files = [options.output, options.bigger_is_better]
    places = [Path(given).expanduser() for given in files if given is not None]
    if len(places) == 2 and places[0].absolute() == places[1].absolute():
        raise UserError(f"--output and --bigger-is-better both name {places[0]}: name two files")
    for place in places:
        check_place(place, "document")
    if options.report is not None:
        from lazarus_bench.benchmark.markdown import FILE

        check_place(Path(options.report).expanduser() / FILE, "report")


def _found(options: argparse.Namespace) -> list[Document]:
    if options.documents:
        return by_machine([read_document(Path(path)) for path in options.documents])
    from lazarus_bench.benchmark.rivals.compared import Effort
    from lazarus_bench.benchmark.sections import chosen_sections, measure_sections

    effort = Effort(rounds=options.rounds, steps=options.steps, prompts=options.prompts)
    command = shlex.join(["lazarus-bench", *options.arguments])
    with tempfile.TemporaryDirectory() as folder:
        subject = _subject(options.model, Path(folder))
        names = chosen_sections(options.sections)
        return [measure_sections(names, subject, effort, _tell, command)]


def _subject(name: str | None, folder: Path) -> Subject:
    from lazarus_bench.benchmark.sections import Subject, lab_subject
    from lazarus_bench.cli.subject import find

    hypotheses = _claims()
    if name is None:
        return replace(lab_subject(folder), hypotheses=hypotheses)
    return Subject(
        name=name,
        directory=find(name).directory,
        lab=name.startswith("lab:"),
        hypotheses=hypotheses,
        judged=True,
    )


def _claims() -> Path | None:
    from lazarus_bench.claims.folder import claims_folder

    try:
        return claims_folder(None)
    except UserError:
        return None


def _tell(what: str) -> None:
    print(f"measuring {what}", file=sys.stderr, flush=True)


def _files(options: argparse.Namespace, found: Sequence[Document]) -> Sequence[tuple[Path, str]]:
    from lazarus_bench.benchmark.continuous import bigger_is_better

    files: list[tuple[str, str]] = []
    if options.output is not None:
        files.append((options.output, _only(found, "--output").to_json()))
    if options.bigger_is_better is not None:
        only = _only(found, "--bigger-is-better")
        files.append((options.bigger_is_better, bigger_is_better(only)))
    return [(Path(name).expanduser(), text) for name, text in files]


def shown(found: Document, room: int) -> str:
    """The document for a terminal of `room` characters a line."""
    head = ", ".join(found.machine[key] for key in ("device", "blas", "exp", "cores"))
    return "\n\n".join([f"{head}\n{found.model}", *_tables(found, room)])


def _tables(found: Document, room: int) -> list[str]:
    ratios = [[r.name, str(r.found), _goal(r.at_least, r.at_most), r.outcome] for r in found.ratios]
    readings = [[r.name, r.said, r.unit, r.group] for r in found.readings]
    curves = [
        [f"{c.what} by {c.along}", str(c.exponent), str(c.last), _goal(None, c.at_most), c.outcome]
        for c in found.curves
    ]
    profiles = [
        [p.recipe, f"{p.step.value:.3g} ms", part.kind, f"{part.milliseconds:.3g} ms"]
        for p in found.profiles
        for part in p.parts
    ]
    shares = [
        [p.recipe, f"{p.achieved:.3g}", f"{p.machine:.3g}", f"{p.share:.2f}", f"{p.ceiling:.2f}"]
        for p in found.profiles
    ]
    roofs = [[r.operation, r.size, str(r.rate), r.unit] for r in found.roofs]
    left_out = [[name, why] for name, why in found.skipped.items()]
    tables = (
        (("side by side", "ratio", "goal", ""), ratios),
        (("by itself", "median", "unit", "of"), readings),
        (("cost of", "exponent", "last two sizes", "goal", ""), curves),
        (("recipe", "step", "part", "time"), profiles),
        (("recipe", "GFLOP/s", "the machine's", "share", "at most"), shares),
        (("the machine", "size", "rate", "unit"), roofs),
        (("left out", "why"), left_out),
    )
    return [terminal.table(header, rows, room) for header, rows in tables if rows]


def _goal(at_least: float | None, at_most: float | None) -> str:
    if at_least is not None:
        return f"≥ {at_least:g}"
    return "" if at_most is None else f"≤ {at_most:g}"


def _gate(found: Sequence[Document]) -> int:
    """The exit code; what fell is told on standard error.

    Raises:
        UserError: there is nothing that could have fallen.
    """
    if not any(document.ratios or document.curves for document in found):
        raise UserError(
            "--gate has nothing to judge: no ratio and no exponent was measured; measure `beside` "
            "or `scaling`, or leave it out"
        )
    fallen = [regression for document in found for regression in regressions(document)]
    for regression in fallen:
        print(f"lazarus-bench: regression: {regression.sentence}", file=sys.stderr)
    return REGRESSED if fallen else 0
