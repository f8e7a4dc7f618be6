"""Which verdicts moved between two reports, and what on record may be why.

A verdict has moved when its outcome differs, or when only one of the reports has it. Another
estimate with the same outcome has not moved a verdict; it is kept apart. Whatever differs between
two runs may be why a verdict moved; a report cannot know which of it was the cause.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from lazarus_bench.report import wording
from lazarus_bench.report.defects import IN_MANIFEST
from lazarus_bench.report.rows import Report, Row
from lazarus_bench.report.summary import PUBLISHED

_CODE = ("revision", "lazarus-bench")
_MACHINE = ("device", "blas", "system", "dtype")
_NAMED = 3
"""How many kinds of trainings a reason names."""


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One difference.

    Attributes:
        kind: "claim", "quirks", "seeds", "prompts", "estimator", "control", "trainings", "model",
            "profile", "code", "machine", "versions", "data", "added", "removed" or "unknown".
        text: What it was and what it is.
    """

    kind: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One claim on one subject in both reports; None where a report lacks it.

    Attributes:
        old: Its row in the older report.
        new: Its row in the newer one.
        reasons: What differs on record between the two, and may be why.
    """

    old: Row | None
    new: Row | None
    reasons: tuple[Reason, ...] = ()

    @property
    def row(self) -> Row:
        """A row of it: the newer where there is one."""
        row = self.new or self.old
        assert row is not None
        return row

    @property
    def both(self) -> tuple[Row, Row]:
        """The rows before and after, of a pair that both reports have."""
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
    """Two reports and what differs.

    Attributes:
        old: The older report.
        new: The newer one.
        moved: Verdicts that moved, in the order of the newer report, those that are gone last.
        reestimated: The same verdict from another estimate or interval.
        same: How many verdicts rest on the same numbers.
        amended: Claims in both reports that were amended, each with how they differ.
        runs: What differs between the runs as a whole: profile, code, machine, versions, data.
    """

    old: Report
    new: Report
    moved: tuple[Pair, ...]
    reestimated: tuple[Pair, ...]
    same: int
    amended: Mapping[str, tuple[str, ...]]
    runs: tuple[Reason, ...]

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
        if pair.old is None:
            return replace(pair, reasons=(_unpaired(pair.row, old, "added"),))
        if pair.new is None:
            return replace(pair, reasons=(_unpaired(pair.row, new, "removed"),))
        return replace(pair, reasons=_pair_differences(pair, old, new, runs))

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
        same=len(pairs) - len(moved) - len(reestimated),
        amended={name: tuple(how) for name, how in amended.items() if how},
        runs=runs,
    )


def _changed(kind: str, name: str, old: object, new: object) -> Reason:
    return Reason(kind=kind, text=f"{name} {old} → {new}")


def _run_differences(old: Report, new: Report) -> Iterator[Reason]:
    """What differs between two runs as a whole: the profile, then line by line their manifests."""
    if old.profile != new.profile:
        yield _changed("profile", "profile", old.profile, new.profile)
    for name in dict.fromkeys((*_CODE, *_MACHINE, *new.manifest, *old.manifest)):
        if name.startswith(IN_MANIFEST):  # the rows concerned say so themselves
            continue
        before, after = old.manifest.get(name), new.manifest.get(name)
        if before != after:
            if name in _CODE:
                kind = "code"
            elif name in _MACHINE:
                kind = "machine"
            else:
                kind = "data" if name.startswith("data ") else "versions"
            yield _changed(kind, name, before or "not recorded", after or "not recorded")
        elif name == "revision" and str(after).endswith("+changes"):
            yield Reason(kind="code", text=f"revision {after}, whose changes may differ")


def _unpaired(row: Row, other: Report, verb: str) -> Reason:
    """Why only one report has a row: the `other` lacks its claim, its subject, or the two as one.

    `verb` is "added" or "removed".
    """
    if row.claim_id not in {r.claim_id for r in other.rows}:
        return Reason(kind=verb, text=f"claim {verb}")
    if row.subject not in {r.subject for r in other.rows}:
        return Reason(kind=verb, text=f"subject {verb}")
    return Reason(kind=verb, text=f"{verb} for this subject")


def _pair_differences(
    pair: Pair, before: Report, after: Report, runs: tuple[Reason, ...]
) -> tuple[Reason, ...]:
    """What differs between two rows of one claim on one subject; what differs between runs is last.

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
    """How the claims of two rows differ, as far as a report knows."""
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
    if before.seeds != after.seeds:
        yield _changed("seeds", "seeds", before.seeds, after.seeds)
    if before.prompts != after.prompts:
        yield _changed("prompts", after.items, before.prompts, after.prompts)
    if before.method != after.method:
        yield _changed("estimator", "estimator", before.method, after.method)


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
