"""Verdicts: where the interval falls relative to the region."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from lazarus_bench.judge.evidence import Estimate, Evidence
from lazarus_bench.judge.region import Region

ALPHA = 0.05

RULE = (
    "supported when the interval lies wholly inside the region, refuted when wholly outside, else "
    "inconclusive; invalid when a control failed; two-sided level 1 - 2*alpha/family size"
)
"""What `decide` does, in words that every claim's digest covers: change both or neither."""


class Outcome(StrEnum):
    """What became of a claim."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, kw_only=True)
class Control:
    """A check without which the evidence means nothing.

    Attributes:
        name: what was checked.
        value: what it showed.
        expectation: what it had to show, in words.
        passed: whether it did.
    """

    name: str
    value: float
    expectation: str
    passed: bool

    def __post_init__(self) -> None:
        # A comparison of numpy numbers gives numpy's own bool, which is no JSON.
        object.__setattr__(self, "value", float(self.value))
        object.__setattr__(self, "passed", bool(self.passed))


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One claim's outcome on one subject.

    Attributes:
        outcome: the outcome.
        reason: one sentence.
        estimate: the estimate behind it, or None when nothing was measured.
        region: the claim's region.
        level: two-sided interval level, 1 − 2·alpha/family size.
        detectable: smallest distance from the region's edge detected with 80% power, or None.
        needed: how large a sample would decide; None unless inconclusive.
        controls: the checks that had to pass.
    """

    outcome: Outcome
    reason: str
    estimate: Estimate | None
    region: Region
    level: float
    detectable: float | None = None
    needed: str | None = None
    controls: tuple[Control, ...] = ()


def family_level(family_size: int, alpha: float = ALPHA) -> float:
    """Return 1 − 2·alpha/family_size: each one-sided error within alpha over the whole family.

    Raises:
        ValueError: for an empty family or an alpha outside (0, 0.5).
    """
    if family_size < 1:
        raise ValueError(f"a family holds at least one claim, not {family_size}")
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha lies between 0 and 0.5, not at {alpha}")
    return 1 - 2 * alpha / family_size


def _reason(outcome: Outcome, estimate: Estimate, region: Region) -> str:
    low, high = estimate.interval.low, estimate.interval.high
    relation = {
        Outcome.SUPPORTED: "lies inside",
        Outcome.REFUTED: "lies outside",
        Outcome.INCONCLUSIVE: "straddles an edge of",
    }[outcome]
    if math.isinf(low) and math.isinf(high):
        return f"there is no interval: {estimate.note}"
    place = f"the interval [{low:.3g}, {high:.3g}]"
    if estimate.scope == "exact":
        place = f"the computed value {estimate.value:.10g}"
    sentence = f"{place} {relation} {region.describe()}"
    if estimate.note:
        sentence += f" ({estimate.note})"
    if estimate.scope == "run":
        sentence += "; one training run, which speaks of itself alone"
    return sentence


def decide(
    evidence: Evidence,
    region: Region,
    *,
    family_size: int,
    alpha: float = ALPHA,
    controls: Sequence[Control] = (),
) -> Verdict:
    """Judge evidence against a region at the family-wise level.

    Args:
        evidence: the samples.
        region: the claim's region.
        family_size: registered claims in the family, whichever of them run now.
        alpha: bound on each one-sided error over the family.
        controls: checks; a failed one makes the verdict invalid whatever the interval says.

    Raises:
        ValueError: for a family size below 1 or an alpha outside (0, 0.5).
    """
    level = family_level(family_size, alpha)
    edge = min(region.edges(), key=lambda x: abs(x - evidence.point))
    estimate = evidence.estimate(level, edge)
    low, high = estimate.interval.low, estimate.interval.high
    outcome = Outcome.INCONCLUSIVE
    if region.contains(low, high):
        outcome = Outcome.SUPPORTED
    elif region.excludes(low, high):
        outcome = Outcome.REFUTED
    reason = _reason(outcome, estimate, region)
    failed = [control for control in controls if not control.passed]
    if failed:
        outcome = Outcome.INVALID
        reason = "; ".join(f"{c.name} is {c.value:.3g}, expected {c.expectation}" for c in failed)
    return Verdict(
        outcome=outcome,
        reason=reason,
        estimate=estimate,
        region=region,
        level=level,
        detectable=evidence.detectable(region, level),
        needed=evidence.needed(region, level) if outcome is Outcome.INCONCLUSIVE else None,
        controls=tuple(controls),
    )


def not_applicable(region: Region, reason: str) -> Verdict:
    """Return the verdict of a claim that its subject cannot be asked, with the reason."""
    return Verdict(
        outcome=Outcome.NOT_APPLICABLE,
        reason=reason,
        estimate=None,
        region=region,
        level=1 - 2 * ALPHA,
    )
