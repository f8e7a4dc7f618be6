"""Which estimates of a report belong together: one claim's, on subjects of different families."""

from collections.abc import Iterable

from lazarus_bench.judge import Estimate, Outcome
from lazarus_bench.judge.pool import composite, obstacle, pool, standard_error
from lazarus_bench.report.rows import PooledClaim, PooledFamily, Row
from lazarus_bench.report.summary import PUBLISHED


def pool_rows(rows: Iterable[Row]) -> tuple[PooledClaim, ...]:
    """Pool every claim that has an estimate on models of two families or more.

    The published numbers are not a subject and are not pooled. Subjects of one family are one
    family: their mean counts, once.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.subject != PUBLISHED and row.verdict.estimate is not None:
            groups.setdefault(row.claim_id, []).append(row)
    return tuple(
        _pooled(claim_id, group)
        for claim_id, group in groups.items()
        if len(set(map(model_family, group))) > 1
    )


def model_family(row: Row) -> str:
    """The model family of a row's subject: by its config where that is known, else by its name.

    A lab model is of its base's family: lab:gpt-oss and lab:gpt-oss-instruct are both gpt_oss.
    """
    if row.architecture or not row.subject.startswith("lab:"):
        return row.architecture or row.subject
    return row.subject.removeprefix("lab:").removesuffix("-instruct").replace("-", "_")


def _pooled(claim_id: str, group: list[Row]) -> PooledClaim:
    reasons = [(row, _obstacle(row)) for row in group]
    usable = [row for row, reason in reasons if not reason]
    members = tuple(
        _member(name, [row for row in usable if model_family(row) == name])
        for name in dict.fromkeys(map(model_family, usable))
    )
    values, errors = [m.value for m in members], [m.standard_error for m in members]
    return PooledClaim(
        claim_id=claim_id,
        families=members,
        left_out=tuple((row.subject, reason) for row, reason in reasons if reason),
        result=pool(values, errors) if len(members) > 1 else None,
    )


def _obstacle(row: Row) -> str:
    invalid = row.verdict.outcome == Outcome.INVALID
    return "its evidence is invalid" if invalid else obstacle(_estimate(row))


def _estimate(row: Row) -> Estimate:
    if row.verdict.estimate is None:
        raise ValueError(f"{row.claim_id} has no estimate on {row.subject}")
    return row.verdict.estimate


def _member(name: str, rows: list[Row]) -> PooledFamily:
    estimates = list(map(_estimate, rows))
    value, error = composite([e.value for e in estimates], list(map(standard_error, estimates)))
    return PooledFamily(
        name=name,
        subjects=tuple(row.subject for row in rows),
        value=value,
        standard_error=error,
    )
