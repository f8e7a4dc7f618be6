"""Evidence from one sample of continuous values."""

# ruff: noqa: D102 (overrides inherit the docstring of what they override)
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lazarus_bench.judge.bounded import one_run
from lazarus_bench.judge.bounds import Array, Limits
from lazarus_bench.judge.effects import hedges_g
from lazarus_bench.judge.estimate import Effect
from lazarus_bench.judge.evidence import Evidence, array, check_bounds, freeze
from lazarus_bench.judge.sampling import NOTHING, Sampling
from lazarus_bench.judge.student import Student


def cluster_means(values: Array, clusters: Sequence[str | int]) -> Array:
    """Return one mean per cluster, shape (clusters,), from values of shape (prompts,)."""
    _, codes = np.unique([str(key) for key in clusters], return_inverse=True)
    means: Array = np.bincount(codes, weights=values) / np.bincount(codes)
    return means


@dataclass(frozen=True, kw_only=True)
class Means(Evidence):
    """Continuous samples; the estimand is their mean.

    Several seeds: t over seed means. One run: over prompts, or over cluster means so that each
    operand pair or template counts once; values inside [0, 1] get the hull of t and Gaffke's
    bound, which stays valid for skewed probabilities at few prompts and is wider than t there.
    Five seeds do not show their own skewness: where they follow Beta(8, 2), a nominal 95% covers
    93%, and a one-sided 5% error on the side of the long tail is 10%.

    Attributes:
        values: `values[seed][prompt]`.
        clusters: one key per prompt, read with one run only, or None when prompts are independent.
        items: what a seed's samples are of, where it is not prompts.
        bounds: where the estimand can lie, such as `SHARE`.
    """

    values: Sequence[Sequence[float]]
    clusters: Sequence[str | int] | None = None
    items: str = "prompts"
    bounds: Limits = NOTHING

    def __post_init__(self) -> None:
        freeze(self, 2, "values")
        if self.clusters is not None:
            object.__setattr__(self, "clusters", tuple(self.clusters))
            if len(self.clusters) != self.shape[1]:
                raise ValueError(
                    f"Means.clusters has {len(self.clusters)} keys for {self.shape[1]} prompts"
                )
        check_bounds(self)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.values), len(self.values[0])

    def units(self) -> Array:
        """Return the independent units: seed means, cluster means or prompts."""
        values = array(self.values)
        if self.shape[0] > 1:
            means: Array = values.mean(axis=1)
            return means
        return values[0] if self.clusters is None else cluster_means(values[0], self.clusters)

    @property
    def unit(self) -> str:
        if self.scope == "seeds":
            return "seeds"
        return self.items if self.clusters is None else "clusters"

    @property
    def point(self) -> float:
        return float(self.units().mean())

    @property
    def method(self) -> str:
        if self.scope == "seeds":
            return "t over seeds"
        units = self.units()
        bounded = units.min() >= 0 and units.max() <= 1
        return f"{'bounded mean' if bounded else 't'} over {self.unit}"

    def seed_values(self) -> Array:
        means: Array = array(self.values).mean(axis=1)
        return means

    def sampling(self) -> Sampling:
        units = self.units()
        return Student.of(units) if self.scope == "seeds" else one_run(units, (0.0, 1.0))

    def effect(self, level: float, edge: float | None = None) -> Effect | None:
        if edge is None:
            return None
        units = self.units()
        n, sd = units.size, Student.of(units).sd
        return hedges_g(self.point - edge, sd, math.sqrt(1 / n), n - 1, level)
