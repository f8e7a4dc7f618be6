"""Evidence from hits (0/1): one rate, or the difference of two."""

# ruff: noqa: D102 (overrides inherit the docstring of what they override)
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scipy import stats

from lazarus_bench.judge.bounded import Bounded
from lazarus_bench.judge.bounds import Array
from lazarus_bench.judge.effects import cohens_h, paired_odds_ratio
from lazarus_bench.judge.estimate import Effect
from lazarus_bench.judge.evidence import Evidence, array, freeze, paired_difference, require_hits
from lazarus_bench.judge.sampling import Recovered, Sampling


@dataclass(frozen=True, kw_only=True)
class Hits(Evidence):
    """0/1 samples; the estimand is the hit rate minus a known constant.

    One run: Clopper–Pearson. Several seeds: Korn–Graubard's exact interval on the effective
    sample size, so that agreement of a few seeds is not taken for certainty.

    Attributes:
        values: `values[seed][prompt]`, each 0 or 1.
        minus: known constant such as the chance rate, subtracted from value and interval.
        items: what a seed's samples are of, where it is not prompts.
    """

    values: Sequence[Sequence[float]]
    minus: float = 0.0
    items: str = "prompts"

    def __post_init__(self) -> None:
        freeze(self, 2, "values")
        freeze(self, 0, "minus")
        require_hits(self, array(self.values), "values")

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.values), len(self.values[0])

    @property
    def rate(self) -> float:
        """Share of hits over all seeds and prompts."""
        return float(array(self.values).mean())

    @property
    def point(self) -> float:
        return self.rate - self.minus

    @property
    def method(self) -> str:
        return "Korn–Graubard" if self.scope == "seeds" else "Clopper–Pearson"

    def seed_values(self) -> Array:
        rates: Array = array(self.values).mean(axis=1) - self.minus
        return rates

    def sampling(self) -> Bounded:
        values = array(self.values)
        grouped = values if self.scope == "seeds" else values.T
        return Bounded.of(grouped, (0.0, 1.0), offset=self.minus)

    def effect(self, level: float, edge: float | None = None) -> Effect | None:
        reference = self.minus + (edge or 0.0)
        if (edge is None and not self.minus) or not 0 <= reference <= 1:
            return None
        low, high = (limit + self.minus for limit in self.limits(level))
        value, below, above = (
            cohens_h(min(max(rate, 0.0), 1.0), reference) for rate in (self.rate, low, high)
        )
        return Effect(name="Cohen h", value=value, low=below, high=above, level=level)


@dataclass(frozen=True, kw_only=True)
class HitDifferences(Evidence):
    """0/1 first − second; the estimand is the difference of hit rates.

    Paired by prompt: Gaffke's bound on the pair differences in {−1, 0, 1}, exact without any
    assumption on the discordance; with several seeds on Korn–Graubard's effective sample size.
    Unpaired: limits recovered from each side's exact ones.

    Attributes:
        first: `first[seed][prompt]`, each 0 or 1.
        second: `second[seed][prompt]`, each 0 or 1.
        paired: "prompts" pairs index by index; "no" compares independent samples.
        items: what a seed's samples are of, where it is not prompts.
    """

    first: Sequence[Sequence[float]]
    second: Sequence[Sequence[float]]
    paired: Literal["prompts", "no"] = "prompts"
    items: str = "prompts"

    def __post_init__(self) -> None:
        freeze(self, 2, "first", "second")
        if self.paired not in ("prompts", "no"):
            raise ValueError(f"HitDifferences.paired is {self.paired!r}; use prompts or no")
        require_hits(self, array(self.first), "first")
        require_hits(self, array(self.second), "second")
        if self.paired == "prompts":
            self._difference()

    def _difference(self) -> Array:
        return paired_difference(self, array(self.first), array(self.second))

    @property
    def shape(self) -> tuple[int, int]:
        seeds = [len(self.first), len(self.second)]
        prompts = min(len(self.first[0]), len(self.second[0]))
        return (min(seeds) if self.paired == "no" else max(seeds)), prompts

    @property
    def point(self) -> float:
        return float(array(self.first).mean() - array(self.second).mean())

    @property
    def method(self) -> str:
        if self.paired == "no":
            return "recovered exact limits"
        return "paired Korn–Graubard" if self.scope == "seeds" else "bounded paired difference"

    def seed_values(self) -> Array | None:
        return None if self.paired == "no" else self._difference().mean(axis=1)

    def sampling(self) -> Sampling:
        if self.paired == "no":
            return Recovered(
                first=_rate(array(self.first)),
                second=_rate(array(self.second)),
                means=(float(array(self.first).mean()), float(array(self.second).mean())),
            )
        difference = self._difference()
        return Bounded.of(difference if self.scope == "seeds" else difference.T, (-1.0, 1.0))

    def effect(self, level: float, edge: float | None = None) -> Effect | None:  # noqa: ARG002
        if self.paired == "prompts" and self.scope == "run":
            difference = self._difference()
            return paired_odds_ratio(
                int((difference > 0).sum()), int((difference < 0).sum()), level
            )
        first, second = array(self.first).mean(), array(self.second).mean()
        value = cohens_h(float(first), float(second))
        n, m = array(self.first).size, array(self.second).size
        # asin√ stabilises the variance at 1/n per 2·asin√p; seeds widen it by the design effect.
        deff = max(_rate(array(sample)).deff for sample in (self.first, self.second))
        half = float(stats.norm.isf((1 - level) / 2)) * math.sqrt(deff * (1 / n + 1 / m))
        return Effect(name="Cohen h", value=value, low=value - half, high=value + half, level=level)


def _rate(values: Array) -> Bounded:
    return Bounded.of(values if len(values) > 1 else values.T, (0.0, 1.0))
