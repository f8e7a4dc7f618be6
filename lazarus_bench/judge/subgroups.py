"""Seeds that fail: two groups of seeds on different sides of a region's edge."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from lazarus_bench.judge.bounds import Array
from lazarus_bench.judge.region import Region

LEAST_SEEDS = 4
"""Below this no group stands out from so few others."""

LEAST_GAP = 1e-4
"""Spread inside a group, relative to the values, below which differences are negligible."""

FALSE_ALARM = 0.01
_DRAWS = 20_000


def _gap(values: Array, size: int, floor: float) -> Array:
    """Studentised gap between the `size` smallest of sorted values [..., n] and the others."""
    low, high = values[..., :size], values[..., size:]
    n = values.shape[-1]
    squares = low.var(axis=-1) * size + high.var(axis=-1) * (n - size)
    within = np.sqrt(np.maximum(squares / (n - 2), floor**2))
    gap = (high.mean(axis=-1) - low.mean(axis=-1)) / within
    studentised: Array = gap / np.sqrt(1 / size + 1 / (n - size))
    return studentised


@lru_cache(maxsize=64)
def critical_gap(seeds: int) -> float:
    """Return the largest studentised gap that normal seeds exceed once in a hundred samples."""
    values = np.sort(np.random.default_rng(0).normal(size=(_DRAWS, seeds)), axis=1)
    largest = np.max([_gap(values, size, 0.0) for size in range(1, seeds)], axis=0)
    return float(np.quantile(largest, 1 - FALSE_ALARM))


def apart(values: Array, region: Region, floor: float = 0.0) -> tuple[int, ...]:
    """Return the seeds of the smaller of two groups that a mean would hide; empty without any.

    Seeds fall into two groups where the gap between them, in units of the spread inside them, is
    one that normal seeds show once in a hundred samples, and the groups' means lie on different
    sides of an edge of the region. A gap on one side of the edge changes no answer.

    The statistic is that of Grubbs (Technometrics 11, 1969) and Tietjen and Moore (Technometrics
    14, 1972) for one and several outliers; its critical value is simulated.

    Args:
        values: each seed's own value, shape (seeds,).
        region: the claim's region, on the scale of `values`.
        floor: least spread inside a group: the error of one seed's value.
    """
    n = values.size
    if n < LEAST_SEEDS:
        return ()
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    if np.ptp(ranked) == 0:
        return ()
    largest = float(np.abs(ranked).max())  # in whose units no square underflows
    spread = max(floor / largest, LEAST_GAP)
    gaps = [float(_gap(ranked / largest, size, spread)) for size in range(1, n)]
    size = int(np.argmax(gaps)) + 1
    if gaps[size - 1] <= critical_gap(n):
        return ()
    means = float(ranked[:size].mean()), float(ranked[size:].mean())
    if region.contains_value(means[0]) == region.contains_value(means[1]):
        return ()
    smaller = order[:size] if size <= n - size else order[size:]
    return tuple(sorted(smaller.tolist()))
