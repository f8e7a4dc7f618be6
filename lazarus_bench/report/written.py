"""A report's folder: JSON, samples, Markdown with its figures, and the page."""

from pathlib import Path

from lazarus_bench.report.evidence import FILE, save_evidence
from lazarus_bench.report.files import write_text
from lazarus_bench.report.html import render_html
from lazarus_bench.report.markdown import render
from lazarus_bench.report.pictures import write_pictures
from lazarus_bench.report.schema import Report, save


def write_report(report: Report, folder: Path) -> list[Path]:
    """Write all of a report into `folder`, and return the paths of JSON, Markdown and page.

    UserError if it cannot be written.
    """
    written = [folder / f"report.{ending}" for ending in ("json", "md", "html")]
    save(report, written[0])
    save_evidence(report.evidence, folder / FILE)
    write_text(render(report), written[1])
    write_text(render_html(report), written[2])
    write_pictures(report, folder)
    return written
