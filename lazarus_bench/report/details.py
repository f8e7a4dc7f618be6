"""The folded part of a report: how each verdict was reached and what would decide it."""

from collections.abc import Iterator

from lazarus_bench.judge import Control, Estimate, Verdict
from lazarus_bench.report import printed, wording
from lazarus_bench.report.escaping import code, prose
from lazarus_bench.report.layout import fold
from lazarus_bench.report.rows import Row
from lazarus_bench.report.summary import PUBLISHED, amendment, subject_name


def family_details(rows: tuple[Row, ...]) -> str:
    """Fold the details of every row of one family."""
    return fold("How each verdict was reached", _entries(rows))


def _entries(rows: tuple[Row, ...]) -> Iterator[str]:
    for row in rows:
        heading = f"{code(row.claim_id)} on {subject_name(row.subject)}"
        yield f"**{heading}: {row.verdict.outcome.value}**\n"
        yield from (f"- {line}" for line in _lines(row))
        yield ""


def _lines(row: Row) -> Iterator[str]:
    yield _reason(row.verdict)
    yield from _method(row.verdict)
    if row.quirks:
        yield f"Known defects switched on: {', '.join(map(code, row.quirks))}"
    if row.verdict.needed:
        yield f"To decide: {prose(row.verdict.needed)}"
    yield from (_control(control) for control in row.verdict.controls)
    for item in row.secondary:
        yield f"Also, {prose(item.label)}: {_beside(item.estimate)}"
    yield from _source(row)
    if row.claim_digest:
        yield f"Claim: {code(row.claim_digest[:12])}{_since(row)}"
    if row.digests:
        yield f"Evidence: {', '.join(code(digest[:12]) for digest in row.digests)}"
    if row.seconds:
        yield f"Took {printed.duration(row.seconds)}"


def _since(row: Row) -> str:
    return f"; {prose(amendment(row))}" if row.amended else ""


def _reason(verdict: Verdict) -> str:
    if verdict.estimate is None or verdict.estimate.scope != "exact" or _failed(verdict):
        return _sentence(verdict.reason)
    met = "meets" if verdict.region.contains_value(verdict.estimate.value) else "misses"
    return f"Computed {printed.number(verdict.estimate.value)}, which {met} {_region(verdict)}"


def _failed(verdict: Verdict) -> bool:
    return any(not control.passed for control in verdict.controls)


def _region(verdict: Verdict) -> str:
    return prose(wording.region(verdict.region))


def _beside(estimate: Estimate) -> str:
    level = ", 95%" if wording.has_interval(estimate) else ""
    return f"{wording.estimate95(estimate)} ({wording.sample(estimate)}{level})"


def _method(verdict: Verdict) -> Iterator[str]:
    estimate = verdict.estimate
    if estimate is None:
        return
    yield (
        f"Method: {prose(estimate.method)}; level {verdict.level:.4g}; "
        f"{wording.speaks_of(estimate)}"
    )
    if estimate.note and estimate.note not in verdict.reason:
        yield f"Limits: {prose(estimate.note)}"
    if verdict.detectable is not None:
        yield f"Smallest detectable distance from the edge: {printed.number(verdict.detectable)}"


def _control(control: Control) -> str:
    passed = "passed" if control.passed else "**failed**"
    value = printed.number(control.value)
    expected = f"expected {prose(control.expectation)}"
    return f"Control, {prose(control.name)}: {value}, {expected}, {passed}"


def _sentence(text: str) -> str:
    return prose(text[:1].upper() + text[1:])


def _source(row: Row) -> Iterator[str]:
    source = f"Source ({prose(row.source)})"
    if row.published_note:
        yield f"{source}: {prose(row.published_note)}"
    else:
        yield source
    if row.subject != PUBLISHED and row.published is not None:
        yield f"The same rule on the published number: {prose(row.published.reason)}"
