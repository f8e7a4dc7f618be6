"""`lazarus-bench render`: a report.json as Markdown."""

from __future__ import annotations

import sys
from pathlib import Path

from lazarus_bench.report import load, pictures, render
from lazarus_bench.report.schema import write_text


def render_file(report: str, output: str | None) -> int:
    """Render the file `report` to `output`, with its pictures beside it, or to standard output.

    Raises:
        UserError: it is no report, or `output` cannot be written.
    """
    found = load(Path(report))
    text = render(found)
    if output is None:
        sys.stdout.write(text)
    else:
        write_text(text, Path(output))
        for name, drawn in pictures(found.scatters).items():
            write_text(drawn, Path(output).parent / name)
    return 0
