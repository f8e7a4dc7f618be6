"""`lazarus-bench render`: a report.json as Markdown or as a page."""

from __future__ import annotations

import sys
from pathlib import Path

from lazarus_bench.cli.report import place
from lazarus_bench.errors import UserError
from lazarus_bench.report import load, render, write_pictures, write_text
from lazarus_bench.report.html import render_html

PAGES = (".html", ".htm")
ENDINGS = (*PAGES, ".md", ".markdown", ".txt", "")


def render_file(report: str, output: str | None) -> int:
    """Render the file or folder `report` to `output`, else to standard output.

    A name that ends in .html makes a page, which holds its pictures; Markdown has them beside it.

    Raises:
        UserError: it is no report, or `output` cannot be written or says another form.
    """
    file = Path(output or "")
    if file.suffix.lower() not in ENDINGS:
        raise UserError(f"--output {output} says no form: end its name in .md or .html")
    loaded = load(place(report))
    if output is None:
        sys.stdout.write(render(loaded))
        return 0
    if file.suffix.lower() in PAGES:
        write_text(render_html(loaded), file)
        return 0
    write_text(render(loaded), file)
    write_pictures(loaded, file.parent)
    return 0
