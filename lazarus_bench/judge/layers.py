"""Evidence about the best of many layers, free of the optimism of picking it where it is read."""

# ruff: noqa: D102 (overrides inherit the docstring of what they override)
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Self

import numpy as np

from lazarus_bench.judge.bounds import Array, Limits, t_quantile
from lazarus_bench.judge.crossed import Crossed
from lazarus_bench.judge.evidence import OneSample, array, check_bounds, freeze
from lazarus_bench.judge.means import crossed_mean, two_way
from lazarus_bench.judge.sampling import NOTHING, Highest, Outer, Sampling, Student, one_run

_FLIPS = 3000
_FLIP_SEED = 20_240_229


def left_out_maxima(values: Array) -> Array:
    """Return each prompt's value at the layer that is best on all other prompts.

    Args:
        values: shape (prompts, layers), at least two prompts.

    Returns:
        Shape (prompts,); its mean never exceeds the largest layer mean of the sample.
    """
    others = values.sum(axis=0, keepdims=True) - values
    chosen: Array = values[np.arange(len(values)), others.argmax(axis=1)]
    return chosen


@dataclass(frozen=True, kw_only=True)
class BestLayer(Sampling):
    """Lower limit for the largest of several layer means of one run, by sign flips.

    The residuals' signs are flipped prompt by prompt and the largest studentised layer mean is
    taken inside each flip; its quantile c gives max over layers of mean − c·se, which holds for
    all layers at once and uses how they move together.

    Source: Westfall and Young, Resampling-Based Multiple Testing (1993), single-step max-T.

    Attributes:
        values: prompts × layers, in canonical order, so that no verdict depends on theirs.
        prompts: number of prompts it speaks for.
    """

    values: tuple[tuple[float, ...], ...]
    prompts: int

    @classmethod
    def of(cls, values: Array) -> BestLayer:
        """Summarise values of shape (prompts, layers)."""
        return cls(values=tuple(sorted(map(tuple, values.tolist()))), prompts=len(values))

    @property
    def size(self) -> int:
        return self.prompts

    def limits(self, level: float) -> Limits:
        values = array(self.values)
        n = len(values)
        if n < 2:
            return NOTHING
        means, errors = values.mean(axis=0), values.std(axis=0, ddof=1) / math.sqrt(self.prompts)
        spread = errors > 0
        if not spread.any():
            return NOTHING
        critical = max_t_quantile(values[:, spread] - means[spread], (1 + level) / 2)
        return float((means - critical * errors)[spread].max()), math.inf

    def resized(self, size: int) -> Self:
        return replace(self, prompts=size)

    def spread_known(self) -> bool:
        return bool(np.ptp(array(self.values), axis=0).any())

    def standard_error(self) -> tuple[float, float]:
        errors = array(self.values).std(axis=0, ddof=1) / math.sqrt(self.prompts)
        return float(errors.max()), self.prompts - 1


@lru_cache(maxsize=8)
def _signs(prompts: int) -> Array:
    signs: Array = np.random.default_rng(_FLIP_SEED).choice((-1.0, 1.0), (_FLIPS, prompts))
    return signs


def max_t_quantile(residuals: Array, probability: float) -> float:
    """Return the quantile of the largest studentised layer mean over random sign flips.

    Args:
        residuals: centred values, shape (prompts, layers), each layer with some spread.
        probability: in (0, 1).
    """
    n = len(residuals)
    flipped = _signs(n) @ residuals / n
    # Flips keep the sum of squares, so the flipped variance needs no second pass.
    variance = np.maximum((residuals**2).mean(axis=0) - flipped**2, 1e-300) / (n - 1)
    largest = (flipped / np.sqrt(variance)).max(axis=1)
    pointwise = t_quantile(probability, n - 1)
    return max(pointwise, float(np.quantile(largest, probability, method="higher")))


@dataclass(frozen=True, kw_only=True)
class LayerMax(OneSample):
    """The largest over layers of the mean over prompts.

    The largest sample mean overstates the largest true mean, so the two limits rest on different
    readings. One run, lower limit: the maximum is taken inside the resampling (`BestLayer`). Upper
    limit: the largest of the layers' own upper limits, which needs no correction, because missing
    the best layer's mean takes an error at that layer. Several seeds: two-way t over seeds and
    prompts, above with each seed at its own best layer; below with each prompt at the layer best
    on the *other* prompts. Shares (`bounds` of `SHARE`) are judged on log-odds, as in `Means`.

    Attributes:
        values: `values[seed][prompt][layer]`.
        items: what a seed's samples are of, where it is not prompts.
        bounds: where the estimand can lie, such as `SHARE`.
    """

    values: Sequence[Sequence[Sequence[float]]]
    items: str = "prompts"
    bounds: Limits = NOTHING

    def __post_init__(self) -> None:
        freeze(self, 3, "values")
        check_bounds(self)

    @property
    def point(self) -> float:
        above = self._above() if self.scope == "seeds" else None
        return above.point if isinstance(above, Crossed) else float(self.seed_values().mean())

    @property
    def method(self) -> str:
        if self.scope == "seeds":
            return f"{two_way(self._above(), self.items)}, at seeds' best layers"
        return "maximum inside sign flips"

    def _above(self) -> Sampling:
        """Sampling of the seeds' means, each at its own best layer."""
        values = array(self.values)
        best = values.mean(axis=1).argmax(axis=1)
        return crossed_mean(values[np.arange(len(values)), :, best], self.bounds)

    @property
    def kind(self) -> str:
        return "layer maxima"

    def seed_values(self) -> Array:
        maxima: Array = array(self.values).mean(axis=1).max(axis=1)
        return maxima

    def sampling(self) -> Sampling:
        values = array(self.values)
        if self.scope == "seeds":
            # One prompt leaves none to choose the layer on: the least layer is the safe reading.
            single = self.shape[1] == 1
            held = [run.min(axis=1) if single else left_out_maxima(run) for run in values]
            above = self._above()
            below = crossed_mean(np.stack(held), self.bounds)
            return Outer(lows=(below,), highs=(above,), point=above)
        layers = tuple(one_run(layer, (0.0, 1.0)) for layer in values[0].T)
        best = Student.of(values[0][:, values[0].mean(axis=0).argmax()])
        lows = (BestLayer.of(values[0]), Highest(parts=layers))
        return Outer(lows=lows, highs=layers, point=best)
