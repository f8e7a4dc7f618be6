"""Show which verdicts moved between two reports, and why.

A verdict moved if its outcome changed, or if its claim and subject are in only one of the reports.
A new estimate with the same outcome is counted but does not move the verdict.

Examples:
    lazarus-bench diff reports/lab lazarus-report
    lazarus-bench diff old/report.json new/report.json --all
    lazarus-bench diff old new --output moved.html
    lazarus-bench diff old new --json --output moved.json
    lazarus-bench diff old new >> "$GITHUB_STEP_SUMMARY"

Exit codes:
    0  nothing moved
    1  a verdict moved
    2  bad input
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from lazarus_bench import reading
from lazarus_bench.cli.flags import Hypotheses
from lazarus_bench.cli.outputs import check_apart, report_file
from lazarus_bench.cli.terminal import flowed, width, write
from lazarus_bench.errors import UserError, shown

if TYPE_CHECKING:
    from lazarus_bench.report.diff import Comparison

MOVED = 1


def run(
    old: Annotated[Path, Parameter(metavar="OLD", help="a report.json or its folder")],
    new: Annotated[Path, Parameter(metavar="NEW", help="the report to compare it with")],
    /,
    *,
    everything: Annotated[
        bool, Parameter(name="--all", help="also list changed estimates")
    ] = False,
    as_json: Annotated[
        bool, Parameter(name="--json", help="print JSON instead of Markdown")
    ] = False,
    output: Annotated[
        Path | None,
        Parameter(
            metavar="FILE",
            help="write to this file instead of standard output; a page if its name ends in .html",
        ),
    ] = None,
    github: Annotated[
        bool,
        Parameter(
            help="also print an annotation to standard error for each changed verdict (default "
            "if GITHUB_ACTIONS is true)"
        ),
    ] = False,
    hypotheses: Hypotheses = None,
) -> int:
    """Compare `old` with `new`; 1 when a verdict moved, else 0."""
    from lazarus_bench.report.diff import compare, render_diff, to_dict
    from lazarus_bench.report.files import write_text
    from lazarus_bench.report.schema import load

    first, second = report_file(old), report_file(new)
    check_apart(output, first, second)
    found = compare(load(first), load(second))
    if not (found.old.rows or found.new.rows):
        raise UserError(
            f"there is nothing to compare: neither {first} nor {second} has a verdict; give "
            f"reports of sessions that judged a claim"
        )
    page = output is not None and output.suffix.lower() in (".html", ".htm")
    if as_json:
        whole = json.dumps(to_dict(found), indent=1, ensure_ascii=False, allow_nan=False)
        text = f"{whole}\n"
    elif page:
        from lazarus_bench.report.html.comparison import render_comparison

        text = render_comparison(found)
    else:
        text = render_diff(found, everything=everything)
    if output is None:
        write(text if as_json else flowed(text, width()), as_json=as_json)
    else:
        write_text(text, output, "comparison")
    if github or os.environ.get("GITHUB_ACTIONS") == "true":
        _annotate(found, second, hypotheses or Path("hypotheses"))
    return MOVED if found.moved else 0


def _annotate(found: Comparison, report: Path, hypotheses: Path) -> None:
    """Print an annotation for each verdict that changed, where GitHub's runner reads it too.

    That is standard error, so that what is sent to a file, a summary or another program is the
    comparison alone.
    """
    from lazarus_bench.report.diff import annotation

    for pair in found.changed:
        file, line = _place(pair.row.claim_id, hypotheses) or (report, None)
        print(shown(annotation(pair, _in_repository(file), line)), file=sys.stderr)


def _place(claim_id: str, hypotheses: Path) -> tuple[Path, int] | None:
    """The file and line where a claim is named first; None where no file names it."""
    for file in sorted(hypotheses.rglob("*.py")):
        try:
            lines = reading.read_bytes(file).decode(errors="replace").split("\n")
        except OSError:  # a link to nothing, or no file: it names no claim
            continue
        for number, line in enumerate(lines, 1):
            if f'"{claim_id}"' in line or f"'{claim_id}'" in line:
                return file, number
    return None


def _in_repository(file: Path) -> str:
    """A path as annotations want it: from the root of the checkout where it lies in there."""
    root = Path(os.environ.get("GITHUB_WORKSPACE", Path.cwd())).resolve()
    whole = file.resolve()
    return whole.relative_to(root).as_posix() if whole.is_relative_to(root) else whole.as_posix()
