"""Medians, ratios of medians and exponents of repeated timings, with bootstrap intervals.

Times on a shared machine have long upper tails, so medians stand for them, and intervals of medians
and their ratios come from resampling whole rounds: what disturbed a round disturbed all arms in it.
Percentile intervals at 95% (Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993, chapter
13); exponents have Student's t over rounds. No mlx here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lazarus_bench.judge.bounds import t_quantile

Floats = npt.NDArray[np.float64]

LEVEL = 0.95
DRAWS = 2000
SEED = 9


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A value and the limits of its 95% interval; both are the value where there was one round."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """For people, in three digits, and whole from a thousand on."""
        value, low, high = (
            f"{x:,.0f}" if abs(x) >= 1000 else f"{x:.3g}" for x in (self.value, self.low, self.high)
        )
        return f"{value} [{low}, {high}]"


def median(samples: Sequence[float] | Floats) -> Interval:
    """The median of `samples` `[round]`."""
    return _bootstrapped(_positive(samples)[:, None], lambda mid: mid[..., 0])


def ratio_of_medians(
    numerator: Sequence[float] | Floats, denominator: Sequence[float] | Floats
) -> Interval:
    """Median of `numerator` over median of `denominator`, both `[round]` of the same rounds.

    Raises:
        ValueError: they have not the same rounds, or a number is not positive.
    """
    top, bottom = _positive(numerator), _positive(denominator)
    if top.shape != bottom.shape:
        raise ValueError(f"{len(top)} rounds over {len(bottom)}: a ratio is of the same rounds")
    return _bootstrapped(np.stack([top, bottom], axis=1), lambda mid: mid[..., 0] / mid[..., 1])


def exponent(sizes: Sequence[float], costs: Sequence[Sequence[float]] | Floats) -> Interval:
    """The k of cost = c · size^k: least squares on logarithms of the medians over rounds.

    A cost a + b · size has a k below 1 that grows with the sizes; `last_exponent` tells where it
    tends to. The interval is t over the rounds' own exponents, since a bootstrap of two or three
    rounds covers half of what it promises; it speaks of the timings' noise, not of the fit.

    Args:
        sizes: two or more, each twice no other.
        costs: `[round, size]`.

    Raises:
        ValueError: fewer than two distinct sizes, or a number is not positive.
    """
    logs = np.log(_positive(sizes))
    values = _positive(costs)
    if len(set(logs.tolist())) < 2 or values.ndim != 2 or values.shape[1] != len(logs):
        raise ValueError(f"an exponent needs costs at two sizes or more, not {values.shape}")
    centred = logs - logs.mean()
    weights = centred / (centred @ centred)
    # The weights of close sizes are large, and a rounded sum of theirs times a log is no zero.
    middle = np.log(np.median(values, axis=0))
    value = float((middle - middle.mean()) @ weights)
    each = (np.log(values) - middle.mean()) @ weights
    if len(each) < 2:
        return Interval(value=value, low=value, high=value)
    half = t_quantile((1 + LEVEL) / 2, len(each) - 1) * float(each.std(ddof=1)) / len(each) ** 0.5
    return Interval(value=value, low=value - half, high=value + half)


def last_exponent(sizes: Sequence[float], costs: Sequence[Sequence[float]] | Floats) -> Interval:
    """The exponent between the two largest sizes, where a fixed cost weighs least.

    Raises:
        ValueError: as `exponent`.
    """
    two = np.argsort(sizes)[-2:]
    return exponent([sizes[i] for i in two], np.asarray(costs, dtype=np.float64)[:, two])


def _positive(values: Sequence[float] | Sequence[Sequence[float]] | Floats) -> Floats:
    given = np.asarray(values, dtype=np.float64)
    if not given.size or not (np.isfinite(given).all() and (given > 0).all()):
        raise ValueError("times and sizes are positive numbers, one or more")
    return given


def _bootstrapped(rounds: Floats, statistic: Callable[[Floats], Floats]) -> Interval:
    """`statistic` of the columns' medians of `rounds` `[round, column]`, rounds resampled."""
    value = float(statistic(np.median(rounds, axis=0)))
    rng = np.random.default_rng(SEED)
    drawn = rng.integers(len(rounds), size=(DRAWS, len(rounds)))
    found = statistic(np.median(rounds[drawn], axis=1))
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(found, [tail, 100 - tail])
    return Interval(value=value, low=min(value, float(low)), high=max(value, float(high)))
