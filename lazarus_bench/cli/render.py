"""`lazarus-bench render`: a report.json as Markdown or as a page."""

from __future__ import annotations

import sys
from pathlib import Path

from lazarus_bench.cli.report import place
from lazarus_bench.errors import UserError
from lazarus_bench.report import load, render, write_pictures, write_text
from lazarus_bench.report.html import render_html

_PAGE = (".html", ".htm")
_TEXT = (".md", ".markdown", ".txt", "")


def render_file(report: str, output: str | None) -> int:
    """Render the file or folder `report` to `output`, as HTML where its name ends so.

    Without an output it goes to standard output. Markdown has its pictures beside it; a page holds
    its own.

    Raises:
        UserError: it is no report, or `output` cannot be written or has another form's ending.
    """
    if output is not None and Path(output).suffix.lower() not in (*_PAGE, *_TEXT):
        raise UserError(
            f"--output {output} is neither a page nor Markdown: end its name in .html or .md"
        )
    loaded = load(place(report))
    if output is None:
        sys.stdout.write(render(loaded))
        return 0
    file = Path(output)
    if file.suffix.lower() in _PAGE:
        write_text(render_html(loaded), file)
        return 0
    write_text(render(loaded), file)
    write_pictures(loaded, file.parent)
    return 0
