"""A comparison as Markdown: lists and no tables, since a terminal shows it too."""

from __future__ import annotations

from collections.abc import Iterator

from lazarus_bench.report import wording
from lazarus_bench.report.defects import marked
from lazarus_bench.report.diff.compare import Comparison, Pair
from lazarus_bench.report.diff.reasons import Reason
from lazarus_bench.report.escaping import code, prose
from lazarus_bench.report.rows import Report, Row
from lazarus_bench.report.summary import subject_name


def render_diff(found: Comparison, *, everything: bool = False) -> str:
    """Render a comparison as Markdown, ending in a newline.

    With `everything`, estimates that changed and left their verdicts where they were are listed.
    """
    sections = [
        f"# {headline(found)}",
        f"- before: {_run(found.old)}\n- after: {_run(found.new)}",
        *("\n".join(_lines(pair, found.runs)) for pair in found.changed),
        *_unpaired("Only in the newer report", found.come),
        *_unpaired("Only in the older report", found.gone),
        *_reestimated(found, everything),
        *_amended(found),
        *_runs(found),
    ]
    return "\n\n".join(sections) + "\n"


def headline(found: Comparison) -> str:
    """Say in a few words whether anything moved."""
    total = len(found.changed) + len(found.reestimated) + found.same
    if not found.moved:
        return f"Nothing moved: {_many(total, 'verdict')} compared"
    moved = f"{len(found.changed)} of {_many(total, 'verdict')} moved"
    rest = {"new": len(found.come), "gone": len(found.gone)}
    return ", ".join([moved, *(f"{count} {what}" for what, count in rest.items() if count)])


def _run(report: Report) -> str:
    revision = report.manifest.get("revision")
    at = f", revision {code(revision)}" if revision else ""
    return f"{prose(report.created)}, profile {code(report.profile)}{at}"


def _lines(pair: Pair, runs: tuple[Reason, ...]) -> Iterator[str]:
    assert pair.old is not None
    assert pair.new is not None
    before, after = pair.outcomes
    name = f"{code(pair.row.claim_id)} on {subject_name(pair.row.subject)}"
    yield f"- **{name}: {before} → {after}**{marked(pair.row)}"
    yield f"  - before: {_estimated(pair.old)}"
    yield f"  - after: {_estimated(pair.new)}"
    yield f"  - why: {_why(pair, runs)}"


def _estimated(row: Row) -> str:
    estimate = row.verdict.estimate
    if estimate is None:
        return prose(row.verdict.reason)
    region = wording.region(row.verdict.region)
    return f"{wording.estimate(estimate)}, {wording.sample(estimate)}, region {region}"


def _why(pair: Pair, runs: tuple[Reason, ...]) -> str:
    """What differs for the pair itself and, in a word each, for the runs: the end lists those."""
    own = [reason.text for reason in pair.reasons if reason not in runs]
    shared = dict.fromkeys(reason.kind for reason in pair.reasons if reason in runs)
    told = [f"between the runs: {', '.join(shared)}"] if shared else []
    return prose("; ".join([*own, *told]))


def _unpaired(title: str, pairs: tuple[Pair, ...]) -> Iterator[str]:
    """A line for each claim: a report of one family alone lacks all the others."""
    if not pairs:
        return
    verdicts: dict[tuple[str, str], list[str]] = {}
    for pair in pairs:
        why = "; ".join(reason.text for reason in pair.reasons)
        told = f"{subject_name(pair.row.subject)} {pair.row.verdict.outcome.value}"
        told += marked(pair.row)
        verdicts.setdefault((pair.row.claim_id, why), []).append(told)
    yield f"## {title}: {_many(len(pairs), 'verdict')}"
    yield "\n".join(
        f"- {code(name)}, {why}: {', '.join(told)}" for (name, why), told in verdicts.items()
    )


def _reestimated(found: Comparison, everything: bool) -> Iterator[str]:
    if not found.reestimated:
        return
    count = _many(len(found.reestimated), "further estimate")
    sentence = f"{count} changed and left the verdict where it was"
    if not everything:
        yield f"{sentence} (`--all` lists them)."
        return
    yield f"## {sentence[:1].upper()}{sentence[1:]}"
    yield "\n".join(line for pair in found.reestimated for line in _beside(pair, found.runs))


def _beside(pair: Pair, runs: tuple[Reason, ...]) -> Iterator[str]:
    assert pair.old is not None
    assert pair.new is not None
    old, new = pair.old.verdict.estimate, pair.new.verdict.estimate
    name = f"{code(pair.row.claim_id)} on {subject_name(pair.row.subject)}"
    shown = [wording.estimate(item) if item else "no estimate" for item in (old, new)]
    alike = ", alike to the digits shown" if shown[0] == shown[1] else ""
    yield f"- {name}, {pair.outcomes[1]}: {shown[0]} → {shown[1]}{alike}{marked(pair.row)}"
    yield f"  - why: {_why(pair, runs)}"


def _amended(found: Comparison) -> Iterator[str]:
    if found.amended:
        lines = (f"- {code(name)}: {prose(', '.join(how))}" for name, how in found.amended.items())
        yield "## Claims that were amended\n\n" + "\n".join(lines)


def _runs(found: Comparison) -> Iterator[str]:
    if not found.runs or not (found.moved or found.reestimated):
        return
    lines = "\n".join(f"- {prose(reason.text)}" for reason in found.runs)
    yield f"## What differs between the runs\n\n{lines}"


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
