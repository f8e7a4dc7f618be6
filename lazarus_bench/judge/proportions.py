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
from lazarus_bench.judge.crossed import Crossed, cluster_cells, error_within
from lazarus_bench.judge.effects import cohens_h, paired_odds_ratio
from lazarus_bench.judge.evidence import (
    SHARE_DIFFERENCE,
    Effect,
    Evidence,
    OneSample,
    array,
    check_clusters,
    freeze,
    paired_difference,
    require_hits,
)
from lazarus_bench.judge.means import TwoSamples, two_way
from lazarus_bench.judge.sampling import Bounded, Recovered, Sampling


def crossed_rate(cells: Array, offset: float = 0.0, population: int | None = None) -> Sampling:
    """Return the sampling of a rate of hits over seeds × prompts, or × clusters of prompts.

    Two-way t on the log-odds of the rate. Where all seeds agree on every prompt, as when all hit or
    all miss, the sample shows no spread between seeds: the exact interval then counts each prompt
    once, however many seeds answered it. So it does for one run.

    Args:
        cells: hits, or shares of hits in clusters, shape (seeds, items).
        offset: known constant subtracted from the limits.
        population: how many items there are in all, if known.
    """
    if not np.ptp(cells, axis=0).any():
        return Bounded.of(cells[0], (0.0, 1.0), offset)
    return Crossed.of_rate(cells, offset, population)


@dataclass(frozen=True, kw_only=True)
class Hits(OneSample):
    """0/1 samples; the estimand is the hit rate minus a known constant.

    Several seeds: two-way t over seeds and prompts on the log-odds of the rate. One run, and seeds
    that agree on every prompt: Clopper–Pearson over prompts.

    Attributes:
        values: `values[seed][prompt]`, each 0 or 1.
        minus: known constant such as the chance rate, subtracted from value and interval.
        items: what a seed's samples are of, where it is not prompts.
        clusters: one key per prompt, or None when prompts are independent; each counts once.
        population: how many prompts (or clusters) there are in all, where that is known.
    """

    values: Sequence[Sequence[float]]
    minus: float = 0.0
    items: str = "prompts"
    clusters: Sequence[str | int] | None = None
    population: int | None = None

    def __post_init__(self) -> None:
        freeze(self, 2, "values")
        freeze(self, 0, "minus")
        require_hits(self, array(self.values), "values")
        check_clusters(self, self.shape[1])

    def cells(self) -> Array:
        """Return hits by prompt, or their shares by cluster, shape (seeds, items)."""
        return cluster_cells(array(self.values), self.clusters)

    @property
    def rate(self) -> float:
        """Share of hits over all seeds and prompts, or clusters."""
        return float(self.cells().mean())

    @property
    def point(self) -> float:
        return self.rate - self.minus

    @property
    def method(self) -> str:
        model = self.sampling()
        if isinstance(model, Bounded):
            return "Clopper–Pearson" if model.binary else f"bounded mean over {self.counted}"
        return two_way(model, self.counted)

    @property
    def bounds(self) -> Limits:
        return -self.minus, 1.0 - self.minus

    @property
    def kind(self) -> str:
        return "hits"

    def error_of_a_seed(self) -> float:
        cells = self.cells()
        binomial = math.sqrt(self.rate * (1 - self.rate) / cells.shape[1])
        return max(binomial, error_within(cells))

    def seed_values(self) -> Array:
        rates: Array = self.cells().mean(axis=1) - self.minus
        return rates

    def sampling(self) -> Sampling:
        return crossed_rate(self.cells(), self.minus, self.population)

    def effect(self, level: float, edge: float | None = None) -> Effect | None:
        reference = self.minus + (edge or 0.0)
        if (edge is None and not self.minus) or not 0 <= reference <= 1:
            return None
        low, high = (limit + self.minus for limit in self.limits(level))
        value, below, above = (
            cohens_h(min(max(rate, 0.0), 1.0), reference) for rate in (self.rate, low, high)
        )
        return Effect(name="Cohen h", value=value, low=below, high=above, level=level)


def crossed_hit_difference(cells: Array, population: int | None = None) -> Sampling:
    """Return the sampling of a mean of paired differences in [−1, 1], shape (seeds, items).

    Two-way t; Gaffke's bound over items for one run, and where all seeds agree on every item.
    """
    if not np.ptp(cells, axis=0).any():
        return Bounded.of(cells[0], (-1.0, 1.0))
    return Crossed.of(cells, population)


@dataclass(frozen=True, kw_only=True)
class HitDifferences(TwoSamples):
    """0/1 first − second; the estimand is the difference of hit rates.

    Several seeds, paired by prompt: two-way t over seeds and prompts of the differences. One run,
    and seeds that agree on every prompt: Gaffke's bound on the differences in {−1, 0, 1}, exact
    without any assumption on the discordance. Unpaired: limits recovered from each side's own.

    Attributes:
        first: `first[seed][prompt]`, each 0 or 1.
        second: `second[seed][prompt]`, each 0 or 1.
        paired: "prompts" pairs index by index; "no" compares independent samples.
        items: what a seed's samples are of, where it is not prompts.
        clusters: one key per prompt, for differences paired by prompt whose clusters count once.
        population: how many prompts (or clusters) there are in all, where that is known.
    """

    first: Sequence[Sequence[float]]
    second: Sequence[Sequence[float]]
    paired: Literal["prompts", "no"] = "prompts"
    items: str = "prompts"
    clusters: Sequence[str | int] | None = None
    population: int | None = None

    def __post_init__(self) -> None:
        freeze(self, 2, "first", "second")
        if self.paired not in ("prompts", "no"):
            raise ValueError(f"HitDifferences.paired is {self.paired!r}; use prompts or no")
        require_hits(self, array(self.first), "first")
        require_hits(self, array(self.second), "second")
        check_clusters(self, len(self.first[0]))
        if self.paired == "prompts":
            self.cells()
        elif self.clusters is not None:
            raise ValueError("HitDifferences reads clusters only where it pairs by prompt")

    @property
    def method(self) -> str:
        if self.paired == "no":
            return "limits recovered from each rate's own"
        model = self.sampling()
        if isinstance(model, Bounded):
            return "bounded paired difference"
        return f"paired {two_way(model, self.counted)}"

    @property
    def bounds(self) -> Limits:
        return SHARE_DIFFERENCE

    @property
    def kind(self) -> str:
        return "paired hits" if self.paired == "prompts" else "unpaired hits"

    def error_of_a_seed(self) -> float:
        return error_within(self.cells()) if self.paired == "prompts" else 0.0

    def seed_values(self) -> Array | None:
        return None if self.paired == "no" else self.cells().mean(axis=1)

    def sampling(self) -> Sampling:
        if self.paired == "no":
            first, second = self._samples()
            return Recovered(
                first=crossed_rate(first),
                second=crossed_rate(second),
                means=(float(first.mean()), float(second.mean())),
            )
        return crossed_hit_difference(self.cells(), self.population)

    def effect(self, level: float, edge: float | None = None) -> Effect | None:  # noqa: ARG002
        if self.paired == "prompts" and self.scope == "run":
            signs = paired_difference(self, *self._samples())
            return paired_odds_ratio(int((signs > 0).sum()), int((signs < 0).sum()), level)
        rates = [(array(sample).mean(), array(sample).size) for sample in (self.first, self.second)]
        value = cohens_h(float(rates[0][0]), float(rates[1][0]))
        # asin√ stabilises the variance at 1/n per 2·asin√p; seeds and prompts widen it by as much
        # as they widen the difference itself.
        simple = sum(rate * (1 - rate) / n for rate, n in rates)
        model = self.sampling()
        error2 = model.standard_error()[0] ** 2
        deff = max(1.0, error2 / simple) if simple > 0 else 1.0
        spread = math.sqrt(deff * sum(1 / n for _, n in rates))
        half = float(stats.norm.isf((1 - level) / 2)) * spread
        return Effect(name="Cohen h", value=value, low=value - half, high=value + half, level=level)


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

    share: Sampling
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
