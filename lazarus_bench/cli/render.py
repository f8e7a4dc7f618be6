"""`lazarus-bench render`: a report.json as Markdown or as a page."""

from __future__ import annotations

import sys
from pathlib import Path

from lazarus_bench.report import load, render
from lazarus_bench.report.html import render_html
from lazarus_bench.report.schema import write_text


def render_file(report: str, output: str | None) -> int:
    """Render the file `report` to `output`, as HTML where its name ends so, or to standard output.

    Raises:
        UserError: it is no report, or `output` cannot be written.
    """
    loaded = load(Path(report))
    if output is None:
        sys.stdout.write(render(loaded))
        return 0
    page = Path(output).suffix.lower() in (".html", ".htm")
    write_text(render_html(loaded) if page else render(loaded), Path(output))
    return 0
