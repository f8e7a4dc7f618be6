"""A comparison as Markdown, as JSON values, and as annotations of GitHub Actions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lazarus_bench.codec import to_plain
from lazarus_bench.report import wording
from lazarus_bench.report.defects import marked
from lazarus_bench.report.diff.compare import Comparison, Pair
from lazarus_bench.report.escaping import code, prose
from lazarus_bench.report.rows import Report, Row
from lazarus_bench.report.summary import subject_name

VERSION = 1
"""Of the JSON values."""


def render_diff(found: Comparison, *, everything: bool = False) -> str:
    """Render a comparison as Markdown, ending in a newline.

    Lists and no tables, since a terminal shows it too. With `everything`, estimates that changed
    and left their verdicts as they were are listed.
    """
    sections = [
        f"# {headline(found)}",
        f"- before: {_run(found.old)}\n- after: {_run(found.new)}",
        *(_change(found, pair) for pair in found.changed),
        *_unpaired("Only in the newer report", found.come),
        *_unpaired("Only in the older report", found.gone),
        *_reestimated(found, everything),
    ]
    if found.amended:
        lines = (f"- {code(name)}: {prose(', '.join(how))}" for name, how in found.amended.items())
        sections.append("## Claims that were amended\n\n" + "\n".join(lines))
    if found.runs and (found.moved or found.reestimated):
        lines = (f"- {prose(reason.text)}" for reason in found.runs)
        sections.append("## What differs between the runs\n\n" + "\n".join(lines))
    return "\n\n".join(sections) + "\n"


def headline(found: Comparison) -> str:
    """Say in a few words whether anything moved."""
    total = _many(len(found.changed) + len(found.reestimated) + found.same, "verdict")
    if not found.moved:
        return f"Nothing moved: {total} compared"
    rest = {"new": len(found.come), "gone": len(found.gone)}
    parts = [f"{len(found.changed)} of {total} moved"]
    return ", ".join([*parts, *(f"{count} {what}" for what, count in rest.items() if count)])


def _run(report: Report) -> str:
    revision = report.manifest.get("revision")
    at = f", revision {code(revision)}" if revision else ""
    return f"{prose(report.created)}, profile {code(report.profile)}{at}"


def _name(pair: Pair) -> str:
    return f"{code(pair.row.claim_id)} on {subject_name(pair.row.subject)}"


def _change(found: Comparison, pair: Pair) -> str:
    before, after = pair.outcomes
    old, new = map(_estimated, pair.both)
    return (
        f"- **{_name(pair)}: {before} → {after}**{marked(pair.row)}\n"
        f"  - before: {old}\n  - after: {new}\n  - why: {_why(found, pair)}"
    )


def _estimated(row: Row) -> str:
    estimate = row.verdict.estimate
    if estimate is None:
        return prose(row.verdict.reason)
    region = wording.region(row.verdict.region)
    return f"{wording.estimate(estimate)}, {wording.sample(estimate)}, region {region}"


def _why(found: Comparison, pair: Pair) -> str:
    """What differs for the pair itself and, in a word each, for the runs, which are listed last."""
    parts = [reason.text for reason in pair.reasons if reason not in found.runs]
    shared = dict.fromkeys(reason.kind for reason in pair.reasons if reason in found.runs)
    if shared:
        parts.append(f"between the runs: {', '.join(shared)}")
    return prose("; ".join(parts))


def _unpaired(title: str, pairs: tuple[Pair, ...]) -> Iterator[str]:
    """A line for each claim: a report of one family alone lacks all the others."""
    if not pairs:
        return
    verdicts: dict[tuple[str, str], list[str]] = {}
    for pair in pairs:
        why = "; ".join(reason.text for reason in pair.reasons)
        outcome = f"{pair.row.verdict.outcome.value}{marked(pair.row)}"
        own = verdicts.setdefault((pair.row.claim_id, why), [])
        own.append(f"{subject_name(pair.row.subject)} {outcome}")
    lines = (f"- {code(name)}, {why}: {', '.join(own)}" for (name, why), own in verdicts.items())
    yield f"## {title}: {_many(len(pairs), 'verdict')}"
    yield "\n".join(lines)


def _reestimated(found: Comparison, everything: bool) -> Iterator[str]:
    if not found.reestimated:
        return
    count = _many(len(found.reestimated), "further estimate")
    sentence = f"{count} changed and left the verdict where it was"
    if not everything:
        yield f"{sentence} (`--all` lists them)."
        return
    yield f"## {sentence}"
    lines = []
    for pair in found.reestimated:
        estimates = (row.verdict.estimate for row in pair.both)
        old, new = (wording.estimate(item) if item else "no estimate" for item in estimates)
        alike = ", alike to the digits shown" if old == new else ""
        after = f"{pair.outcomes[1]}: {old} → {new}{alike}{marked(pair.row)}"
        lines += [f"- {_name(pair)}, {after}", f"  - why: {_why(found, pair)}"]
    yield "\n".join(lines)


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def to_dict(found: Comparison) -> dict[str, Any]:
    """Turn a comparison into plain JSON values; numbers that JSON lacks travel as strings."""
    return {
        "diff": VERSION,
        "old": _run_values(found.old),
        "new": _run_values(found.new),
        "runs": to_plain(found.runs),
        "moved": [_pair_values(pair) for pair in found.moved],
        "reestimated": [_pair_values(pair) for pair in found.reestimated],
        "same": found.same,
        "amended": {name: list(how) for name, how in found.amended.items()},
    }


def _run_values(report: Report) -> dict[str, Any]:
    about = ("created", "profile", "command")
    return {name: getattr(report, name) for name in about} | {"manifest": dict(report.manifest)}


def _pair_values(pair: Pair) -> dict[str, Any]:
    return {
        "claim": pair.row.claim_id,
        "subject": pair.row.subject,
        "old": _row_values(pair.old),
        "new": _row_values(pair.new),
        "reasons": to_plain(pair.reasons),
    }


def _row_values(row: Row | None) -> dict[str, Any] | None:
    if row is None:
        return None
    verdict, values = to_plain(row.verdict), to_plain(row)
    kept = {name: verdict[name] for name in ("outcome", "reason", "estimate", "region", "level")}
    return kept | {name: values[name] for name in ("claim_digest", "digests", "quirks")}


def annotation(pair: Pair, file: str, line: int | None = None) -> str:
    """A warning for GitHub Actions about one verdict that changed, at a place in the repository.

    Source of the form and of what is escaped: GitHub's "Workflow commands" and the runner's
    `ActionCommand`, which reads `%25`, `%0D`, `%0A` everywhere and `%3A`, `%2C` in properties.
    """
    before, after = pair.outcomes
    place = {"file": file, "line": line, "title": f"{pair.row.claim_id}: {before} → {after}"}
    properties = ",".join(
        f"{name}={_escaped(str(value)).replace(':', '%3A').replace(',', '%2C')}"
        for name, value in place.items()
        if value is not None
    )
    old, new = map(_outcome, pair.both)
    why = "; ".join(reason.text for reason in pair.reasons)
    message = f"{pair.row.claim_id} on {pair.row.subject}: {old} → {new}. Why: {why}"
    return f"::warning {properties}::{_escaped(message)}"


def _outcome(row: Row) -> str:
    estimate = row.verdict.estimate
    number = f" ({wording.estimate(estimate)})" if estimate else ""
    odd = f", with the known defect {', '.join(row.quirks)}" if row.quirks else ""
    return f"{row.verdict.outcome.value}{number}{odd}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
