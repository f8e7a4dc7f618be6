"""One claim's estimates on models of different families, pooled."""

from collections.abc import Iterable

from lazarus_bench.judge import Estimate, Outcome
from lazarus_bench.judge.pool import composite, obstacle, pool, standard_error
from lazarus_bench.report.rows import PooledClaim, PooledFamily, Row
from lazarus_bench.report.summary import PUBLISHED


def pool_rows(rows: Iterable[Row]) -> tuple[PooledClaim, ...]:
    """Pool every claim that has an estimate on models of two families or more.

    Published numbers are not pooled. Several subjects of one family count once, by their mean.
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
    left_out: list[tuple[str, str]] = []
    usable: dict[str, list[tuple[str, Estimate]]] = {}
    for row in group:
        assert row.verdict.estimate is not None
        invalid = row.verdict.outcome == Outcome.INVALID
        reason = "its evidence is invalid" if invalid else obstacle(row.verdict.estimate)
        if reason:
            left_out.append((row.subject, reason))
        else:
            usable.setdefault(model_family(row), []).append((row.subject, row.verdict.estimate))
    members = tuple(_member(name, own) for name, own in usable.items())
    values, errors = [m.value for m in members], [m.standard_error for m in members]
    return PooledClaim(
        claim_id=claim_id,
        families=members,
        left_out=tuple(left_out),
        result=pool(values, errors) if len(members) > 1 else None,
    )


def _member(name: str, own: list[tuple[str, Estimate]]) -> PooledFamily:
    values, errors = [e.value for _, e in own], [standard_error(e) for _, e in own]
    value, error = composite(values, errors)
    subjects = tuple(subject for subject, _ in own)
    return PooledFamily(name=name, subjects=subjects, value=value, standard_error=error)
