"""A comparison as plain JSON values, for other programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from lazarus_bench.judge import to_json
from lazarus_bench.report.diff.compare import Comparison, Pair
from lazarus_bench.report.rows import Report, Row

VERSION = 1


def to_dict(found: Comparison) -> dict[str, Any]:
    """Turn a comparison into plain JSON values; numbers that JSON lacks travel as strings."""
    return {
        "diff": VERSION,
        "old": _run(found.old),
        "new": _run(found.new),
        "runs": [asdict(reason) for reason in found.runs],
        "moved": [_pair(pair) for pair in found.moved],
        "reestimated": [_pair(pair) for pair in found.reestimated],
        "same": found.same,
        "amended": {name: list(how) for name, how in found.amended.items()},
    }


def _run(report: Report) -> dict[str, Any]:
    about = ("created", "profile", "command")
    return {name: getattr(report, name) for name in about} | {"manifest": dict(report.manifest)}


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "claim": pair.row.claim_id,
        "subject": pair.row.subject,
        "old": _row(pair.old),
        "new": _row(pair.new),
        "reasons": [asdict(reason) for reason in pair.reasons],
    }


def _row(row: Row | None) -> dict[str, Any] | None:
    if row is None:
        return None
    verdict = to_json(row.verdict)
    kept = ("outcome", "reason", "estimate", "region", "level")
    return {name: verdict[name] for name in kept} | {
        "claim_digest": row.claim_digest,
        "digests": list(row.digests),
        "quirks": list(row.quirks),
    }
