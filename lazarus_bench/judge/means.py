"""Evidence from continuous values: a mean, the difference of two, or the ratio of two."""

# ruff: noqa: D102 (overrides inherit the docstring of what they override)
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lazarus_bench.judge.bounds import Array, Limits
from lazarus_bench.judge.crossed import Crossed, cluster_cells, error_within, paired_by_seed
from lazarus_bench.judge.effects import cliffs_delta, hedges_g, log_odds_ratio, pooled_hedges_g
from lazarus_bench.judge.evidence import (
    SHARE,
    Effect,
    Evidence,
    OneSample,
    Scope,
    array,
    check_bounds,
    check_clusters,
    check_shares,
    freeze,
    paired_difference,
)
from lazarus_bench.judge.sampling import (
    NOTHING,
    Bounded,
    Exponential,
    Outer,
    Recovered,
    Sampling,
    Student,
    Welch,
    one_run,
)


@dataclass(frozen=True, kw_only=True)
class Means(OneSample):
    """Continuous samples; the estimand is their mean.

    Several seeds: two-way t over seeds and prompts (`Crossed`), or over clusters of prompts such as
    operand pairs and templates, each of which counts once. Values known to be shares (`bounds` of
    `SHARE`) are judged on log-odds: the estimand is then the share whose log-odds are the mean of
    the seeds', which is what few seeds near 0 or 1 can say something about; a region is
    transformed with it. One run: over prompts or clusters; values inside [0, 1] get the hull of t
    and Gaffke's bound, which stays valid for skewed probabilities at few prompts.

    Attributes:
        values: `values[seed][prompt]`.
        clusters: one key per prompt, or None when prompts are independent.
        items: what a seed's samples are of, where it is not prompts.
        bounds: where the estimand can lie, such as `SHARE`.
        population: how many prompts (or clusters) there are in all, where that is known.
    """

    values: Sequence[Sequence[float]]
    clusters: Sequence[str | int] | None = None
    items: str = "prompts"
    bounds: Limits = NOTHING
    population: int | None = None

    def __post_init__(self) -> None:
        freeze(self, 2, "values")
        check_clusters(self, self.shape[1])
        check_shares(self, array(self.values))
        check_bounds(self)

    def cells(self) -> Array:
        """Return the values of prompts or means of clusters, shape (seeds, items)."""
        values = array(self.values)
        # Rounding in float32 leaves sums of probabilities a little above 1.
        values = np.clip(values, *SHARE) if self.bounds == SHARE else values
        return cluster_cells(values, self.clusters)

    def units(self) -> Array:
        """Return the independent units: seed means, cluster means or prompts."""
        cells = self.cells()
        means: Array = cells.mean(axis=1) if len(cells) > 1 else cells[0]
        return means

    @property
    def point(self) -> float:
        model = self.sampling()
        return model.point if isinstance(model, Crossed) else float(self.units().mean())

    @property
    def method(self) -> str:
        if self.scope == "seeds":
            return two_way(self.sampling(), self.counted)
        bounded = isinstance(self.sampling(), Outer)
        return f"{'bounded mean' if bounded else 't'} over {self.unit}"

    @property
    def kind(self) -> str:
        return "shares" if self.bounds == SHARE else "means"

    def error_of_a_seed(self) -> float:
        return error_within(self.cells())

    def seed_values(self) -> Array:
        means: Array = self.cells().mean(axis=1)
        return means

    def sampling(self) -> Sampling:
        cells = self.cells()
        if len(cells) == 1:
            # A single value says nothing about where others lie: its support must be known.
            guessed = cells.size == 1 and self.bounds != SHARE
            return Student.of(cells[0]) if guessed else one_run(cells[0], SHARE)
        return crossed_mean(cells, self.bounds, self.population)

    def effect(self, level: float, edge: float | None = None) -> Effect | None:
        if edge is None:
            return None
        units = self.units()
        n, sd = units.size, Student.of(units).sd
        return hedges_g(float(units.mean()) - edge, sd, math.sqrt(1 / n), n - 1, level)


def crossed_mean(cells: Array, bounds: Limits, population: int | None = None) -> Sampling:
    """Return the sampling of a mean over seeds, on log-odds where values are shares.

    Shares that are all 0 or all 1 show no spread: Gaffke's exact bound then counts each prompt
    once, however many seeds answered it, or each seed where a seed has one value. A single value a
    seed of exactly 0 or 1, as an accuracy over items that are not known here, has no log-odds: such
    seeds get plain t.

    Args:
        cells: shape (seeds, items), two seeds or more.
        bounds: where the mean can lie.
        population: how many items there are in all, if known.
    """
    if bounds != SHARE:
        return Crossed.of(cells, population)
    cells = np.clip(cells, *SHARE)
    single = cells.shape[1] == 1
    if np.ptp(cells) == 0 and cells.flat[0] in SHARE:
        return Bounded.of(cells[:, 0] if single else cells[0], SHARE)
    if single and np.isin(cells, SHARE).any():
        return Crossed.of(cells, population)
    return Crossed.of_logits(cells, population)


def two_way(model: Sampling | None, items: str) -> str:
    """Return the name of the estimator over several seeds, each with samples of `items`."""
    if isinstance(model, Bounded):
        return f"bounded mean over {items}"
    if not isinstance(model, Crossed):
        return f"two-way t over seeds and {items}"
    several = any(item.count > 1 for item in model.items)
    name = f"two-way t over seeds and {items}" if several else "t over seeds"
    return f"{name}, on log-odds" if model.logits else name


_NEAR_END = 0.05


def _probabilities(*samples: Array) -> bool:
    return all(bool(((sample >= 0) & (sample <= 1)).all()) for sample in samples)


class TwoSamples(Evidence):
    """first − second of two samples `[seed][prompt]`, paired index by index or not at all."""

    first: Sequence[Sequence[float]]
    second: Sequence[Sequence[float]]
    paired: Literal["prompts", "seeds", "no"]
    clusters: Sequence[str | int] | None

    def _samples(self) -> tuple[Array, Array]:
        return array(self.first), array(self.second)

    @property
    def shape(self) -> tuple[int, int]:
        seeds = [len(self.first), len(self.second)]
        prompts = min(len(self.first[0]), len(self.second[0]))
        return (min(seeds) if self.paired == "no" else max(seeds)), prompts

    def cells(self) -> Array:
        """Return the differences by prompt or cluster, shape (seeds, items), paired by prompt."""
        return cluster_cells(paired_difference(self, *self._samples()), self.clusters)

    @property
    def point(self) -> float:
        if self.paired == "prompts":
            return float(self.cells().mean())
        first, second = self._samples()
        return float(first.mean() - second.mean())

    def seed_checks(self) -> list[Array]:
        if self.paired != "no":
            return super().seed_checks()
        first, second = self._samples()
        return [first.mean(axis=1) - second.mean(), first.mean() - second.mean(axis=1)]


@dataclass(frozen=True, kw_only=True)
class Differences(TwoSamples):
    """Continuous first − second; the estimand is the difference of means.

    Several seeds: the two-way variance over seeds and prompts (`Crossed`), of the differences where
    they are paired, of each side and then Welch's t where they are not. One run: t over prompts
    (values in [0, 1]: the hull with Gaffke's bound on [−1, 1]), or Welch over prompts (values in
    [0, 1]: the hull with limits recovered from each side).

    Attributes:
        first: `first[seed][prompt]`.
        second: `second[seed][prompt]`.
        paired: "prompts" and "seeds" pair index by index; "no" compares independent samples.
        items: what a seed's samples are of, where it is not prompts.
        support: whether values in [0, 1] could be nothing else, as probabilities and shares. Not
            for cosines: t alone then, since a bound on few of them would be as wide as the bound.
        bounds: where the estimand can lie, such as `SHARE_DIFFERENCE`.
        clusters: one key per prompt, for differences paired by prompt whose clusters count once.
        population: how many prompts (or clusters) there are in all, where that is known.
    """

    first: Sequence[Sequence[float]]
    second: Sequence[Sequence[float]]
    paired: Literal["prompts", "seeds", "no"]
    items: str = "prompts"
    support: bool = True
    bounds: Limits = NOTHING
    clusters: Sequence[str | int] | None = None
    population: int | None = None

    def __post_init__(self) -> None:
        freeze(self, 2, "first", "second")
        check_clusters(self, len(self.first[0]))
        if self.paired not in ("prompts", "seeds", "no"):
            raise ValueError(f"Differences.paired is {self.paired!r}; use prompts, seeds or no")
        first, second = self._samples()
        if self.paired != "prompts" and (len(first) > 1) != (len(second) > 1):
            raise ValueError("Differences needs several seeds on both sides, or one run on both")
        if self.paired == "seeds" and len(first) != len(second):
            raise ValueError(
                f"Differences pairs by seed, but first has {len(first)} seeds and second "
                f"{len(second)}"
            )
        if self.paired == "prompts":
            paired_difference(self, first, second)
        if self.paired == "seeds" and len(first) == 1:
            raise ValueError("Differences pairs by seed, but there is only one; pair by prompts")
        if self.paired != "prompts" and self.clusters is not None:
            raise ValueError("Differences reads clusters only where it pairs by prompt")
        check_bounds(self)

    def units(self) -> Array:
        """Return the paired units' differences, shape (seeds,) or (prompts,)."""
        first, second = self._samples()
        if self.paired == "seeds":
            by_seed: Array = first.mean(axis=1) - second.mean(axis=1)
            return by_seed
        cells = self.cells()
        means: Array = cells.mean(axis=1) if self.scope == "seeds" else cells[0]
        return means

    def _bounded(self) -> bool:
        return self.support and self.scope == "run" and _probabilities(*self._samples())

    @property
    def method(self) -> str:
        if self.scope == "seeds":
            kind = "Welch" if self.paired == "no" else "paired"
            return f"{kind} {two_way(self.sampling(), self.counted)}"
        name = "Welch t" if self.paired == "no" else "paired t"
        if self._bounded():
            name = "bounded difference" if self.paired == "no" else "bounded paired difference"
        return f"{name} over {self.unit}"

    @property
    def kind(self) -> str:
        return "unpaired differences" if self.paired == "no" else "paired differences"

    def error_of_a_seed(self) -> float:
        if self.paired == "prompts":
            return error_within(self.cells())
        return math.hypot(*map(error_within, self._samples()))

    def seed_values(self) -> Array | None:
        return None if self.paired == "no" else self.units()

    def sampling(self) -> Sampling:
        first, second = self._samples()
        if self.paired == "seeds":
            return paired_by_seed(first, second)
        if self.paired == "prompts":
            cells = self.cells()
            if self.scope == "seeds":
                return Crossed.of(cells, self.population)
            return one_run(cells[0], (-1.0, 1.0)) if self._bounded() else Student.of(cells[0])
        means = (float(first.mean()), float(second.mean()))
        if self.scope == "seeds":
            return Welch(first=Crossed.of(first), second=Crossed.of(second), means=means)
        sides = first[0], second[0]
        if not self._bounded():
            of = Student.of
            return Welch(first=of(sides[0]), second=of(sides[1]), means=means)
        one, other = (one_run(side, SHARE) for side in sides)
        return Recovered(first=one, second=other, means=means)

    def effect(self, level: float, edge: float | None = None) -> Effect | None:  # noqa: ARG002
        first, second = self._samples()
        extreme = min(first.mean(), second.mean()) < _NEAR_END or (
            max(first.mean(), second.mean()) > 1 - _NEAR_END
        )
        if self.support and self.paired != "no" and extreme and _probabilities(first, second):
            return self._odds_ratio(level)
        if self.paired == "no" and self.scope == "run":
            return cliffs_delta(first[0], second[0], level)
        return self._standardised(level)

    def _odds_ratio(self, level: float) -> Effect | None:
        first, second = self._samples()
        if self.scope == "seeds":
            first, second = first.mean(axis=1), second.mean(axis=1)
        if not ((first > 0) & (first < 1)).all() or not ((second > 0) & (second < 1)).all():
            return None
        log_odds = np.log(first / (1 - first)) - np.log(second / (1 - second))
        return log_odds_ratio(log_odds.ravel(), level)

    def _standardised(self, level: float) -> Effect | None:
        if self.paired != "no":
            units = self.units()
            error = math.sqrt(1 / units.size)
            return hedges_g(self.point, Student.of(units).sd, error, units.size - 1, level)
        first, second = (side.mean(axis=1) for side in self._samples())
        squares = float(np.sum((first - first.mean()) ** 2) + np.sum((second - second.mean()) ** 2))
        return pooled_hedges_g(self.point, squares, (first.size, second.size), level)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Mean and standard deviation (ddof 1) of `n` independent numbers."""

    mean: float
    sd: float
    n: int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and math.isfinite(self.sd)):
            raise ValueError(f"a summary needs finite numbers, not {self.mean} and {self.sd}")
        if self.sd < 0 or self.n < 1:
            raise ValueError(f"no sample has a deviation of {self.sd} over {self.n} numbers")


@dataclass(frozen=True, kw_only=True)
class SummaryDifferences(Evidence):
    """first − second of two independent samples of which only summaries are known: Welch's t.

    Means and deviations are all that Welch's interval reads of a sample, so nothing is lost.

    Attributes:
        first: the minuend.
        second: the subtrahend.
    """

    first: Summary
    second: Summary

    @property
    def point(self) -> float:
        return self.first.mean - self.second.mean

    @property
    def method(self) -> str:
        return "Welch t on printed means and deviations"

    @property
    def shape(self) -> tuple[int, int]:
        return 1, min(self.first.n, self.second.n)

    @property
    def items(self) -> str:
        return "trials"

    def sampling(self) -> Welch:
        first, second = (
            Student(mean=side.mean, sd=side.sd, n=side.n) for side in (self.first, self.second)
        )
        return Welch(first=first, second=second, means=(first.mean, second.mean))

    def effect(self, level: float, edge: float | None = None) -> Effect | None:  # noqa: ARG002
        a, b = self.first, self.second
        squares = (a.n - 1) * a.sd**2 + (b.n - 1) * b.sd**2
        return pooled_hedges_g(self.point, squares, (a.n, b.n), level)


@dataclass(frozen=True, kw_only=True)
class Ratios(Evidence):
    """Positive paired numbers; the estimand is the geometric mean of numerator/denominator.

    t over log ratios; one pair shows no spread and has no interval.

    Attributes:
        numerator: one positive number per seed.
        denominator: one positive number per seed, in the same order.
        over: "seeds", or "repeats" of one measurement on one machine.
    """

    numerator: Sequence[float]
    denominator: Sequence[float]
    over: Literal["seeds", "repeats"] = "seeds"

    def __post_init__(self) -> None:
        freeze(self, 1, "numerator", "denominator")
        if len(self.numerator) != len(self.denominator):
            raise ValueError(
                f"Ratios pairs by seed, but has {len(self.numerator)} numerators and "
                f"{len(self.denominator)} denominators"
            )
        if self.over not in ("seeds", "repeats"):
            raise ValueError(f"Ratios.over is {self.over!r}; use seeds or repeats")
        if min(*self.numerator, *self.denominator) <= 0:
            raise ValueError("Ratios needs positive numbers on both sides")

    @property
    def bounds(self) -> Limits:
        return 0.0, math.inf

    def _logs(self) -> Array:
        logs: Array = np.log(array(self.numerator)) - np.log(array(self.denominator))
        return logs

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.numerator), 1

    @property
    def point(self) -> float:
        return math.exp(float(self._logs().mean()))

    @property
    def method(self) -> str:
        return f"t on log ratios over {self.over}"

    @property
    def scope(self) -> Scope:
        several = len(self.numerator) > 1
        return "repeats" if several and self.over == "repeats" else super().scope

    @property
    def unit(self) -> str:
        return self.over

    @property
    def kind(self) -> str:
        return "ratios" if self.over == "seeds" else ""

    def seed_values(self) -> Array:
        ratios: Array = np.exp(self._logs())
        return ratios

    def sampling(self) -> Exponential:
        return Exponential(log=Student.of(self._logs()))
