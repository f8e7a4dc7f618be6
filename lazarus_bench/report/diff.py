"""Two reports compared: the verdicts that moved, from which estimate to which, and why.

A verdict has moved when its outcome differs, or when only one of the reports has it. Another
estimate with the same outcome is listed apart. Each difference between two runs may be the reason
for a moved verdict; a report cannot know which one was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lazarus_bench.codec import to_plain
from lazarus_bench.report import printed, wording
from lazarus_bench.report.defects import IN_MANIFEST, marked
from lazarus_bench.report.markup import code, prose
from lazarus_bench.report.schema import Report, Row
from lazarus_bench.report.summary import PUBLISHED, subject_name

_KINDS = dict.fromkeys(("revision", "lazarus-bench"), "code") | dict.fromkeys(
    ("device", "blas", "system", "dtype"), "machine"
)
_NAMED = 3
"""How many kinds of trainings a reason names."""


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One difference: its kind, such as "claim", "seeds", "code" or "unknown", in words."""

    kind: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The rows of one claim on one subject, None in a report without it, and why they differ."""

    old: Row | None
    new: Row | None
    reasons: tuple[Reason, ...] = ()

    @property
    def row(self) -> Row:
        """The newer row, or the older where there is no newer."""
        row = self.new or self.old
        assert row is not None
        return row

    @property
    def both(self) -> tuple[Row, Row]:
        """The rows of a pair that both reports have."""
        assert self.old is not None
        assert self.new is not None
        return self.old, self.new

    @property
    def outcomes(self) -> tuple[str | None, str | None]:
        """The verdict before and after; None where a report lacks it."""
        rows = (self.old, self.new)
        old, new = (None if row is None else row.verdict.outcome.value for row in rows)
        return old, new

    @property
    def moved(self) -> bool:
        """Whether the verdict differs, or only one report has it."""
        before, after = self.outcomes
        return before != after

    @property
    def reestimated(self) -> bool:
        """Whether the verdict is the same but its estimate or interval differs."""
        if self.moved:
            return False
        found = [row.verdict.estimate for row in self.both]
        # Printed, since NaN does not equal NaN.
        old, new = (repr(item and (item.value, item.interval)) for item in found)
        return old != new


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two reports and their differences.

    `moved` keeps the order of the newer report, verdicts that are gone last; `unmoved` are the
    verdicts with the same numbers; `amended` maps claims in both reports to their differences, and
    `runs` has the differences of the runs as a whole.
    """

    old: Report
    new: Report
    moved: tuple[Pair, ...]
    reestimated: tuple[Pair, ...]
    unmoved: tuple[Pair, ...]
    amended: Mapping[str, tuple[str, ...]]
    runs: tuple[Reason, ...]

    @property
    def same(self) -> int:
        """How many verdicts have the same numbers."""
        return len(self.unmoved)

    @property
    def changed(self) -> tuple[Pair, ...]:
        """Verdicts that both reports have and that differ."""
        return tuple(pair for pair in self.moved if pair.old and pair.new)

    @property
    def come(self) -> tuple[Pair, ...]:
        """Verdicts that only the newer report has."""
        return tuple(pair for pair in self.moved if pair.old is None)

    @property
    def gone(self) -> tuple[Pair, ...]:
        """Verdicts that only the older report has."""
        return tuple(pair for pair in self.moved if pair.new is None)


def compare(old: Report, new: Report) -> Comparison:
    """Compare two reports claim by claim and subject by subject."""
    before = {(row.claim_id, row.subject): row for row in old.rows}
    pairs = [Pair(old=before.pop((r.claim_id, r.subject), None), new=r) for r in new.rows]
    pairs += [Pair(old=row, new=None) for row in before.values()]
    runs = tuple(_run_differences(old, new))

    def explained(pair: Pair) -> Pair:
        if pair.old and pair.new:
            return replace(pair, reasons=_pair_differences(pair, old, new, runs))
        # The report without the row lacks its claim, its subject, or the two together.
        verb, other = ("added", old) if pair.new else ("removed", new)
        text = f"{verb} for this subject"
        if pair.row.claim_id not in {row.claim_id for row in other.rows}:
            text = f"claim {verb}"
        elif pair.row.subject not in {row.subject for row in other.rows}:
            text = f"subject {verb}"
        return replace(pair, reasons=(Reason(kind=verb, text=text),))

    moved = tuple(explained(pair) for pair in pairs if pair.moved)
    reestimated = tuple(explained(pair) for pair in pairs if pair.reestimated)
    amended: dict[str, dict[str, None]] = {}
    for pair in pairs:
        if pair.old and pair.new:
            own = amended.setdefault(pair.new.claim_id, {})
            own |= dict.fromkeys(_amendments(pair.old, pair.new))
    return Comparison(
        old=old,
        new=new,
        moved=moved,
        reestimated=reestimated,
        unmoved=tuple(pair for pair in pairs if not (pair.moved or pair.reestimated)),
        amended={name: tuple(how) for name, how in amended.items() if how},
        runs=runs,
    )


def _changed(kind: str, name: str, old: object, new: object) -> Reason:
    return Reason(kind=kind, text=f"{name} {old} → {new}")


def _run_differences(old: Report, new: Report) -> Iterator[Reason]:
    """The differences of two runs as a whole: the profile, then the lines of the manifests."""
    if old.profile != new.profile:
        yield _changed("profile", "profile", old.profile, new.profile)
    for name in dict.fromkeys((*_KINDS, *new.manifest, *old.manifest)):
        if name.startswith(IN_MANIFEST):  # the rows concerned say so themselves
            continue
        before, after = old.manifest.get(name), new.manifest.get(name)
        if before != after:
            other = "data" if name.startswith("data ") else "versions"
            yield _changed(
                _KINDS.get(name, other), name, before or "not recorded", after or "not recorded"
            )
        elif name == "revision" and str(after).endswith("+changes"):
            yield Reason(kind="code", text=f"revision {after}, whose changes may differ")


def _pair_differences(
    pair: Pair, before: Report, after: Report, runs: tuple[Reason, ...]
) -> tuple[Reason, ...]:
    """The differences of two rows of one claim on one subject, those of the runs last.

    A published number has no trainings, so its verdict depends on no device and no profile.
    """
    old, new = pair.both
    own = []
    amended = ", ".join(_amendments(old, new))
    if amended:
        own.append(Reason(kind="claim", text=f"claim amended: {amended}"))
    # The digest of a training covers its defects; a defect of reading is recorded here only.
    if set(old.quirks) != set(new.quirks):
        was, now = (", ".join(row.quirks) or "none" for row in (old, new))
        own.append(_changed("quirks", "known defects switched on:", was, now))
    design = [*_design(old, new)]
    own += [*design, *_controls(old, new)]
    more_seeds = any(reason.kind == "seeds" for reason in design)
    own += _trainings(old, new, before, after, more_seeds=more_seeds)
    if old.architecture and new.architecture and old.architecture != new.architecture:
        own.append(_changed("model", "architecture", old.architecture, new.architecture))
    own += [r for r in runs if new.subject != PUBLISHED or r.kind in ("code", "versions")]
    return tuple(own) or (Reason(kind="unknown", text="nothing on record differs"),)


def _amendments(old: Row, new: Row) -> Iterator[str]:
    """The differences of the claims of two rows, as far as reports record them."""
    if old.says != new.says:
        yield "what it says"
    if old.estimand != new.estimand:
        yield "its estimand"
    if old.verdict.region != new.verdict.region:
        yield "region {} → {}".format(*(wording.region(r.verdict.region) for r in (old, new)))
    if old.verdict.level != new.verdict.level and old.verdict.estimate and new.verdict.estimate:
        yield f"level {old.verdict.level:.4g} → {new.verdict.level:.4g}"
    digests = [row.claim_digest[:12] for row in (old, new)]
    if all(digests) and digests[0] != digests[1]:
        yield "digest {} → {}".format(*digests)


def _design(old: Row, new: Row) -> Iterator[Reason]:
    before, after = old.verdict.estimate, new.verdict.estimate
    if before is None or after is None:
        return
    for kind, name, field in (
        ("seeds", "seeds", "seeds"),
        ("prompts", after.items.partition(" in ")[0], "prompts"),
        ("estimator", "estimator", "method"),
    ):
        if getattr(before, field) != getattr(after, field):
            yield _changed(kind, name, getattr(before, field), getattr(after, field))


def _controls(old: Row, new: Row) -> Iterator[Reason]:
    before, after = (
        {control.name: "passed" if control.passed else "failed" for control in row.verdict.controls}
        for row in (old, new)
    )
    for name in dict.fromkeys((*after, *before)):
        was, now = before.get(name, "absent"), after.get(name, "absent")
        if was != now:
            yield _changed("control", f"control “{name}”", was, now)


def _trainings(
    old: Row, new: Row, before: Report, after: Report, *, more_seeds: bool
) -> Iterator[Reason]:
    gone = [digest for digest in old.digests if digest not in new.digests]
    come = [digest for digest in new.digests if digest not in old.digests]
    if gone and come:
        text = f"{len(come)} of {len(new.digests)} trainings have other digests"
        yield Reason(kind="trainings", text=text + _labels(come, after))
    elif (gone or come) and not more_seeds:
        many, word, report = (gone, "fewer", before) if gone else (come, "more", after)
        trainings = "1 training" if len(many) == 1 else f"{len(many)} trainings"
        yield Reason(kind="trainings", text=f"{trainings} {word}{_labels(many, report)}")


def _labels(digests: list[str], report: Report) -> str:
    labels = {job.digest: re.sub(r" seed \d+$", "", job.what) for job in report.jobs}
    names = list(dict.fromkeys(labels[digest] for digest in digests if digest in labels))
    if len(names) > _NAMED:
        names = [*names[:_NAMED], f"{len(names) - _NAMED} more kinds"]
    return f" ({', '.join(names)})" if names else ""


VERSION = 1
"""Of the JSON values."""


def render_diff(found: Comparison, *, everything: bool = False) -> str:
    """Render a comparison as Markdown, ending in a newline; lists alone, for a terminal shows it.

    With `everything`, estimates that changed without moving a verdict are listed.
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
    total = printed.many(len(found.changed) + len(found.reestimated) + found.same, "verdict")
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
    shown = []
    for row in pair.both:
        estimate, region = row.verdict.estimate, wording.region(row.verdict.region)
        known = estimate and f"{wording.estimate(estimate)}, {prose(wording.sample(estimate))}"
        shown.append(f"{known}, region {region}" if known else prose(row.verdict.reason))
    return (
        f"- **{_name(pair)}: {before} → {after}**{marked(pair.row)}\n"
        f"  - before: {shown[0]}\n  - after: {shown[1]}\n  - why: {_why(found, pair)}"
    )


def _why(found: Comparison, pair: Pair) -> str:
    """The pair's own differences and, in a word each, those of the runs."""
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
    lines = (
        f"- {code(name)}, {prose(why)}: {', '.join(own)}" for (name, why), own in verdicts.items()
    )
    yield f"## {title}: {printed.many(len(pairs), 'verdict')}"
    yield "\n".join(lines)


def _reestimated(found: Comparison, everything: bool) -> Iterator[str]:
    if not found.reestimated:
        return
    count = printed.many(len(found.reestimated), "further estimate")
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


def to_dict(found: Comparison) -> dict[str, Any]:
    """Turn a comparison into plain JSON values."""

    def run(report: Report) -> dict[str, Any]:
        names = ("created", "profile", "command", "manifest")
        return {name: to_plain(getattr(report, name)) for name in names}

    def row(row: Row | None) -> dict[str, Any] | None:
        if row is None:
            return None
        judged = {"outcome", "reason", "estimate", "region", "level"}
        kept = {name: item for name, item in to_plain(row.verdict).items() if name in judged}
        values = to_plain(row)
        return kept | {name: values[name] for name in ("claim_digest", "digests", "quirks")}

    def pairs(pairs: tuple[Pair, ...]) -> list[dict[str, Any]]:
        return [
            {
                "claim": pair.row.claim_id,
                "subject": pair.row.subject,
                "old": row(pair.old),
                "new": row(pair.new),
                "reasons": to_plain(pair.reasons),
            }
            for pair in pairs
        ]

    return {
        "schema": VERSION,
        "kind": "diff",
        "old": run(found.old),
        "new": run(found.new),
        "runs": to_plain(found.runs),
        "moved": pairs(found.moved),
        "reestimated": pairs(found.reestimated),
        "same": found.same,
        "amended": {name: list(how) for name, how in found.amended.items()},
    }


def annotation(pair: Pair, file: str, line: int | None = None) -> str:
    """A warning for GitHub Actions about one verdict that changed, at a place in the repository.

    Source: GitHub's "Workflow commands" and the runner's `ActionCommand`, which decodes `%25`,
    `%0D`, `%0A` everywhere and `%3A`, `%2C` in properties.
    """
    before, after = pair.outcomes
    place = {"file": file, "line": line, "title": f"{pair.row.claim_id}: {before} → {after}"}
    properties = ",".join(
        f"{name}={_escaped(str(value)).replace(':', '%3A').replace(',', '%2C')}"
        for name, value in place.items()
        if value is not None
    )
    told = []
    for row in pair.both:
        estimate = row.verdict.estimate
        number = f" ({wording.estimate(estimate)})" if estimate else ""
        odd = f", with the known defect {', '.join(row.quirks)}" if row.quirks else ""
        told.append(f"{row.verdict.outcome.value}{number}{odd}")
    why = "; ".join(reason.text for reason in pair.reasons)
    message = f"{pair.row.claim_id} on {pair.row.subject}: {' → '.join(told)}. Why: {why}"
    return f"::warning {properties}::{_escaped(message)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
