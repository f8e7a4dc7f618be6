"""What differs on record between two runs, and between the two rows of one verdict.

Whatever differs may be why a verdict moved; what of it was the cause a report cannot know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lazarus_bench.judge import Estimate, Verdict
from lazarus_bench.report import wording
from lazarus_bench.report.defects import IN_MANIFEST
from lazarus_bench.report.rows import Report, Row
from lazarus_bench.report.summary import PUBLISHED

_CODE = ("revision", "lazarus-bench")
_MACHINE = ("device", "blas", "system", "dtype")
_DATA = "data "
_UNCOMMITTED = "+changes"
_SHORT_DIGEST = 12
_NAMED = 3
_SEED = re.compile(r" seed \d+$")


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


def of_runs(old: Report, new: Report) -> tuple[Reason, ...]:
    """What differs between two runs as a whole."""
    manifests = tuple(_manifests(old.manifest, new.manifest))
    if old.profile == new.profile:
        return manifests
    return (_changed("profile", "profile", old.profile, new.profile), *manifests)


def _changed(kind: str, name: str, old: object, new: object) -> Reason:
    return Reason(kind=kind, text=f"{name} {old} → {new}")


def _manifests(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Reason]:
    for name in dict.fromkeys((*_CODE, *_MACHINE, *new, *old)):
        if name.startswith(IN_MANIFEST):  # each row that it is about says so itself
            continue
        before, after = old.get(name), new.get(name)
        if before != after:
            yield _changed(_kind(name), name, before or "not recorded", after or "not recorded")
        elif name == "revision" and str(after).endswith(_UNCOMMITTED):
            yield Reason(kind="code", text=f"revision {after}, whose changes may differ")


def _kind(name: str) -> str:
    if name in _CODE:
        return "code"
    if name in _MACHINE:
        return "machine"
    return "data" if name.startswith(_DATA) else "versions"


def unpaired(row: Row, other: Report, verb: str) -> Reason:
    """Why only one report has a row: the `other` lacks its claim, its subject, or both together.

    `verb` is "added" or "removed".
    """
    if row.claim_id not in {r.claim_id for r in other.rows}:
        return Reason(kind=verb, text=f"claim {verb}")
    if row.subject not in {r.subject for r in other.rows}:
        return Reason(kind=verb, text=f"subject {verb}")
    return Reason(kind=verb, text=f"{verb} for this subject")


def of_pair(
    old: Row, new: Row, before: Report, after: Report, runs: tuple[Reason, ...]
) -> tuple[Reason, ...]:
    """What differs between two rows of one claim on one subject, of the reports before and after.

    What differs between the runs comes last; a published number has no trainings, so its
    verdict depends on no device and no profile.
    """
    own = [*_claim(old, new), *_quirks(old, new)]
    own += [*_design(old.verdict, new.verdict), *_controls(old, new)]
    counts = {reason.kind for reason in own} & {"seeds"}
    own += _trainings(old, new, before, after, seeds_differ=bool(counts))
    if old.architecture and new.architecture and old.architecture != new.architecture:
        own.append(_changed("model", "architecture", old.architecture, new.architecture))
    shared = [r for r in runs if new.subject != PUBLISHED or r.kind in ("code", "versions")]
    nothing = Reason(kind="unknown", text="nothing on record differs")
    return tuple([*own, *shared] or [nothing])


def amendments(old: Row, new: Row) -> Iterator[str]:
    """In what the claims of two rows differ, as far as a report tells."""
    found = [name for name in ("says", "estimand") if getattr(old, name) != getattr(new, name)]
    yield from ("what it says" if name == "says" else "its estimand" for name in found)
    if old.verdict.region != new.verdict.region:
        regions = (wording.region(row.verdict.region) for row in (old, new))
        yield "region {} → {}".format(*regions)
    if old.verdict.level != new.verdict.level and old.verdict.estimate and new.verdict.estimate:
        yield f"level {old.verdict.level:.4g} → {new.verdict.level:.4g}"
    digests = (old.claim_digest[:_SHORT_DIGEST], new.claim_digest[:_SHORT_DIGEST])
    if all(digests) and digests[0] != digests[1]:
        yield "digest {} → {}".format(*digests)


def _claim(old: Row, new: Row) -> Iterator[Reason]:
    found = ", ".join(amendments(old, new))
    if found:
        yield Reason(kind="claim", text=f"claim amended: {found}")


def _quirks(old: Row, new: Row) -> Iterator[Reason]:
    """Known defects of the public source that one row was judged with and the other was not.

    Of a training its digest tells, too; a defect of reading stands nowhere else.
    """
    if set(old.quirks) != set(new.quirks):
        before, after = (", ".join(row.quirks) or "none" for row in (old, new))
        yield _changed("quirks", "known defects switched on:", before, after)


def _design(old: Verdict, new: Verdict) -> Iterator[Reason]:
    if old.estimate is None or new.estimate is None:
        return
    for kind, name in (("seeds", "seeds"), ("prompts", "prompts"), ("estimator", "method")):
        before, after = getattr(old.estimate, name), getattr(new.estimate, name)
        if before != after:
            yield _changed(kind, _counted(kind, new.estimate), before, after)


def _counted(kind: str, estimate: Estimate) -> str:
    return estimate.items if kind == "prompts" else kind


def _controls(old: Row, new: Row) -> Iterator[Reason]:
    before = {control.name: control.passed for control in old.verdict.controls}
    after = {control.name: control.passed for control in new.verdict.controls}
    for name in dict.fromkeys((*after, *before)):
        if before.get(name) != after.get(name):
            yield _changed(
                "control", f"control “{name}”", _passed(before.get(name)), _passed(after.get(name))
            )


def _passed(passed: bool | None) -> str:
    return "absent" if passed is None else "passed" if passed else "failed"


def _trainings(
    old: Row, new: Row, before: Report, after: Report, *, seeds_differ: bool
) -> Iterator[Reason]:
    gone = [digest for digest in old.digests if digest not in new.digests]
    come = [digest for digest in new.digests if digest not in old.digests]
    if gone and come:
        text = f"{len(come)} of {len(new.digests)} trainings have other digests"
        yield Reason(kind="trainings", text=text + _what(come, after))
    elif (gone or come) and not seeds_differ:
        many, word = (len(gone), "fewer") if gone else (len(come), "more")
        trainings = "1 training" if many == 1 else f"{many} trainings"
        named = _what(gone, before) if gone else _what(come, after)
        yield Reason(kind="trainings", text=f"{trainings} {word}{named}")


def _what(digests: list[str], report: Report) -> str:
    labels = {job.digest: _SEED.sub("", job.what) for job in report.jobs}
    names = list(dict.fromkeys(labels[digest] for digest in digests if digest in labels))
    if len(names) > _NAMED:
        names = [*names[:_NAMED], f"{len(names) - _NAMED} more kinds"]
    return f" ({', '.join(names)})" if names else ""
