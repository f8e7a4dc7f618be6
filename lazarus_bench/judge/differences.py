"""Evidence from two samples of continuous values: their difference."""

# ruff: noqa: D102 (overrides inherit the docstring of what they override)
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lazarus_bench.judge.bounded import one_run
from lazarus_bench.judge.bounds import Array, Limits
from lazarus_bench.judge.effects import cliffs_delta, hedges_g, log_odds_ratio
from lazarus_bench.judge.estimate import Effect
from lazarus_bench.judge.evidence import (
    Evidence,
    array,
    check_bounds,
    freeze,
    paired_difference,
)
from lazarus_bench.judge.sampling import NOTHING, Recovered, Sampling
from lazarus_bench.judge.student import Student, Welch

_NEAR_END = 0.05


def _probabilities(*samples: Array) -> bool:
    return all(bool(((sample >= 0) & (sample <= 1)).all()) for sample in samples)


@dataclass(frozen=True, kw_only=True)
class Differences(Evidence):
    """Continuous first − second; the estimand is the difference of means.

    Paired: t over the seeds' mean differences, or with one run over prompts (values in [0, 1] get
    the hull of t and Gaffke's bound on [−1, 1]). Unpaired: Welch over seed means, or with one run
    each Welch over prompts (values in [0, 1]: the hull with limits recovered from each side).

    Attributes:
        first: `first[seed][prompt]`.
        second: `second[seed][prompt]`.
        paired: "prompts" and "seeds" pair index by index; "no" compares independent samples.
        items: what a seed's samples are of, where it is not prompts.
        support: whether values in [0, 1] could be nothing else, as probabilities and shares. Not
            for cosines: t alone then, since a bound on few of them would be as wide as the bound.
        bounds: where the estimand can lie, such as `SHARE_DIFFERENCE`.
    """

    first: Sequence[Sequence[float]]
    second: Sequence[Sequence[float]]
    paired: Literal["prompts", "seeds", "no"]
    items: str = "prompts"
    support: bool = True
    bounds: Limits = NOTHING

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
        check_bounds(self)

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

    def _bounded(self) -> bool:
        return self.support and self.scope == "run" and _probabilities(*self._samples())

    @property
    def point(self) -> float:
        first, second = self._samples()
        return float(first.mean() - second.mean())

    @property
    def method(self) -> str:
        name = "Welch t" if self.paired == "no" else "paired t"
        if self._bounded():
            name = "bounded difference" if self.paired == "no" else "bounded paired difference"
        return f"{name} over {self.unit}"

    def seed_values(self) -> Array | None:
        return None if self.paired == "no" else self.units()

    def sampling(self) -> Sampling:
        bounded = self._bounded()
        if self.paired != "no":
            units = self.units()
            return one_run(units, (-1.0, 1.0)) if bounded else Student.of(units)
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
        first, second = self._sides()
        df = first.size + second.size - 2
        if df < 2:
            return None
        pooled = float(np.sum((first - first.mean()) ** 2) + np.sum((second - second.mean()) ** 2))
        error = math.sqrt(1 / first.size + 1 / second.size)
        return hedges_g(self.point, math.sqrt(pooled / df), error, df, level)
