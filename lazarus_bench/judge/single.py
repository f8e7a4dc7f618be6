"""Evidence from one sample: means and hit rates."""

# ruff: noqa: D102 (overrides inherit the docstring of what they override)
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lazarus_bench.judge.bounds import Array
from lazarus_bench.judge.effects import cohens_h, hedges_g
from lazarus_bench.judge.estimate import Effect
from lazarus_bench.judge.evidence import Evidence, array, freeze, require_hits
from lazarus_bench.judge.sampling import Bounded, Sampling, Student, one_run

NO_SPREAD = "all seeds agree exactly, so the spread between seeds is unknown"


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

    Attributes:
        values: values[seed][prompt].
        clusters: one key per prompt (one run only), or None when prompts are independent.
    """

    values: Sequence[Sequence[float]]
    clusters: Sequence[str | int] | None = None

    def __post_init__(self) -> None:
        freeze(self, 2, "values")
        if self.clusters is not None:
            object.__setattr__(self, "clusters", tuple(self.clusters))
            if len(self.clusters) != self.shape[1]:
                raise ValueError(
                    f"Means.clusters has {len(self.clusters)} keys for {self.shape[1]} prompts"
                )

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
        return "prompts" if self.clusters is None else "clusters"

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

    @property
    def caveat(self) -> str:
        if self.scope == "seeds":
            return NO_SPREAD if Student.of(self.units()).sd == 0 else ""
        return "" if math.isfinite(self.limits(0.5)[0]) else "one run shows no spread"

    def sampling(self) -> Sampling:
        units = self.units()
        return Student.of(units) if self.scope == "seeds" else one_run(units, (0.0, 1.0))

    def effect(self, level: float, edge: float | None = None) -> Effect | None:
        if edge is None:
            return None
        units = self.units()
        n, sd = units.size, Student.of(units).sd
        return hedges_g(self.point - edge, sd, math.sqrt(1 / n), n - 1, level)


@dataclass(frozen=True, kw_only=True)
class Hits(Evidence):
    """0/1 samples; the estimand is the hit rate minus a known constant.

    One run: Clopper–Pearson. Several seeds: Korn–Graubard's exact interval on the effective
    sample size, so that agreement of a few seeds is not taken for certainty.

    Attributes:
        values: values[seed][prompt], each 0 or 1.
        minus: known constant such as the chance rate, subtracted from value and interval.
    """

    values: Sequence[Sequence[float]]
    minus: float = 0.0

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
