"""Verdicts: where the interval falls relative to the region."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from lazarus_bench.judge.calibration import ALPHA, warning_for
from lazarus_bench.judge.conjunction import AllOf
from lazarus_bench.judge.evidence import Estimate, Evidence
from lazarus_bench.judge.prediction import Prediction, predict
from lazarus_bench.judge.region import Region
from lazarus_bench.judge.subgroups import apart

RULE = (
    "supported when the interval lies wholly inside the region, refuted when wholly outside, both "
    "for this run where there is one, else inconclusive; mixed when two groups of seeds lie on "
    "different sides of an edge; invalid when a control failed; seeds and prompts are both sources "
    "of error; two-sided level 1 - 2*alpha/verdicts of the family, shared by the registered looks"
)
"""What `decide` does, in words that every claim's digest covers: change both or neither."""


class Outcome(StrEnum):
    """What became of a claim."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"
    MIXED = "mixed"
    SUPPORTED_RUN = "supported for this run"
    REFUTED_RUN = "refuted for this run"
    INVALID = "invalid"
    NOT_APPLICABLE = "not applicable"
    ERROR = "error"


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
        level: two-sided interval level, 1 − 2·alpha/family size, shared by registered looks.
        detectable: smallest distance from the region's edge detected with 80% power, or None.
        needed: how large a sample would decide; None unless inconclusive.
        controls: the checks that had to pass.
        predicted: what a replication with new seeds would show; None where nothing tells.
        warning: where simulation finds that this kind of evidence errs more often than the level
            promises, or would if seeds failed unseen; empty otherwise.
    """

    outcome: Outcome
    reason: str
    estimate: Estimate | None
    region: Region
    level: float
    detectable: float | None = None
    needed: str | None = None
    controls: tuple[Control, ...] = ()
    predicted: Prediction | None = None
    warning: str = ""


def family_level(family_size: int, alpha: float = ALPHA) -> float:
    """Return 1 − 2·alpha/family_size: each one-sided error within alpha over the whole family.

    Raises:
        ValueError: for an empty family, one of more than 10^9, or an alpha outside (0, 0.5).
    """
    if not 1 <= family_size <= 10**9:
        raise ValueError(f"a family holds 1 to 10^9 claims, not {family_size}")
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha lies between 0 and 0.5, not at {alpha}")
    return 1 - 2 * alpha / family_size


def _reason(outcome: Outcome, estimate: Estimate, region: Region) -> str:
    low, high = estimate.interval.low, estimate.interval.high
    relation = {
        Outcome.SUPPORTED: "lies inside",
        Outcome.SUPPORTED_RUN: "lies inside",
        Outcome.REFUTED: "lies outside",
        Outcome.REFUTED_RUN: "lies outside",
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
    looks: int = 1,
) -> Verdict:
    """Judge evidence against a region at the family-wise level.

    Args:
        evidence: the samples.
        region: the claim's region.
        family_size: registered verdicts in the family, whichever of them are reached now.
        alpha: bound on each one-sided error over the family.
        controls: checks; a failed one makes the verdict invalid whatever the interval says.
        looks: registered looks that share the level (`Looks`); one run has a single one.

    Raises:
        ValueError: for a family size or a number of looks below 1, or an alpha outside (0, 0.5).
    """
    if looks < 1:
        raise ValueError(f"a claim is looked at once or more often, not {looks} times")
    shared = looks if evidence.scope == "seeds" else 1
    level = family_level(family_size * shared, alpha)
    edge = min(region.edges(), key=lambda x: abs(x - evidence.point))
    estimate = evidence.estimate(level, edge)
    outcome = _where(estimate, region)
    reason = _reason(outcome, estimate, region)
    apart_from_others = _stray(evidence, region)
    if apart_from_others:
        outcome, reason = Outcome.MIXED, apart_from_others
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
        predicted=predict(evidence, region, level),
        warning=warning_for(evidence, family_size * shared, seen=bool(apart_from_others)),
    )


def _where(estimate: Estimate, region: Region) -> Outcome:
    """Where the interval falls; what one training shows is said of that training alone."""
    low, high = estimate.interval.low, estimate.interval.high
    single = estimate.scope == "run"
    if region.contains(low, high):
        return Outcome.SUPPORTED_RUN if single else Outcome.SUPPORTED
    if region.excludes(low, high):
        return Outcome.REFUTED_RUN if single else Outcome.REFUTED
    return Outcome.INCONCLUSIVE


def _stray(evidence: Evidence, region: Region) -> str:
    """Name the seeds that a mean over all would hide, of each condition; nothing without any."""
    if isinstance(evidence, AllOf):
        found = ((c.name, _stray(c.evidence, c.region)) for c in evidence.conditions)
        return "; ".join(f"{name}: {said}" for name, said in found if said)
    if evidence.scope != "seeds":
        return ""
    for values in evidence.seed_checks():
        stray = apart(values, region, evidence.error_of_a_seed())
        if stray:
            return _mixed(values.tolist(), stray, region)
    return ""


def _mixed(values: Sequence[float], stray: Sequence[int], region: Region) -> str:
    """Name the seeds that differ, with their values."""
    few = ", ".join(f"{values[seed]:.3g} (seed {seed})" for seed in stray)
    rest = [value for seed, value in enumerate(values) if seed not in stray]
    side = "outside" if region.contains_value(sum(rest) / len(rest)) else "inside"
    return (
        f"{len(stray)} of {len(values)} seeds stand apart, {side} {region.describe()}: {few}, the "
        f"others {min(rest):.3g} to {max(rest):.3g}; no mean speaks for both"
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
