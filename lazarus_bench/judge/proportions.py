"""Evidence from hits (0/1) and predicted classes: a rate, a difference of two, an entropy."""

# ruff: noqa: D102 (overrides inherit the docstring of what they override)
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from scipy import stats

from lazarus_bench.judge.bounds import Array, Limits
from lazarus_bench.judge.effects import cohens_h, paired_odds_ratio
from lazarus_bench.judge.evidence import (
    Effect,
    Evidence,
    array,
    freeze,
    paired_difference,
    require_hits,
)
from lazarus_bench.judge.sampling import Bounded, Recovered, Sampling


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


def most_entropy(share: float, classes: int) -> float:
    """Return the largest normalised entropy of a distribution whose largest share is `share`.

    The rest is then spread evenly (Fano's inequality); 1 where the share is that of chance.
    """
    if share <= 1 / classes:
        return 1.0
    rest = (1 - share) / (classes - 1)
    return float(stats.entropy([share, *[rest] * (classes - 1)])) / math.log(classes)


def least_entropy(share: float, classes: int) -> float:
    """Return the least normalised entropy, averaged over runs, of a mean largest share `share`.

    Entropy is least where as many classes as possible have the largest share; the bound is the
    straight lines between shares of 1, 1/2, 1/3, ..., which also holds for averages.

    Source: Feder and Merhav, IEEE Transactions on Information Theory 40 (1994), eq. 14.
    """
    knots = np.arange(classes, 0, -1)
    return float(np.interp(share, 1 / knots, np.log(knots))) / math.log(classes)


@dataclass(frozen=True, kw_only=True)
class EntropyOfShare(Sampling):
    """Limits of an entropy from those of the largest share, which any entropy obeys.

    Attributes:
        share: sampling of the largest share.
        classes: number of classes.
    """

    share: Bounded
    classes: int

    @property
    def size(self) -> int:
        return self.share.size

    def limits(self, level: float) -> Limits:
        low, high = self.share.limits(level)
        return least_entropy(high, self.classes), most_entropy(low, self.classes)

    def resized(self, size: int) -> Self:
        return replace(self, share=self.share.resized(size))

    def standard_error(self) -> tuple[float, float]:
        # The bounds are no estimate's limits, so there is no error to plan with.
        return 0.0, 0.0


@dataclass(frozen=True, kw_only=True)
class ClassEntropy(Evidence):
    """Predicted classes; the estimand is the normalised entropy of a run's predictions.

    It is 0 when every prompt gets the same class and 1 when all classes are equally frequent. Runs
    that collapse completely have no spread between seeds, so no t interval; the limits come from
    the exact interval of the largest share instead, through the least and the largest entropy
    that such a share allows. They are wider than a sampling error.

    Attributes:
        predictions: index of the predicted class, `predictions[seed][prompt]`.
        classes: number of classes, at least 2.
    """

    predictions: Sequence[Sequence[float]]
    classes: int

    def __post_init__(self) -> None:
        freeze(self, 2, "predictions")
        if self.classes < 2:
            raise ValueError(f"ClassEntropy needs two classes or more, not {self.classes}")
        if not np.isin(array(self.predictions), np.arange(self.classes)).all():
            raise ValueError(f"ClassEntropy.predictions must be 0 to {self.classes - 1}")

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.predictions), len(self.predictions[0])

    @property
    def point(self) -> float:
        return float(np.mean(self.seed_values()))

    def seed_values(self) -> Array:
        predictions = array(self.predictions).astype(np.int64)
        counts = [np.bincount(run, minlength=self.classes) for run in predictions]
        return np.array([stats.entropy(count) for count in counts]) / math.log(self.classes)

    @property
    def method(self) -> str:
        return "Fano and Feder–Merhav bounds on the largest share"

    @property
    def majority(self) -> Hits:
        """The largest share: 1 where a prediction is its run's most frequent one.

        A share near 1 / classes is overstated, since the most frequent class is found on the
        prompts it is counted on; the limits of a share well above that are sound.
        """
        predictions = array(self.predictions)
        most = stats.mode(predictions, axis=1, keepdims=True).mode
        return Hits(values=(predictions == most).astype(np.float64))

    def sampling(self) -> EntropyOfShare:
        return EntropyOfShare(share=self.majority.sampling(), classes=self.classes)
