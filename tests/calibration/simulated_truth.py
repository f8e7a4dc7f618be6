"""How often the judge errs when the truth is known: shared by the calibration tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from lazarus_bench.judge import (
    Above,
    AtLeast,
    AtMost,
    Below,
    Evidence,
    Region,
    Within,
    family_level,
)

ALPHA = 0.05
Sample = Callable[[np.random.Generator], Evidence]


@dataclass(frozen=True)
class Rates:
    """Shares of replicates, with how many there were."""

    supported: float
    refuted: float
    replicates: int


def limits(sample: Sample, *, level: float, replicates: int, seed: int = 7) -> np.ndarray:
    """Confidence limits of independent samples, shape (replicates, 2)."""
    rng = np.random.default_rng(seed)
    return np.array([sample(rng).limits(level) for _ in range(replicates)])


def regions_around(truth: float, margin: float) -> list[Region]:
    """Every kind of region with the truth on its edge, a hair beyond, and a margin to each side."""
    hair = 1e-12
    shifts = (0.0, hair, -hair, margin, -margin)
    one_sided = [kind(truth + d) for kind in (AtLeast, AtMost, Above, Below) for d in shifts]
    starts = (0.0, hair, -margin, -3 * margin, -3 * margin - hair, -4 * margin, margin)
    return [*one_sided, *(Within(truth + d, truth + d + 3 * margin) for d in starts)]


def rates(region: Region, found: np.ndarray) -> Rates:
    return Rates(
        supported=float(np.mean([region.contains(low, high) for low, high in found])),
        refuted=float(np.mean([region.excludes(low, high) for low, high in found])),
        replicates=len(found),
    )


def allowed(rate: float, replicates: int) -> float:
    """Largest share that chance alone explains (1 in 10,000) when the true one is `rate`."""
    return float(stats.binom.isf(1e-4, replicates, rate)) / replicates


def false_verdicts(
    sample: Sample, truth: float, margin: float, *, family_size: int = 1, replicates: int = 1000
) -> dict[str, float]:
    """Shares of false verdicts, by region, that exceed alpha/family_size beyond chance."""
    found = limits(sample, level=family_level(family_size), replicates=replicates)
    bound = allowed(ALPHA / family_size, replicates)
    excess = {}
    for region in regions_around(truth, margin):
        observed = rates(region, found)
        wrong = observed.refuted if region.contains_value(truth) else observed.supported
        if wrong > bound:
            excess[region.describe()] = wrong
    return excess


def coverage(sample: Sample, truth: float, *, level: float = 0.95, replicates: int = 1500) -> float:
    """Share of intervals that contain the truth."""
    found = limits(sample, level=level, replicates=replicates)
    return float(np.mean((found[:, 0] <= truth) & (truth <= found[:, 1])))
