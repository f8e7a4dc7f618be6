"""`lazarus-bench render`: a report.json as Markdown or as a page."""

from __future__ import annotations

import json
from pathlib import Path

from lazarus_bench.cli import terminal
from lazarus_bench.cli.report import place
from lazarus_bench.errors import UserError
from lazarus_bench.report import Report, load, render, write_pictures, write_text
from lazarus_bench.report.html import render_html

PAGES = (".html", ".htm")
ENDINGS = (*PAGES, ".md", ".markdown", ".txt", "")


def render_file(report: str, output: str | None, *, as_json: bool = False) -> int:
    """Render the file or folder `report` to `output`, else to standard output.

    A name that ends in .html makes a page, which holds its pictures; Markdown has them beside it.
    `as_json` tells in a JSON document what was rendered and, without `output`, the text itself.

    Raises:
        UserError: it is no report, or `output` cannot be written or says another form.
    """
    file = Path(output or "")
    if file.suffix.lower() not in ENDINGS:
        raise UserError(f"--output {output} says no form: end its name in .md or .html")
    path = place(report)
    loaded = load(path)
    form = "html" if file.suffix.lower() in PAGES else "md"
    text = render_html(loaded) if form == "html" else render(loaded)
    if output is not None:
        _write(loaded, text, form, file)
    if as_json:
        kept = {"report": str(path), "form": form, "output": output}
        document = {"schema": 1, "kind": "render", **kept, "text": None if output else text}
        text = json.dumps(document, indent=1, ensure_ascii=False)
    if as_json or output is None:
        terminal.write(text, as_json=as_json)
    return 0


def _write(report: Report, text: str, form: str, file: Path) -> None:
    write_text(text, file)
    if form == "md":
        write_pictures(report, file.parent)
