"""Samples kept beside a report, judged again: by the report's regions, or by others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lazarus_bench.errors import UserError
from lazarus_bench.judge import Region, decide
from lazarus_bench.report.evidence import FILE, load_evidence
from lazarus_bench.report.schema import Record, Report, Row, load
from lazarus_bench.results.files import Source
from lazarus_bench.results.judged import Statement, report_of

REPORT = "report.json"


def sidecar(given: str) -> Path | None:
    """The `evidence.npz` that a name means, itself, its folder or its report; else None."""
    path = Path(given).expanduser()
    if path.name == REPORT and path.with_name(FILE).exists():
        return path.with_name(FILE)
    if path.is_dir():
        return path / FILE
    return path if path.suffix.lower() == ".npz" else None


def judge_again(
    path: Path,
    command: str,
    *,
    region: Region | None,
    stated: Sequence[Statement] | None,
    verdicts: int | None,
) -> Report:
    """Judge the samples in `path` again, with the controls of the report beside it.

    Args:
        path: an `evidence.npz`, beside its report.json.
        command: how the user asked for it.
        region: in place of each row's own.
        stated: claims whose ids choose rows and whose regions judge them; None for all rows.
        verdicts: verdicts of each family, in place of the recorded number.

    Raises:
        UserError: a file is missing or damaged, or no row is chosen.
    """
    rows = {(row.claim_id, row.subject): row for row in load(path.with_name(REPORT)).rows}
    regions = None if stated is None else {claim.id: claim.place for claim in stated}
    found: list[Row] = []
    records = []
    for record in load_evidence(path):
        own = rows.get((record.claim_id, record.subject))
        if own is None:
            raise UserError(
                f"{path} has {record.claim_id} on {record.subject}, which the report beside it has "
                f"not: copy both anew"
            )
        if regions is not None and record.claim_id not in regions:
            continue
        place = region or (regions or {}).get(record.claim_id) or own.verdict.region
        kept = replace(record, family_size=verdicts or record.family_size)
        found.append(_again(own, kept, place))
        records.append(kept)
    if not found:
        raise UserError(f"{path} has samples of none of these claims: name others")
    return report_of(found, records, command, [Source(name=str(path), path=path)])


def _again(own: Row, record: Record, region: Region) -> Row:
    verdict = decide(
        record.evidence,
        region,
        family_size=record.family_size,
        looks=record.looks,
        controls=own.verdict.controls,
    )
    # What its pin and the looks before said was said of the registered region.
    return replace(
        own, verdict=verdict, family_size=record.family_size, pinned=None, moved="", looks=()
    )
