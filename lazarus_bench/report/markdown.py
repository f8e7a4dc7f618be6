"""A report as GitHub-flavoured Markdown: what came out first, how it was reached folded below."""

from collections.abc import Iterable, Iterator, Mapping

from lazarus_bench.judge import Outcome
from lazarus_bench.report import printed, wording
from lazarus_bench.report.defects import banner, defects_section, marked
from lazarus_bench.report.details import family_details
from lazarus_bench.report.escaping import code, prose, token
from lazarus_bench.report.forest import forest, pooled_cells
from lazarus_bench.report.layout import fold, table
from lazarus_bench.report.pictures import (
    curves_section,
    heatmap_section,
    layer_curves_section,
    scatter_section,
)
from lazarus_bench.report.rows import JobRow, LensRow, LensTable, PooledClaim, Report, Row
from lazarus_bench.report.summary import (
    PUBLISHED,
    amended,
    count,
    families,
    family_sentence,
    moved,
    subject_name,
    subjects,
    tags,
)

_MARK = {
    Outcome.SUPPORTED: "✅",
    Outcome.REFUTED: "❌",
    Outcome.INCONCLUSIVE: "❔",
    Outcome.INVALID: "⛔",
    Outcome.NOT_APPLICABLE: "➖",
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
        _head(report),
        *banner(report.rows),
        _summary(report.rows),
        *(_family(name, rows, report.pooled) for name, rows in families(report.rows).items()),
        *defects_section(report),
        *_lens_section(report.lens_tables),
        *heatmap_section(report.heatmaps),
        *scatter_section(report.scatters),
        *layer_curves_section(report.layer_curves),
        *curves_section(report.curves),
        *_jobs_section(report.jobs),
        _manifest(report),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _head(report: Report) -> str:
    return (
        f"Made {prose(report.created)} with profile {code(report.profile)} by "
        f"{code(report.command)}.\n\n{_READING}"
    )


def _summary(rows: tuple[Row, ...]) -> str:
    if not rows:
        return "## Summary\n\nNo claim was judged."
    parts = ["## Summary", _counts(rows), "\n".join(_sentences(rows))]
    changed = [f"- {code(r.claim_id)} on {code(r.subject)}: {_moved(r)}" for r in moved(rows)]
    if changed:
        parts.append("**Moved from their pins:**\n\n" + "\n".join(changed))
    differing = [f"- {code(n)}: {prose(', '.join(how))}" for n, how in amended(rows).items()]
    if differing:
        parts.append("**Not as they were registered:**\n\n" + "\n".join(differing))
    return "\n\n".join(parts)


def _moved(row: Row) -> str:
    return f"{row.pinned} before, {row.verdict.outcome.value} now"


def _counts(rows: tuple[Row, ...]) -> str:
    header = ["Subject", *(f"{_MARK[outcome]} {outcome.value}" for outcome in Outcome), "claims"]
    lines = []
    for subject in subjects(rows):
        own = [row for row in rows if row.subject == subject]
        counts = count(own)
        shown = (str(counts[outcome] or "·") for outcome in Outcome)
        lines.append([subject_name(subject), *shown, str(len(own))])
    return table(header, lines, right=" " + "r" * (len(Outcome) + 1))


def _sentences(rows: tuple[Row, ...]) -> Iterator[str]:
    for name, group in families(rows).items():
        for subject in subjects(group):
            sentence = family_sentence(group, subject)
            yield f"- **{prose(name)}** on {subject_name(subject)}: {prose(sentence)}."


def _family(name: str, rows: tuple[Row, ...], pooled: tuple[PooledClaim, ...]) -> str:
    header = ("Claim", "Subject", "n", "Estimate", "Effect", "Region", "Verdict", "Writeup")
    own = {item.claim_id: item for item in pooled if item.claim_id in {r.claim_id for r in rows}}
    lines = [line for group in _claims(rows) for line in _claim_lines(group, own)]
    parts = [f"## {prose(name)}", table(header, lines), *forest(tuple(own.values()))]
    return "\n\n".join([*parts, family_details(rows)])


def _claims(rows: tuple[Row, ...]) -> Iterable[list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.claim_id, []).append(row)
    return groups.values()


def _claim_lines(group: list[Row], pooled: Mapping[str, PooledClaim]) -> Iterator[list[str]]:
    for position, row in enumerate(group):
        yield [_claim(row) if position == 0 else "", *_judged(row)]
    if group[0].claim_id in pooled:
        yield ["", *pooled_cells(pooled[group[0].claim_id])]


def _claim(row: Row) -> str:
    marked = "".join(f" ({tag})" for tag in tags(row)) + _about(row)
    return f"{code(row.claim_id)}{marked}<br>{prose(row.says)}<br><sub>{prose(row.estimand)}</sub>"


def _about(row: Row) -> str:
    return f" (known defect {code(row.quirk)})" if row.quirk else ""


def _judged(row: Row) -> list[str]:
    verdict = row.verdict
    writeup = "" if row.subject == PUBLISHED else wording.published(row.published) or "—"
    return [
        PUBLISHED if row.subject == PUBLISHED else code(row.subject),
        wording.sample(verdict.estimate),
        _estimate(row),
        wording.effect(verdict.estimate.effect) if verdict.estimate else "",
        wording.region(verdict.region),
        f"{_MARK[verdict.outcome]} {verdict.outcome.value}{marked(row)}",
        writeup,
    ]


def _estimate(row: Row) -> str:
    estimate = row.verdict.estimate
    if estimate is None:
        return ""
    if not wording.has_interval(estimate):
        return printed.number(estimate.value)
    return f"{wording.estimate(estimate)}<br><sub>95%: {wording.interval95(estimate)}</sub>"


def _lens_section(tables: tuple[LensTable, ...]) -> Iterator[str]:
    if tables:
        yield "## The writeups' prompts through the lens"
        yield from map(_lens_table, tables)


def _lens_table(item: LensTable) -> str:
    header = ("Prompt", "Before", "p", "After", "p", "Names the operation")
    title = f"### {prose(item.title)}: {code(item.subject)}, layer {item.layer}"
    hits = sum(map(_names_operation, item.rows))
    lines = table(header, map(_lens_line, item.rows), right="  r r ")
    return f"{title}\n\n{lines}\n\n{hits} of {len(item.rows)} after training."


def _names_operation(row: LensRow) -> bool:
    return row.after_token.strip().lower() == row.gold.strip().lower()


def _lens_line(row: LensRow) -> list[str]:
    verdict = "✅" if _names_operation(row) else f"❌ {prose(row.gold)}"
    return [
        token(row.prompt.rstrip()).replace("␣", " "),
        token(row.before_token),
        printed.number(row.before_probability),
        token(row.after_token),
        printed.number(row.after_probability),
        verdict,
    ]


def _jobs_section(jobs: tuple[JobRow, ...]) -> Iterator[str]:
    if not jobs:
        return
    fresh = [job for job in jobs if not job.cached]
    spent = printed.duration(sum(job.seconds for job in fresh))
    header = ("Job", "What", "Time", "tok/s", "From store")
    yield (
        f"## Jobs\n\n{len(jobs)} jobs, {len(fresh)} run now in {spent}, "
        f"{len(jobs) - len(fresh)} taken from the store.\n\n"
        + fold("Every job", iter([table(header, map(_job_line, jobs), right="  rr ")]))
    )


def _job_line(job: JobRow) -> list[str]:
    speed = "" if job.tokens_per_second is None else f"{job.tokens_per_second:,.0f}"
    stored = "yes" if job.cached else ""
    return [
        code(job.digest[:12]),
        prose(job.what),
        printed.duration(job.seconds),
        speed,
        stored,
    ]


def _manifest(report: Report) -> str:
    if not report.manifest:
        return ""
    lines = ([prose(name), prose(value)] for name, value in report.manifest.items())
    return f"## Manifest\n\n{table(('What', 'Which'), lines)}"
