"""Confidence limits as plain functions: Student t, Clopper–Pearson, and Gaffke's bounded mean."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

Array = NDArray[np.float64]
Limits = tuple[float, float]

# Trapezoid rule in z with y = width · sinh z along the path of steepest descent, where the
# integrand neither oscillates nor decays more slowly than |y|^-2. Most samples are done after the
# first stretch of z; two points of unit weight need them all.
_STEP = 0.125
_STRETCHES = tuple(np.arange(start, stop, _STEP) for start, stop in ((0.0, 4.0), (4.0, 14.0)))
_SMALL = 1e-11

_MOST_ATOMS = 4096
"""Above so many distinct values, those close together are merged: six digits stay the same."""


def t_quantile(probability: float, df: float) -> float:
    """Return Student's t quantile (scipy.special: the frozen distributions cost 50 times more)."""
    return float(special.stdtrit(df, probability))


def student_t(centre: float, error: float, df: float, level: float) -> Limits:
    """Return centre ± t·error.

    Args:
        centre: point estimate.
        error: its standard error.
        df: degrees of freedom.
        level: two-sided confidence level.
    """
    half = t_quantile((1 + level) / 2, df) * error
    return centre - half, centre + half


def clopper_pearson(hits: float, trials: float, level: float) -> Limits:
    """Return the exact binomial limits; hits and trials may be fractional effective counts.

    Source: Clopper and Pearson, Biometrika 26 (1934); fractional counts as in Korn and Graubard,
    Survey Methodology 24 (1998).
    """
    tail = (1 - level) / 2
    misses = trials - hits
    low = float(special.betaincinv(hits, misses + 1, tail)) if hits > 0 else 0.0
    high = 1 - float(special.betaincinv(misses, hits + 1, tail)) if misses > 0 else 1.0
    return low, high


def dirichlet_mean_sf(t: float, atoms: Array, weights: Array) -> float:
    """Return P(Σ Dᵢ atomsᵢ > t) for D ~ Dirichlet(weights).

    The event equals Q = Σ (atomsᵢ − t) Gᵢ > 0 with independent Gᵢ ~ Gamma(weightsᵢ), and
    P(Q > 0) = ∫ exp(K(s))/s ds / 2πi along a line right of 0, with Q's cumulant generating
    function K. The line goes through the integrand's saddle point, as in Lugannani and Rice,
    Advances in Applied Probability 12 (1980), but the integral is computed, not approximated.

    Args:
        t: threshold.
        atoms: the points, shape (k,).
        weights: their positive concentrations, shape (k,).
    """
    shifted = atoms - t
    if shifted.max() <= 0:
        return 0.0
    if shifted.min() >= 0:
        return 1.0
    slopes = shifted / shifted.max()

    def rise(s: float) -> float:
        return float(weights @ (slopes * s / (1 - slopes * s))) - 1

    # The s in (0, 1) where K'(s) = 1/s; slopes are at most 1.
    saddle = float(optimize.brentq(rise, 0.0, 1 - 1e-15, xtol=1e-9, rtol=1e-4))
    remaining = 1 - slopes * saddle
    ratio = slopes / remaining
    width = 1 / math.sqrt(float(weights @ ratio**2) + saddle**-2)
    peak = -float(weights @ np.log(remaining))
    total = 0.0
    for z in _STRETCHES:
        y = width * np.sinh(z)
        turned = y[:, None] * ratio
        decay = np.log1p(turned * turned) @ weights / 2
        heights = np.exp(peak - decay + 1j * (np.arctan(turned) @ weights)) / (saddle + 1j * y)
        steps = heights.real * np.cosh(z) * width
        total += float(steps.sum())
        if abs(steps[-1]) < _SMALL:
            break
    centre = math.exp(peak) / saddle * width
    return (total - centre / 2) * _STEP / math.pi


def _upper_bound(atoms: Array, weights: Array, end: float, tail: float) -> float:
    if np.ptp(atoms) == 0:
        # One atom and the end: the Dirichlet mean is a scaled Beta(1, n).
        reach = 1 - math.pow(tail, 1 / float(weights.sum()))
        return float(atoms[0]) + (end - float(atoms[0])) * reach
    # Distances from the end in units of the largest: the squares of tiny ones would vanish.
    largest = float((end - atoms).max())
    return end + largest * _unit_upper_bound((atoms - end) / largest, weights, tail)


def _unit_upper_bound(atoms: Array, weights: Array, tail: float) -> float:
    """Return the bound for atoms in [-1, 0] with an end of 0 and one atom at -1."""
    points, masses = np.append(atoms, 0.0), np.append(weights, 1.0)
    total = float(masses.sum())
    mean = float(masses @ points) / total
    step = 2 * math.sqrt(float(masses @ (points - mean) ** 2) / total / (total + 1))

    @cache
    def excess(t: float) -> float:
        # The logarithm is nearly straight in the tail, so the root takes few steps.
        return math.log(max(dirichlet_mean_sf(t, points, masses), 1e-300) / tail)

    low = mean
    while excess(low) < 0:
        low -= step
    high = min(0.0, low + step)
    while high < 0 and excess(high) > 0:
        low, high = high, min(0.0, high + step)
    return float(optimize.brentq(excess, low, high, xtol=1e-10 * step, rtol=1e-12))


def bounded_mean_high(atoms: Array, weights: Array, end: float, level: float) -> float:
    """Return an upper limit for the mean of a distribution that never exceeds `end`.

    Gaffke's bound: the (1 − tail) quantile of a Dirichlet-weighted mean of the sample and one
    more point at the support's end. It assumes nothing about the distribution's shape and equals
    Clopper–Pearson on 0/1 data.

    Source: Gaffke, "Three test statistics for a nonparametric one-sided hypothesis on the mean of
    a nonnegative variable" (2005); Phan, Thomas and Learned-Miller, ICML 2021.

    Args:
        atoms: distinct values, shape (k,).
        weights: how often each was seen (fractional for clustered samples), shape (k,).
        end: the largest possible value.
        level: two-sided confidence level; the tail is (1 − level)/2.
    """
    return _upper_bound(*_merged(atoms, weights), end, (1 - level) / 2)


def bounded_mean_low(atoms: Array, weights: Array, end: float, level: float) -> float:
    """Return the lower limit that mirrors `bounded_mean_high`; `end` is the least value."""
    return -_upper_bound(*_merged(-atoms, weights), -end, (1 - level) / 2)


def _merged(atoms: Array, weights: Array) -> tuple[Array, Array]:
    """Return at most `_MOST_ATOMS` atoms of the same mean: those close together become one."""
    if atoms.size <= _MOST_ATOMS:
        return atoms, weights
    place = (atoms - atoms.min()) / np.ptp(atoms) * (_MOST_ATOMS - 1)
    group = place.astype(np.int64)
    masses = np.bincount(group, weights=weights).astype(np.float64)
    sums, kept = np.bincount(group, weights=weights * atoms), masses > 0
    means: Array = sums[kept] / masses[kept]
    return means, masses[kept]
