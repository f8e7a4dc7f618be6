"""A report as GitHub-flavoured Markdown: outcomes first, how they were reached folded below."""

from collections.abc import Iterator
from itertools import chain

from lazarus_bench.judge import Outcome, Verdict
from lazarus_bench.report import printed, wording
from lazarus_bench.report.defects import banner, defects_section, marked
from lazarus_bench.report.markup import code, fold, prose, table, token
from lazarus_bench.report.pictures import (
    curves_section,
    heatmap_section,
    layer_curves_section,
    scatter_section,
)
from lazarus_bench.report.pooling import forest, pooled_cells
from lazarus_bench.report.schema import JobRow, LensTable, PooledClaim, Report, Row
from lazarus_bench.report.summary import (
    COMPUTED,
    PUBLISHED,
    amended,
    amendment,
    claims,
    count,
    families,
    family_sentence,
    moved,
    outcomes,
    subject_name,
    subjects,
    tags,
)

_MARK = {
    Outcome.SUPPORTED: "✅",
    Outcome.REFUTED: "❌",
    Outcome.SUPPORTED_RUN: "☑️",
    Outcome.REFUTED_RUN: "✖️",
    Outcome.INCONCLUSIVE: "❔",
    Outcome.MIXED: "🔀",
    Outcome.INVALID: "⛔",
    Outcome.NOT_APPLICABLE: "➖",
    Outcome.ERROR: "💥",
}
_READING = (
    "A claim is *supported* when the whole interval lies inside its region, *refuted* when it lies "
    "wholly outside, *inconclusive* when it straddles the edge, *invalid* when a control failed. "
    "Intervals are at the family-wise level of the verdict; the plain 95% interval stands below. "
    "All shares and probabilities are fractions."
)


def render(report: Report) -> str:
    """Render a report as Markdown, ending in a newline."""
    sections = [
        "# Verdicts on the claims",
        f"Made {prose(report.created)} with profile {code(report.profile)} by "
        f"{code(report.command)}.\n\n{_READING}",
        *banner(report.rows),
        _summary(report.rows),
        *(_family(name, rows, report.pooled) for name, rows in families(report.rows).items()),
        *defects_section(report),
        *(["## The published prompts through the lens"] if report.lens_tables else []),
        *map(_lens_table, report.lens_tables),
        *heatmap_section(report.heatmaps),
        *scatter_section(report.scatters),
        *layer_curves_section(report.layer_curves),
        *curves_section(report.curves),
        *_jobs_section(report.jobs),
    ]
    if report.manifest:
        lines = ([prose(name), prose(value)] for name, value in report.manifest.items())
        sections.append(f"## Manifest\n\n{table(('What', 'Which'), lines)}")
    return "\n\n".join(section for section in sections if section) + "\n"


def _summary(rows: tuple[Row, ...]) -> str:
    if not rows:
        return "## Summary\n\nNo claim was judged."
    sentences = (
        f"- **{prose(name)}** on {subject_name(subject)}: {prose(family_sentence(group, subject))}."
        for name, group in families(rows).items()
        for subject in subjects(group)
    )
    ends = outcomes(rows)
    header = ["Subject", *(f"{_MARK[outcome]} {outcome.value}" for outcome in ends), "claims"]
    lines = []
    for subject in subjects(rows):
        own = [row for row in rows if row.subject == subject]
        shown = (str(count(own)[outcome] or "·") for outcome in ends)
        lines.append([subject_name(subject), *shown, str(len(own))])
    counts = table(header, lines, right=" " + "r" * (len(ends) + 1))
    parts = ["## Summary", counts, "\n".join(sentences)]
    changed = [
        f"- {code(row.claim_id)} on {code(row.subject)}: {row.verdict.outcome.value}; "
        f"{prose(row.moved)}"
        for row in moved(rows)
    ]
    if changed:
        parts.append("**Moved from their pins:**\n\n" + "\n".join(changed))
    differing = [f"- {code(n)}: {prose(', '.join(how))}" for n, how in amended(rows).items()]
    if differing:
        parts.append("**Not as they were registered:**\n\n" + "\n".join(differing))
    return "\n\n".join(parts)


def _family(name: str, rows: tuple[Row, ...], pooled: tuple[PooledClaim, ...]) -> str:
    header = ("Claim", "Subject", "n", "Estimate", "Effect", "Region", "Verdict", "Published")
    groups = claims(rows)
    own = {item.claim_id: item for item in pooled if item.claim_id in groups}
    lines = []
    for claim_id, group in groups.items():
        row = group[0]
        marks = [*tags(row), *([f"known defect {code(row.quirk)}"] if row.quirk else [])]
        named = " ".join([code(row.claim_id), *(f"({mark})" for mark in marks)])
        claim = f"{named}<br>{prose(row.says)}<br><sub>{prose(row.estimand)}</sub>"
        lines += [[claim if row is group[0] else "", *_judged(row)] for row in group]
        if claim_id in own:
            lines.append(["", *pooled_cells(own[claim_id])])
    details = fold("How each verdict was reached", chain.from_iterable(map(_details, rows)))
    return "\n\n".join(
        [f"## {prose(name)}", table(header, lines), *forest(tuple(own.values())), details]
    )


def _judged(row: Row) -> list[str]:
    verdict, estimate = row.verdict, row.verdict.estimate
    shown = ""
    if estimate is not None:
        shown = wording.estimate(estimate)
        if wording.has_interval(estimate):
            shown += f"<br><sub>95%: {wording.interval95(estimate)}</sub>"
    return [
        row.subject if row.subject in (PUBLISHED, COMPUTED) else code(row.subject),
        prose(wording.sample(estimate)),
        shown,
        prose(wording.effect(estimate.effect)) if estimate else "",
        wording.region(verdict.region),
        f"{_MARK[verdict.outcome]} {verdict.outcome.value}{marked(row)}",
        "" if row.subject == PUBLISHED else wording.published(row.published) or "—",
    ]


def _details(row: Row) -> Iterator[str]:
    """How one verdict was reached, and what would decide it."""
    verdict = row.verdict
    yield (f"**{code(row.claim_id)} on {subject_name(row.subject)}: {verdict.outcome.value}**\n")
    yield from (f"- {line}" for line in (*_reached(verdict), *_evidence(row)))
    yield ""


def _reached(verdict: Verdict) -> Iterator[str]:
    estimate = verdict.estimate
    passed = all(control.passed for control in verdict.controls)
    if estimate is None or estimate.scope != "exact" or not passed:
        yield prose(verdict.reason[:1].upper() + verdict.reason[1:])
    else:
        met = "meets" if verdict.region.contains_value(estimate.value) else "misses"
        region = prose(wording.region(verdict.region))
        yield f"Computed {printed.number(estimate.value)}, which {met} {region}"
    if estimate is None:
        return
    scope = wording.speaks_of(estimate)
    yield f"Method: {prose(estimate.method)}; level {verdict.level:.4g}; {scope}"
    if estimate.note and estimate.note not in verdict.reason:
        yield f"Limits: {prose(estimate.note)}"
    if verdict.detectable is not None:
        yield f"Smallest detectable distance from the edge: {printed.number(verdict.detectable)}"


def _evidence(row: Row) -> Iterator[str]:
    if row.quirks:
        yield f"Known defects switched on: {', '.join(map(code, row.quirks))}"
    if row.verdict.needed:
        yield f"To decide: {prose(row.verdict.needed)}"
    for label, text in wording.again(row):
        yield f"{label}: {prose(text)}"
    for control in row.verdict.controls:
        passed = "passed" if control.passed else "**failed**"
        expected = f"expected {prose(control.expectation)}"
        value = printed.number(control.value)
        yield f"Control, {prose(control.name)}: {value}, {expected}, {passed}"
    for item in row.secondary:
        level = ", 95%" if wording.has_interval(item.estimate) else ""
        rests_on = f"({prose(wording.sample(item.estimate))}{level})"
        yield f"Also, {prose(item.label)}: {wording.estimate95(item.estimate)} {rests_on}"
    note = f": {prose(row.published_note)}" if row.published_note else ""
    yield f"Source ({prose(row.source)}){note}"
    if row.subject != PUBLISHED and row.published is not None:
        yield f"The same rule on the published number: {prose(row.published.reason)}"
    if row.claim_digest:
        since = f"; {prose(amendment(row))}" if row.amended else ""
        yield f"Claim: {code(row.claim_digest[:12])}{since}"
    if row.digests:
        yield f"Evidence: {', '.join(code(digest[:12]) for digest in row.digests)}"
    if row.seconds:
        yield f"Took {printed.duration(row.seconds)}"


def _lens_table(item: LensTable) -> str:
    header = ("Prompt", "Before", "p", "After", "p", "Names the operation")
    title = f"### {prose(item.title)}: {code(item.subject)}, layer {item.layer}"
    hits = sum(row.names_operation for row in item.rows)
    cells = (
        [
            token(row.prompt.rstrip()).replace("␣", " "),
            token(row.before_token),
            printed.number(row.before_probability),
            token(row.after_token),
            printed.number(row.after_probability),
            "✅" if row.names_operation else f"❌ {prose(row.gold)}",
        ]
        for row in item.rows
    )
    lines = table(header, cells, right="  r r ")
    return f"{title}\n\n{lines}\n\n{hits} of {len(item.rows)} after training."


def _jobs_section(jobs: tuple[JobRow, ...]) -> Iterator[str]:
    if not jobs:
        return
    fresh = [job for job in jobs if not job.cached]
    spent = printed.duration(sum(job.seconds for job in fresh))
    header = ("Job", "What", "Time", "tok/s", "From store")
    cells = (
        [
            code(job.digest[:12]),
            prose(job.what),
            printed.duration(job.seconds),
            "" if job.tokens_per_second is None else f"{job.tokens_per_second:,.0f}",
            "yes" if job.cached else "",
        ]
        for job in jobs
    )
    yield (
        f"## Jobs\n\n{len(jobs)} jobs, {len(fresh)} run now in {spent}, "
        f"{len(jobs) - len(fresh)} taken from the store.\n\n"
        + fold("Every job", iter([table(header, cells, right="  rr ")]))
    )
