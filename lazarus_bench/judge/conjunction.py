"""Evidence for several statements that must all hold: the least of their margins."""

# ruff: noqa: D102 (overrides inherit the docstring of what they override)
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from lazarus_bench.judge.bounds import Array, Limits
from lazarus_bench.judge.evidence import Evidence, Scope
from lazarus_bench.judge.region import Above, AtLeast, AtMost, Below, Region
from lazarus_bench.judge.sampling import Sampling

LEAST_MARGIN = "least margin of: "
_CLOSED = (AtLeast, AtMost)
_UPWARDS = (AtLeast, Above)


def margins(region: Region, limits: Limits) -> Limits:
    """Return how far inside a one-sided region both limits lie, ascending; negative is outside."""
    low, high = limits
    edge = region.edges()[0]
    return (low - edge, high - edge) if isinstance(region, _UPWARDS) else (edge - high, edge - low)


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One of the statements.

    Attributes:
        name: what is measured, in a few words.
        evidence: its samples.
        region: where it has to lie; one-sided.
    """

    name: str
    evidence: Evidence
    region: AtLeast | AtMost | Above | Below

    def __post_init__(self) -> None:
        if len(self.region.edges()) != 1:
            raise ValueError(
                f"condition {self.name!r} needs a region with one edge, not "
                f"{self.region.describe()}; state its two sides as two conditions"
            )

    @property
    def margin(self) -> float:
        """How far the point estimate lies inside the region, in the estimand's unit."""
        return margins(self.region, (self.evidence.point, self.evidence.point))[0]

    def describe(self) -> str:
        """Return the condition as it stands, for example ``share 0.25 against ≥ 0.8``."""
        return f"{self.name} {self.evidence.point:.3g} against {self.region.describe()}"


def stricter(level: float, conditions: int) -> float:
    """Return the two-sided level whose tails are those of `level` shared by the conditions."""
    return 1 - (1 - level) / conditions


def least_margin(
    parts: Sequence[Sampling | Evidence], regions: Sequence[Region], level: float
) -> Limits:
    """Return the limits of the least of the margins: see `AllOf`."""
    strict = stricter(level, len(parts))
    pairs = tuple(zip(parts, regions, strict=True))
    lows = [margins(region, part.limits(level))[0] for part, region in pairs]
    highs = [margins(region, part.limits(strict))[1] for part, region in pairs]
    return min(lows), min(highs)


@dataclass(frozen=True, kw_only=True)
class LeastMargin(Sampling):
    """The least of several margins.

    Attributes:
        parts: each condition's sampling model.
        regions: each condition's region.
    """

    parts: tuple[Sampling, ...]
    regions: tuple[Region, ...]

    @property
    def size(self) -> int:
        return min(part.size for part in self.parts)

    def limits(self, level: float) -> Limits:
        return least_margin(self.parts, self.regions, level)

    def resized(self, size: int) -> Self:
        return replace(self, parts=tuple(part.resized(size) for part in self.parts))

    def spread_known(self) -> bool:
        return all(part.spread_known() for part in self.parts)

    def standard_error(self) -> tuple[float, float]:
        # The least of several estimates has no one standard error to plan with.
        return 0.0, 0.0


@dataclass(frozen=True, kw_only=True)
class AllOf(Evidence):
    """Several conditions at once; the estimand is the least of their margins.

    Judge it by ``AtLeast(0)``, or by ``Above(0)`` where the conditions' regions are open. The lower
    limit is the least of the margins' own lower limits and needs no correction: it is above the
    truth only where the limit of the condition with the least true margin is (intersection–union
    test: Berger, Technometrics 24, 1982). The upper limit is the least of upper limits whose tails
    share the level (Bonferroni), since any one of them may be the one that errs. So the
    conjunction is supported when every condition is, and refuted when one is at that stricter
    level. Margins of different units may be mixed: the verdict depends on their signs alone.

    Attributes:
        conditions: two or more, all with closed or all with open regions.
    """

    conditions: tuple[Condition, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "conditions", tuple(self.conditions))
        if len(self.conditions) < 2:
            raise ValueError("AllOf needs two conditions or more; judge a single one by itself")
        if len({isinstance(c.region, _CLOSED) for c in self.conditions}) > 1:
            raise ValueError("AllOf needs regions that are all closed or all open at their edge")

    @property
    def point(self) -> float:
        return min(condition.margin for condition in self.conditions)

    @property
    def items(self) -> str:
        kinds = {condition.evidence.items for condition in self.conditions}
        return kinds.pop() if len(kinds) == 1 else "items"

    @property
    def method(self) -> str:
        return LEAST_MARGIN + "; ".join(c.evidence.method for c in self.conditions)

    @property
    def shape(self) -> tuple[int, int]:
        seeds, prompts = zip(*(c.evidence.shape for c in self.conditions), strict=True)
        return min(seeds), min(prompts)

    @property
    def scope(self) -> Scope:
        scopes = {condition.evidence.scope for condition in self.conditions}
        order: tuple[Scope, ...] = ("reported", "run", "repeats", "seeds", "exact")
        return next(scope for scope in order if scope in scopes)

    @property
    def caveat(self) -> str:
        said = [c.describe() for c in self.conditions]
        limits = dict.fromkeys(c.evidence.caveat for c in self.conditions)
        return "; ".join([", ".join(said), *filter(None, limits)])

    def seed_values(self) -> Array | None:
        # Of the condition that decides: the least of each seed's margins would not scatter about
        # the margin of the means.
        least = min(self.conditions, key=lambda condition: condition.margin)
        values = least.evidence.by_seed()
        return np.array([margins(least.region, (v, v))[0] for v in values]) if values else None

    def limits(self, level: float) -> Limits:
        # A condition without a sample has limits but no sampling model.
        evidence, regions = zip(*((c.evidence, c.region) for c in self.conditions), strict=True)
        return least_margin(evidence, regions, level)

    def sampling(self) -> LeastMargin | None:
        parts = [condition.evidence.sampling() for condition in self.conditions]
        known = tuple(part for part in parts if part is not None)
        if len(known) < len(parts):
            return None
        return LeastMargin(parts=known, regions=tuple(c.region for c in self.conditions))

    def needed(self, region: Region, level: float) -> str | None:
        if self.scope in ("reported", "exact"):
            return next((c.evidence.needed(c.region, level) for c in self.conditions), None)
        return super().needed(region, level)
