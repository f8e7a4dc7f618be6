"""Forest plots: the families that a claim pools, each with its weight, and what they pool to."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from lazarus_bench.judge import Interval, Pooled, Region
from lazarus_bench.judge.evidence import PLAIN_LEVEL
from lazarus_bench.report.html.lanes import Axis, Bar, axis_over, bar
from lazarus_bench.report.html.scale import Scale
from lazarus_bench.report.rows import PooledClaim, PooledFamily

_NORMAL = 1.959964
"""97.5% quantile of the normal, with which a pooled standard error makes 95% limits."""

_LEAST, _GREATEST = 2.0, 7.0


@dataclass(frozen=True, kw_only=True)
class Diamond:
    """A pooled estimate: its interval and its value, in percent of an axis."""

    span: Bar
    at: float


@dataclass(frozen=True, kw_only=True)
class Member:
    """One family.

    Attributes:
        family: what it gives.
        limits: value ± 1.96 standard errors.
        span: the same, drawn.
        at: place of the value in percent.
        weight: its share of the pooled estimate, or None where nothing is pooled.
        half: half the side of its square in pixels; the square's area grows with the weight.
    """

    family: PooledFamily
    limits: Interval
    span: Bar
    at: float
    weight: float | None
    half: float


@dataclass(frozen=True, kw_only=True)
class Forest:
    """What a claim pools to.

    Attributes:
        item: the pooled claim.
        among: the pooled estimate on the axis that the claim's subjects share, or None.
        axis: an axis of the families' own, which have other intervals than their subjects.
        members: the families on it.
        diamond: the pooled estimate on it, or None.
        prediction: where another such family would lie, or None.
    """

    item: PooledClaim
    among: Diamond | None
    axis: Axis
    members: tuple[Member, ...]
    diamond: Diamond | None
    prediction: Bar | None


def forest(item: PooledClaim, region: Region, shared: Scale) -> Forest:
    """Draw the families of a claim, and their pooled estimate also on the claim's own axis."""
    own = axis_over(region, _numbers(item))
    found = item.result
    return Forest(
        item=item,
        among=_diamond(found, shared) if found else None,
        axis=own,
        members=tuple(_members(item, own.scale)),
        diamond=_diamond(found, own.scale) if found else None,
        prediction=bar(found.prediction, own.scale) if found and found.prediction else None,
    )


def _numbers(item: PooledClaim) -> Iterator[float]:
    """What the axis has to hold; a prediction from few families is too wide for it."""
    for family in item.families:
        limits = _limits(family)
        yield from (limits.low, limits.high)
    if item.result:
        yield from (item.result.interval.low, item.result.interval.high)


def _limits(family: PooledFamily) -> Interval:
    reach = _NORMAL * family.standard_error
    return Interval(low=family.value - reach, high=family.value + reach, level=PLAIN_LEVEL)


def _diamond(found: Pooled, scale: Scale) -> Diamond:
    return Diamond(span=bar(found.interval, scale), at=scale.at(found.value))


def _members(item: PooledClaim, scale: Scale) -> Iterator[Member]:
    weights = item.result.weights if item.result else (None,) * len(item.families)
    for family, weight in zip(item.families, weights, strict=True):
        limits = _limits(family)
        yield Member(
            family=family,
            limits=limits,
            span=bar(limits, scale),
            at=scale.at(family.value),
            weight=weight,
            half=round(_LEAST + (_GREATEST - _LEAST) * math.sqrt(weight or 0.0), 2),
        )
