"""Render a report.json as Markdown or HTML.

Examples:
    lazarus-bench render reports/lab
    lazarus-bench render reports/lab --output page.html
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from lazarus_bench.cli import terminal
from lazarus_bench.cli.commands.report import rendered
from lazarus_bench.cli.flags import Json
from lazarus_bench.cli.outputs import report_file
from lazarus_bench.errors import UserError

PAGES = (".html", ".htm")
ENDINGS = (*PAGES, ".md", ".markdown", ".txt", "")


def run(
    report: Annotated[Path, Parameter(metavar="REPORT", help="a report.json or its folder")],
    /,
    *,
    output: Annotated[
        Path | None,
        Parameter(
            metavar="FILE",
            help="write to this file instead of standard output: .html for a page, .md for "
            "Markdown",
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Render the file or folder `report` to `output`, else to standard output.

    A name that ends in .html makes a page, which holds its pictures; Markdown has them beside it.
    `as_json` prints what was rendered as a JSON document, with the text itself if no `output` is
    named.
    """
    from lazarus_bench.report.schema import load

    ending = output.suffix.lower() if output is not None else ""
    if ending not in ENDINGS:
        raise UserError(f"--output {output} has no known format: end its name in .md or .html")
    path = report_file(report)
    form = "html" if ending in PAGES else "md"
    text = rendered(load(path), form, output)
    if as_json:
        terminal.write_document(
            "render",
            report=str(path),
            form=form,
            output=output and str(output),
            text=None if output else text,
        )
    elif output is None:
        terminal.write(text)
    return 0
