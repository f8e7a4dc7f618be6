"""Verdicts that changed as annotations of GitHub Actions.

Source of the form and of what is escaped: GitHub's "Workflow commands" and the runner's
`ActionCommand`, which reads `%25`, `%0D`, `%0A` everywhere and `%3A`, `%2C` in properties.
"""

from __future__ import annotations

from lazarus_bench.report import wording
from lazarus_bench.report.diff.compare import Pair
from lazarus_bench.report.rows import Row


def annotation(pair: Pair, file: str, line: int | None = None) -> str:
    """A warning about one verdict that changed, at a place in the repository."""
    assert pair.old is not None
    assert pair.new is not None
    before, after = pair.outcomes
    title = f"{pair.row.claim_id}: {before} → {after}"
    why = "; ".join(reason.text for reason in pair.reasons)
    message = f"{pair.row.claim_id} on {pair.row.subject}: {_told(pair.old)} → {_told(pair.new)}"
    place = {"file": file, "title": title} if line is None else _at(file, line, title)
    properties = ",".join(f"{name}={_property(value)}" for name, value in place.items())
    return f"::warning {properties}::{_data(f'{message}. Why: {why}')}"


def _at(file: str, line: int, title: str) -> dict[str, str]:
    return {"file": file, "line": str(line), "title": title}


def _told(row: Row) -> str:
    estimate = row.verdict.estimate
    number = f" ({wording.estimate(estimate)})" if estimate else ""
    odd = f", with the known defect {', '.join(row.quirks)}" if row.quirks else ""
    return f"{row.verdict.outcome.value}{number}{odd}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
