"""A report's verdicts as the command line shows them: lines, counts, sentences, JSON."""

from __future__ import annotations

import math
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from lazarus_bench.cli.terminal import width, wrapped
from lazarus_bench.judge import Outcome
from lazarus_bench.report import (
    Report,
    Row,
    amended_line,
    claims_table,
    pooled_line,
    quirks_line,
    wording,
)
from lazarus_bench.session.judging import category, fails, sentence
from lazarus_bench.session.options import MOVED

if TYPE_CHECKING:
    from lazarus_bench.judge import Verdict

OUTCOMES = (*(outcome.value for outcome in Outcome), MOVED)


def shown(report: Report, rows: Sequence[Row] | None = None) -> list[str]:
    """The table of `rows`, by default all, and what is pooled, amended or defective in them."""
    rows, room = report.rows if rows is None else rows, width()
    ids = {row.claim_id for row in rows}
    pooled = [item for item in report.pooled if item.claim_id in ids]
    notes = (pooled_line(pooled, room), amended_line(rows, room), quirks_line(rows))
    return [claims_table(rows, room), *(wrapped(note, room) for note in notes if note)]


def tally(rows: Iterable[Row]) -> str:
    """Count the verdicts: "12 supported, 3 refuted, 1 moved"."""
    found = Counter(category(row) for row in rows)
    return ", ".join(f"{found[name]} {name}" for name in OUTCOMES if found[name]) or "no verdicts"


def why(rows: Iterable[Row], fail_on: Sequence[str] = (MOVED,)) -> list[str]:
    """A sentence on each row that sets the exit code, in lines that fit."""
    return [_fitted(sentence(row)) for row in rows if fails(row, fail_on)]


def _fitted(text: str) -> str:
    return textwrap.fill(text, max(width(), 20), subsequent_indent="  ")


def records(report: Report | None, rows: Sequence[Row] | None = None) -> list[dict[str, Any]]:
    """The verdicts for other programs."""
    if report is None:
        return []
    return [_record(row) for row in (report.rows if rows is None else rows)]


def _record(row: Row) -> dict[str, Any]:
    return {
        "claim": row.claim_id,
        "subject": row.subject,
        "says": row.says,
        "outcome": row.verdict.outcome.value,
        "pinned": row.pinned,
        "moved": category(row) == MOVED,
        "reason": row.verdict.reason,
        "estimand": row.estimand,
        "region": wording.region(row.verdict.region),
        **_numbers(row.verdict),
        "published": row.published and row.published.outcome.value,
        "seconds": row.seconds,
    }


def _numbers(verdict: Verdict) -> dict[str, Any]:
    """The estimate and its interval; an end that is open is null, as JSON has no infinity."""
    found = verdict.estimate
    if found is None:
        return {"estimate": None, "interval": None, "level": verdict.level}
    ends = [_finite(found.interval.low), _finite(found.interval.high)]
    return {"estimate": _finite(found.value), "interval": ends, "level": verdict.level}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
