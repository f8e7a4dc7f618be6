"""Evidence from two samples: differences and ratios."""

# ruff: noqa: D102 (overrides inherit the docstring of what they override)
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from lazarus_bench.judge.bounds import Array
from lazarus_bench.judge.effects import (
    cliffs_delta,
    cohens_h,
    hedges_g,
    log_odds_ratio,
    paired_odds_ratio,
)
from lazarus_bench.judge.estimate import Effect
from lazarus_bench.judge.evidence import Evidence, array, freeze, require_hits
from lazarus_bench.judge.sampling import (
    Bounded,
    Exponential,
    Recovered,
    Sampling,
    Student,
    Welch,
    one_run,
)
from lazarus_bench.judge.single import NO_SPREAD

_NEAR_END = 0.05


def paired_difference(owner: object, first: Array, second: Array) -> Array:
    """Return first − second, shape (seeds, prompts); a single run is compared with every seed.

    Raises:
        ValueError: when seeds or prompts do not match.
    """
    name = type(owner).__name__
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"{name} pairs by prompt, but first has {first.shape[1]} prompts and second "
            f"{second.shape[1]}"
        )
    if first.shape[0] != second.shape[0] and 1 not in (first.shape[0], second.shape[0]):
        raise ValueError(
            f"{name} pairs by seed, but first has {first.shape[0]} seeds and second "
            f"{second.shape[0]}"
        )
    difference: Array = first - second
    return difference


def _probabilities(*samples: Array) -> bool:
    return all(bool(((sample >= 0) & (sample <= 1)).all()) for sample in samples)


@dataclass(frozen=True, kw_only=True)
class Differences(Evidence):
    """Continuous first − second; the estimand is the difference of means.

    Paired: t over the seeds' mean differences, or with one run over prompts (values in [0, 1] get
    the hull of t and Gaffke's bound on [−1, 1]). Unpaired: Welch over seed means, or with one run
    each Welch over prompts (values in [0, 1]: the hull with limits recovered from each side).

    Attributes:
        first: first[seed][prompt].
        second: second[seed][prompt].
        paired: "prompts" and "seeds" pair index by index; "no" compares independent samples.
    """

    first: Sequence[Sequence[float]]
    second: Sequence[Sequence[float]]
    paired: Literal["prompts", "seeds", "no"]

    def __post_init__(self) -> None:
        freeze(self, 2, "first", "second")
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

    def _samples(self) -> tuple[Array, Array]:
        return array(self.first), array(self.second)

    @property
    def shape(self) -> tuple[int, int]:
        seeds = [len(self.first), len(self.second)]
        prompts = min(len(self.first[0]), len(self.second[0]))
        return (min(seeds) if self.paired == "no" else max(seeds)), prompts

    def units(self) -> Array:
        """Return the paired units' differences, shape (seeds,) or (prompts,)."""
        first, second = self._samples()
        if self.paired == "seeds":
            by_seed: Array = first.mean(axis=1) - second.mean(axis=1)
            return by_seed
        difference = paired_difference(self, first, second)
        means: Array = difference.mean(axis=1) if self.scope == "seeds" else difference[0]
        return means

    def _sides(self) -> tuple[Array, Array]:
        first, second = self._samples()
        if self.scope == "seeds":
            return first.mean(axis=1), second.mean(axis=1)
        return first[0], second[0]

    @property
    def point(self) -> float:
        first, second = self._samples()
        return float(first.mean() - second.mean())

    @property
    def method(self) -> str:
        name = "Welch t" if self.paired == "no" else "paired t"
        if self.scope == "run" and _probabilities(*self._samples()):
            name = "bounded difference" if self.paired == "no" else "bounded paired difference"
        return f"{name} over {self.unit}"

    @property
    def caveat(self) -> str:
        if math.isfinite(self.limits(0.5)[0]):
            return ""
        return NO_SPREAD if self.scope == "seeds" else "one run shows no spread"

    def sampling(self) -> Sampling:
        bounded = self.scope == "run" and _probabilities(*self._samples())
        if self.paired != "no":
            support = (-1.0, 1.0) if bounded else (math.inf, -math.inf)
            return Student.of(self.units()) if not bounded else one_run(self.units(), support)
        first, second = self._sides()
        if not bounded:
            return Welch(first=Student.of(first), second=Student.of(second))
        return Recovered(
            first=one_run(first, (0.0, 1.0)),
            second=one_run(second, (0.0, 1.0)),
            means=(float(first.mean()), float(second.mean())),
        )

    def effect(self, level: float, edge: float | None = None) -> Effect | None:  # noqa: ARG002
        first, second = self._samples()
        extreme = min(first.mean(), second.mean()) < _NEAR_END or (
            max(first.mean(), second.mean()) > 1 - _NEAR_END
        )
        if self.paired != "no" and extreme and _probabilities(first, second):
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
        first, second = self._sides()
        df = first.size + second.size - 2
        if df < 2:
            return None
        pooled = float(np.sum((first - first.mean()) ** 2) + np.sum((second - second.mean()) ** 2))
        error = math.sqrt(1 / first.size + 1 / second.size)
        return hedges_g(self.point, math.sqrt(pooled / df), error, df, level)


@dataclass(frozen=True, kw_only=True)
class HitDifferences(Evidence):
    """0/1 first − second; the estimand is the difference of hit rates.

    Paired by prompt: Gaffke's bound on the pair differences in {−1, 0, 1}, exact without any
    assumption on the discordance; with several seeds on Korn–Graubard's effective sample size.
    Unpaired: limits recovered from each side's exact ones.

    Attributes:
        first: first[seed][prompt], each 0 or 1.
        second: second[seed][prompt], each 0 or 1.
        paired: "prompts" pairs index by index; "no" compares independent samples.
    """

    first: Sequence[Sequence[float]]
    second: Sequence[Sequence[float]]
    paired: Literal["prompts", "no"] = "prompts"

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


@dataclass(frozen=True, kw_only=True)
class Ratios(Evidence):
    """Positive per-seed numbers; the estimand is the geometric mean of numerator/denominator.

    t over log ratios; one seed shows no spread and has no interval.

    Attributes:
        numerator: one positive number per seed.
        denominator: one positive number per seed, in the same order.
    """

    numerator: Sequence[float]
    denominator: Sequence[float]

    def __post_init__(self) -> None:
        freeze(self, 1, "numerator", "denominator")
        if len(self.numerator) != len(self.denominator):
            raise ValueError(
                f"Ratios pairs by seed, but has {len(self.numerator)} numerators and "
                f"{len(self.denominator)} denominators"
            )
        if min(*self.numerator, *self.denominator) <= 0:
            raise ValueError("Ratios needs positive numbers on both sides")

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
        return "t on log ratios over seeds"

    @property
    def unit(self) -> str:
        return "seeds"

    @property
    def caveat(self) -> str:
        if self.shape[0] == 1:
            return "one seed shows no spread"
        return NO_SPREAD if Student.of(self._logs()).sd == 0 else ""

    def sampling(self) -> Exponential:
        return Exponential(log=Student.of(self._logs()))
