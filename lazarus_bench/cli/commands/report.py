"""Show a report in the terminal, as Markdown or as a page.

Prints one line per verdict, or the whole report as Markdown or HTML. `lazarus-bench render FILE` is
short for `--as md`.

Examples:
    lazarus-bench report
    lazarus-bench report reports/lab --outcome refuted,moved
    lazarus-bench report reports/lab --claim dual --json
    lazarus-bench report reports/lab --output page.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from lazarus_bench.cli import terminal
from lazarus_bench.cli.flags import Json, claim_ids
from lazarus_bench.cli.outputs import check_apart, report_file
from lazarus_bench.errors import UserError
from lazarus_bench.figures.tables import wrapped

if TYPE_CHECKING:
    from lazarus_bench.report.schema import Report, Row

FORMS = {".md": "md", ".html": "html", ".htm": "html"}
PLAIN = ("", ".txt", ".json")
"""Endings that say nothing of the form."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which verdicts are shown, and how."""

    claim: Annotated[
        tuple[str, ...],
        Parameter(
            metavar="NAME",
            completer=claim_ids,
            help="show only this claim, family or pattern; may be repeated",
        ),
    ] = ()
    outcome: Annotated[
        str | None,
        Parameter(
            metavar="LIST",
            help="show only these: supported, refuted (including single runs), 'supported for "
            "this run', 'refuted for this run', inconclusive, mixed, invalid, 'not "
            "applicable', error, moved",
        ),
    ] = None
    form: Annotated[
        Literal["table", "md", "html"] | None,
        Parameter(
            name="--as", help="output format (default: table, or as the file extension of --output)"
        ),
    ] = None
    output: Annotated[
        Path | None,
        Parameter(
            metavar="FILE",
            help="write to this file instead of standard output; Markdown's figures go next to it",
        ),
    ] = None
    json: Json = False


def run(
    report: Annotated[
        Path,
        Parameter(metavar="REPORT", help="a folder or its report.json (default: lazarus-report)"),
    ] = Path("lazarus-report"),
    /,
    *,
    asked: Asked = Asked(),
) -> int:
    """Show `report`."""
    from lazarus_bench.report.schema import load

    form, path = _form(asked), report_file(report)
    check_apart(asked.output, path)
    found = load(path)
    if asked.json:
        verdicts = _json(found, path, _chosen(found.rows, report, asked))
        _write(verdicts, asked.output, as_json=True)
    elif form == "table":
        _write(_table(found, path, _chosen(found.rows, report, asked)), asked.output)
    elif asked.output is None:
        terminal.write(rendered(found, form, None))
    else:
        rendered(found, form, asked.output)
    return 0


def _form(asked: Asked) -> str:
    """How to show it: as asked, or as the end of the output's name says."""
    ending = asked.output.suffix.lower() if asked.output else ""
    by_name = FORMS.get(ending)
    if by_name is None and ending not in PLAIN and not (asked.form or asked.json):
        raise UserError(
            f"--output {asked.output} has no format of a report: end its name in .txt, .md "
            f"or .html, or give --as or --json"
        )
    form: str = asked.form or ("table" if asked.json else by_name or "table")
    if by_name is not None and by_name != form:
        raise UserError(f"--output {asked.output} cannot hold {form}: choose another ending")
    if ending == ".json" and not asked.json:
        raise UserError(f"--output {asked.output} cannot hold {form}: give --json as well")
    if asked.json and asked.form is not None:
        raise UserError(f"--json and --as {asked.form} are two formats: give one of them")
    if form != "table" and (asked.claim or asked.outcome):
        raise UserError(
            f"--claim and --outcome choose lines of the table, and {form} has the whole report: "
            f"leave them out, or --as and the ending of --output"
        )
    return form


def _chosen(rows: Sequence[Row], report: Path, asked: Asked) -> tuple[Row, ...]:
    from lazarus_bench.session.judging import matches

    wanted = _outcomes(asked.outcome)
    found = tuple(
        row
        for row in rows
        if (not asked.claim or any(matches(row.claim_id, name) for name in asked.claim))
        and (not wanted or _counts_as(row) & wanted)
    )
    for name in asked.claim:
        if not any(matches(row.claim_id, name) for row in rows):
            raise UserError(f"no claim of {report} is called {name}: leave --claim out")
    return found


def _counts_as(row: Row) -> set[str]:
    """What --outcome may call a row: its verdict, with and without "for this run", or moved."""
    from lazarus_bench.session.judging import category

    verdict = row.verdict.outcome.value
    return {category(row), verdict, verdict.removesuffix(" for this run")}


def _outcomes(given: str | None) -> set[str]:
    from lazarus_bench.cli.judging import OUTCOMES

    names = {name.strip() for name in (given or "").split(",") if name.strip()}
    for name in names:
        if name not in OUTCOMES:
            raise UserError(f"--outcome {name!r} is unknown: choose from {', '.join(OUTCOMES)}")
    return names


def _table(report: Report, path: Path, rows: Sequence[Row]) -> str:
    from lazarus_bench.cli.judging import shown, tally, why

    head = f"{path}, made {report.created} with the {report.profile} profile"
    if not rows:
        return f"{head}\n\nno verdict in it was asked for"
    room = terminal.width()
    end = terminal.folded(tally(rows), room)
    return "\n".join([wrapped(head, room), "", *shown(report, rows), "", end, *why(rows)])


def _json(report: Report, path: Path, rows: Sequence[Row]) -> str:
    from lazarus_bench.cli.judging import record

    document = {
        "schema": 1,
        "kind": "report",
        "report": str(path),
        "created": report.created,
        "profile": report.profile,
        "command": report.command,
        "manifest": dict(report.manifest),
        "verdicts": [record(row) for row in rows],
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)


def _write(text: str, output: Path | None, *, as_json: bool = False) -> None:
    if output is None:
        terminal.write(text, as_json=as_json)
    else:
        from lazarus_bench.report.files import write_text

        write_text(f"{text}\n", output)


def rendered(report: Report, form: str, output: Path | None) -> str:
    """The whole report as `form`, also left in `output` where it is given, with its pictures."""
    from lazarus_bench.report.files import write_text
    from lazarus_bench.report.html import render_html
    from lazarus_bench.report.markdown import render
    from lazarus_bench.report.pictures import write_pictures

    text = render_html(report) if form == "html" else render(report)
    if output is not None:
        write_text(text, output)
        if form == "md" and output.is_file():  # beside a device or a pipe nothing is left
            write_pictures(report, output.parent)
    return text
