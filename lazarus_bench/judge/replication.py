"""Whether an estimate replicates a published one: several criteria, none of which is a verdict.

No single criterion defines a replication, and each is easy on some failures: a wide published
interval holds almost anything, and a narrow one of ours misses what differs by nothing that
matters (Open Science Collaboration, Science 349, 2015, aac4716; Valentine et al., Prevention
Science 12, 2011). So they stand side by side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lazarus_bench.judge.conjunction import margins
from lazarus_bench.judge.evidence import PLAIN_LEVEL, Estimate
from lazarus_bench.judge.pool import obstacle, standard_error
from lazarus_bench.judge.power import detectable_shift
from lazarus_bench.judge.region import Region

TELESCOPE_POWER = 1 / 3
_NORMAL_DF = 1e6


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """One answer.

    Attributes:
        name: what is asked, in a few words.
        holds: the answer; None where the two estimates do not allow the question.
        detail: the numbers behind it, or why it cannot be asked, in one clause.
    """

    name: str
    holds: bool | None
    detail: str


def criteria(original: Estimate, ours: Estimate, region: Region) -> tuple[Criterion, ...]:
    """Ask every criterion of a published estimate and ours, which measure the same estimand.

    Args:
        original: the published estimate.
        ours: the new one.
        region: the region of the claim that both were judged by.
    """
    first, second = original.value, ours.value
    detail = f"published {first:.3g}, ours {second:.3g}"
    sign = Criterion(name="same sign", holds=(first > 0) == (second > 0), detail=detail)
    if first == 0 or second == 0:
        sign = Criterion(name="same sign", holds=None, detail=f"{detail}, and 0 has no sign")
    sides = [region.contains_value(value) for value in (first, second)]
    published, here = ("inside" if side else "outside" for side in sides)
    side = Criterion(
        name="same side of the claim's edge",
        holds=sides[0] == sides[1],
        detail=f"published {published} {region.describe()}, ours {here}",
    )
    return (
        sign,
        side,
        _inside("ours inside the published interval", second, original),
        _inside("published inside our interval", first, ours),
        _telescope(original, ours, region),
    )


def _inside(name: str, value: float, item: Estimate) -> Criterion:
    span = item.interval95
    if not _bounded(item):
        return Criterion(name=name, holds=None, detail="there is no interval with two ends")
    holds = span.low <= value <= span.high
    place = f"{value:.3g} {'in' if holds else 'not in'} [{span.low:.3g}, {span.high:.3g}]"
    return Criterion(name=name, holds=holds, detail=f"{place}, the 95% interval")


def _bounded(item: Estimate) -> bool:
    """Whether a sample gave the interval two ends; [0, ∞) of a ratio would hold anything."""
    limits = item.interval95
    return item.scope != "exact" and math.isfinite(limits.low) and math.isfinite(limits.high)


def telescope(original: Estimate) -> float:
    """Return the distance from an edge that the original's sample would show one time in three.

    Simonsohn's d₃₃%: the effect at which the original's test, one-sided at 2.5% as the 95%
    interval implies, has a power of a third. Noncentral t with the estimate's own standard error;
    where it knows none, that of a normal with its 95% interval, which is rough for few prompts.

    Source: Simonsohn, Psychological Science 26 (2015), "Small Telescopes".

    Raises:
        ValueError: the estimate has no sample that a test could rest on.
    """
    reason = obstacle(original)
    if reason:
        raise ValueError(f"the estimate has no power to speak of: {reason}")
    error, df = standard_error(original), _NORMAL_DF
    if original.error is not None and original.df is not None:
        error, df = original.error, original.df
    shift = detectable_shift(error, df, PLAIN_LEVEL, TELESCOPE_POWER)
    if shift is None:
        raise ValueError("the estimate has no power to speak of: its standard error is unknown")
    return shift


def _telescope(original: Estimate, ours: Estimate, region: Region) -> Criterion:
    name, reason = "detectable by the original's sample", ""
    if len(region.edges()) > 1:
        reason = "the claim has two edges, so no distance from one is its effect"
    elif obstacle(original):
        reason = f"published: {obstacle(original)}"
    elif not _bounded(ours):
        reason = "ours has no interval"
    if reason:
        return Criterion(name=name, holds=None, detail=reason)
    least = telescope(original)
    low, high = margins(region, (ours.interval95.low, ours.interval95.high))
    detail = (
        f"{least:.3g} past the edge is what the original shows one time in three, ours is "
        f"[{low:.3g}, {high:.3g}] past it"
    )
    return Criterion(name=name, holds=high >= least, detail=detail)
