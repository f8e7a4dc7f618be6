"""`lazarus-bench report`: a report in the terminal, as Markdown, as a page or as JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from lazarus_bench.cli import terminal
from lazarus_bench.cli.files_apart import check_apart
from lazarus_bench.cli.verdicts import OUTCOMES, records, shown, tally, why
from lazarus_bench.errors import UserError
from lazarus_bench.report import Report, Row, load, render, write_pictures, write_text
from lazarus_bench.session.judging import category
from lazarus_bench.session.selection import matches

FILE = "report.json"
FORMS = {".md": "md", ".html": "html", ".htm": "html"}
PLAIN = ("", ".txt", ".json")
"""Endings that say nothing of the form."""


def run(options: argparse.Namespace) -> int:
    """Show the report that `options` name.

    Raises:
        UserError: it is no report, nothing in it was asked for, or the output cannot be written or
            is the report itself.
    """
    form, path = _form(options), place(options.report)
    check_apart(options.output, path)
    report = load(path)
    if options.json:
        _write(_json(report, path, _chosen(report.rows, options)), options.output, as_json=True)
    elif form == "table":
        _write(_table(report, path, _chosen(report.rows, options)), options.output)
    else:
        _render(report, form, options.output)
    return 0


def place(named: str) -> Path:
    """The report.json of a folder, or the file that is named itself."""
    path = Path(named).expanduser()
    return path / FILE if path.is_dir() else path


def _form(options: argparse.Namespace) -> str:
    """How to show it: as asked, or as the end of the output's name says.

    Raises:
        UserError: these differ, no form ends so, or a choice of claims meets a rendering of the
            whole.
    """
    ending = Path(options.output).suffix.lower() if options.output else ""
    by_name = FORMS.get(ending)
    if by_name is None and ending not in PLAIN and not (options.form or options.json):
        raise UserError(
            f"--output {options.output} says no form that a report has: end its name in .txt, .md "
            f"or .html, or give --as or --json"
        )
    form: str = options.form or ("table" if options.json else by_name or "table")
    if by_name is not None and by_name != form:
        raise UserError(f"--output {options.output} is no place for {form}: end its name otherwise")
    if ending == ".json" and not options.json:
        raise UserError(f"--output {options.output} is no place for {form}: give --json as well")
    if options.json and options.form is not None:
        raise UserError(f"--json and --as {options.form} are two forms: give one of them")
    if form != "table" and (options.claim or options.outcome):
        raise UserError(
            f"--claim and --outcome choose lines of the table, and {form} has the whole report: "
            f"leave them out, or --as and the ending of --output"
        )
    return form


def _chosen(rows: Sequence[Row], options: argparse.Namespace) -> tuple[Row, ...]:
    wanted = _outcomes(options.outcome)
    found = tuple(
        row
        for row in rows
        if (not options.claim or any(matches(row.claim_id, name) for name in options.claim))
        and (not wanted or {category(row), row.verdict.outcome.value} & wanted)
    )
    for name in options.claim:
        if not any(matches(row.claim_id, name) for row in rows):
            raise UserError(f"no claim of {options.report} is called {name}: leave --claim out")
    return found


def _outcomes(given: str | None) -> set[str]:
    names = {name.strip() for name in (given or "").split(",") if name.strip()}
    for name in names:
        if name not in OUTCOMES:
            raise UserError(f"--outcome {name!r} is unknown: choose from {', '.join(OUTCOMES)}")
    return names


def _table(report: Report, path: Path, rows: Sequence[Row]) -> str:
    head = f"{path}, made {report.created} with the {report.profile} profile"
    if not rows:
        return f"{head}\n\nno verdict in it was asked for"
    room = terminal.width()
    end = terminal.folded(tally(rows), room)
    return "\n".join([terminal.wrapped(head, room), "", *shown(report, rows), "", end, *why(rows)])


def _json(report: Report, path: Path, rows: Sequence[Row]) -> str:
    document = {
        "schema": 1,
        "kind": "report",
        "report": str(path),
        "created": report.created,
        "profile": report.profile,
        "command": report.command,
        "manifest": dict(report.manifest),
        "verdicts": records(report, rows),
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)


def _write(text: str, output: str | None, *, as_json: bool = False) -> None:
    if output is None:
        terminal.write(text, as_json=as_json)
    else:
        write_text(f"{text}\n", Path(output))


def _render(report: Report, form: str, output: str | None) -> None:
    if form == "html":
        from lazarus_bench.report.html import render_html

        text = render_html(report)
    else:
        text = render(report)
    if output is None:
        terminal.write(text)
        return
    write_text(text, Path(output))
    if form == "md":
        write_pictures(report, Path(output).parent)
