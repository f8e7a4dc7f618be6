"""`lazarus-bench render`: a report.json as Markdown."""

from __future__ import annotations

import sys
from pathlib import Path

from lazarus_bench.report import load, render
from lazarus_bench.report.schema import write_text


def render_file(report: str, output: str | None) -> int:
    """Render the file `report` to `output`, or to standard output.

    Raises:
        UserError: it is no report, or `output` cannot be written.
    """
    text = render(load(Path(report)))
    if output is None:
        sys.stdout.write(text)
    else:
        write_text(text, Path(output))
    return 0
