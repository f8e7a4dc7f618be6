"""One claim on one subject: from the evidence a test hands over to the row of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from lazarus_bench.figures import Curves, HeatMap, LayerCurves, Scatter
from lazarus_bench.judge import (
    Claim,
    Control,
    Estimate,
    Evidence,
    Outcome,
    Reported,
    Verdict,
    decide,
    family_level,
    not_applicable,
)
from lazarus_bench.published.records import Finding
from lazarus_bench.report.schema import Explained, LensTable, Row, Secondary


def judge_published(claim: Claim, finding: Finding, family_size: int) -> Verdict:
    """The rule on the writeup's own number.

    A writeup that prints nothing for the estimand gives "not applicable", with its note.
    """
    if finding.evidence is None:
        return not_applicable(claim.region, finding.note)
    return decide(finding.evidence, claim.region, family_size=family_size)


def published_secondary(finding: Finding, family_size: int) -> tuple[Secondary, ...]:
    """The writeups' other numbers for the claim, at the same level."""
    level = family_level(family_size)
    return tuple(
        Secondary(label=other.label, estimate=other.evidence.estimate(level))
        for other in finding.others
    )


@dataclass(kw_only=True)
class Trial:
    """What a test's `judge` fixture is: call it once with the evidence.

    `digest` is the claim's, `amended` how it differs from the registry beside its file.

    `beside` adds numbers that are shown and not judged: controls, other readings of the same
    question.
    """

    claim: Claim
    family_size: int
    digest: str = ""
    amended: tuple[str, ...] = ()
    verdict: Verdict | None = None
    secondary: list[Secondary] = field(default_factory=list)
    tables: list[LensTable] = field(default_factory=list)
    curves: list[Curves] = field(default_factory=list)
    layer_curves: list[LayerCurves] = field(default_factory=list)
    heatmaps: list[HeatMap] = field(default_factory=list)
    scatters: list[Scatter] = field(default_factory=list)
    measured: dict[str, tuple[Estimate, Estimate]] = field(default_factory=dict)

    def __call__(self, evidence: Evidence, controls: Sequence[Control] = ()) -> Verdict:
        """Judge `evidence` by the claim's region; a failed control makes it invalid."""
        if self.verdict is not None:
            raise ValueError(f"{self.claim.id} is judged twice in one test; judge it once")
        self.verdict = decide(
            evidence, self.claim.region, family_size=self.family_size, controls=controls
        )
        return self.verdict

    def beside(self, numbers: Mapping[str, Evidence]) -> None:
        """Show the estimates of `numbers`, by label, beside the verdict."""
        level = family_level(self.family_size)
        self.secondary += [
            Secondary(label=label, estimate=evidence.estimate(level))
            for label, evidence in numbers.items()
        ]

    def explain(self, numbers: Mapping[str, tuple[Evidence, Evidence]]) -> None:
        """Show what a defect explains: evidence with it and without it, by what is measured.

        A number that the finding `explains` under the same name stands beside it.
        """
        if not self.claim.quirk:
            raise ValueError(f"{self.claim.id} is about no defect; register it with quirk=...")
        level = family_level(self.family_size)
        for reads, (on, off) in numbers.items():
            self.measured[reads] = on.estimate(level), off.estimate(level)

    def show(self, item: LensTable | Curves | LayerCurves | HeatMap | Scatter) -> None:
        """Put a table or a drawing into the report, once for each title and subject."""
        if isinstance(item, Curves):
            self.curves.append(item)
        elif isinstance(item, LayerCurves):
            self.layer_curves.append(item)
        elif isinstance(item, HeatMap):
            self.heatmaps.append(item)
        elif isinstance(item, Scatter):
            self.scatters.append(item)
        else:
            self.tables.append(item)


def explained(
    finding: Finding, measured: Mapping[str, tuple[Estimate, Estimate]], family_size: int
) -> tuple[Explained, ...]:
    """The writeups' numbers that a claim about a defect explains, and what was measured of them."""
    level = family_level(family_size)
    printed = {item.label: item.evidence for item in finding.explains}
    found = []
    for reads in dict.fromkeys((*printed, *measured)):
        evidence = printed.get(reads)
        on, off = measured.get(reads, (None, None))
        estimate = None if evidence is None else evidence.estimate(level)
        found.append(
            Explained(reads=reads, published=estimate, on=on, off=off, span=_span(evidence))
        )
    return tuple(found)


def _span(evidence: Evidence | None) -> tuple[float, float] | None:
    """The ends of a printed range; None of everything else."""
    if not isinstance(evidence, Reported) or evidence.low is None or evidence.high is None:
        return None
    return evidence.low, evidence.high


def undecidable(claim: Claim, reason: str, family_size: int) -> Verdict:
    """The verdict of a claim that no outcome of this design could decide; it cost no training."""
    return Verdict(
        outcome=Outcome.INCONCLUSIVE,
        reason=reason,
        estimate=None,
        region=claim.region,
        level=family_level(family_size),
    )


def invalid(claim: Claim, reason: str, family_size: int) -> Verdict:
    """The verdict of a claim whose evidence could not be made."""
    return replace(undecidable(claim, reason, family_size), outcome=Outcome.INVALID)


def make_row(
    claim: Claim,
    subject: str,
    verdict: Verdict,
    published: Verdict,
    *,
    pinned: str | None,
    secondary: Sequence[Secondary],
    digests: Sequence[str],
    seconds: float,
    architecture: str = "",
    claim_digest: str = "",
    amended: tuple[str, ...] = (),
    quirks: Sequence[str] = (),
    explained: Sequence[Explained] = (),
) -> Row:
    """The report's row of one claim on one subject."""
    return Row(
        claim_id=claim.id,
        family=claim.family,
        says=claim.says,
        estimand=claim.estimand,
        source=claim.source,
        subject=subject,
        verdict=verdict,
        published=published,
        pinned=pinned,
        digests=tuple(digests),
        seconds=round(seconds, 3),
        secondary=tuple(secondary),
        published_note=claim.published_note,
        exploratory=claim.exploratory,
        architecture=architecture,
        claim_digest=claim_digest,
        amended=amended,
        quirk=claim.quirk,
        quirks=tuple(quirks),
        explained=tuple(explained),
    )


MOVED = "moved"
FAILABLE = (MOVED, Outcome.REFUTED.value, Outcome.INVALID.value, Outcome.INCONCLUSIVE.value)


def category(row: Row) -> str:
    """What pytest counts the row as: "moved" when its pin says otherwise, else the verdict."""
    verdict = row.verdict.outcome.value
    return verdict if row.pinned in (None, verdict) else MOVED


def fails(row: Row, fail_on: Sequence[str]) -> bool:
    """Whether the row sets the exit code: a pinned verdict only when it moved."""
    found = category(row)
    return found in fail_on and (row.pinned is None or found == MOVED)
