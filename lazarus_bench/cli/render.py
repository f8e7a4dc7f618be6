"""`lazarus-bench render`: a report.json as Markdown or as a page."""

from __future__ import annotations

import sys
from pathlib import Path

from lazarus_bench.report import load, render, write_pictures, write_text
from lazarus_bench.report.html import render_html


def render_file(report: str, output: str | None) -> int:
    """Render the file `report` to `output`, as HTML where its name ends so, or to standard output.

    Markdown has its pictures beside it; a page holds its own.

    Raises:
        UserError: it is no report, or `output` cannot be written.
    """
    loaded = load(Path(report))
    if output is None:
        sys.stdout.write(render(loaded))
        return 0
    file = Path(output)
    if file.suffix.lower() in (".html", ".htm"):
        write_text(render_html(loaded), file)
        return 0
    write_text(render(loaded), file)
    write_pictures(loaded, file.parent)
    return 0
