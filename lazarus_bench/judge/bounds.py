"""Confidence limits as plain functions: Student t, Clopper–Pearson, and Gaffke's bounded mean."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

Array = NDArray[np.float64]
Limits = tuple[float, float]

# Trapezoid rule in s = log u: the integrand is analytic in a strip around the real line, so the
# error falls as exp(-5 / step); 0.2 gives about 1e-11 near the mean. Below the range the integral
# is smaller than exp(-21); above it the slowest integrand (two points) has decayed to exp(-28).
_LOG_U = np.arange(-21.0, 14.0, 0.2)


def student_t(centre: float, error: float, df: float, level: float) -> Limits:
    """Return centre ± t·error.

    Args:
        centre: point estimate.
        error: its standard error.
        df: degrees of freedom.
        level: two-sided confidence level.
    """
    half = float(stats.t.ppf((1 + level) / 2, df)) * error
    return centre - half, centre + half


def clopper_pearson(hits: float, trials: float, level: float) -> Limits:
    """Return the exact binomial limits; hits and trials may be fractional effective counts.

    Source: Clopper and Pearson, Biometrika 26 (1934); fractional counts as in Korn and Graubard,
    Survey Methodology 24 (1998).
    """
    tail = (1 - level) / 2
    misses = trials - hits
    low = float(stats.beta.ppf(tail, hits, misses + 1)) if hits > 0 else 0.0
    high = float(stats.beta.isf(tail, hits + 1, misses)) if misses > 0 else 1.0
    return low, high


def dirichlet_mean_cdf(t: float, atoms: Array, weights: Array) -> float:
    """Return P(Σ Dᵢ atomsᵢ ≤ t) for D ~ Dirichlet(weights).

    The event equals Σ (atomsᵢ − t) Gᵢ ≤ 0 with independent Gᵢ ~ Gamma(weightsᵢ), whose
    distribution function follows from its characteristic function (Imhof, Biometrika 48, 1961).

    Args:
        t: threshold.
        atoms: the points, shape (k,).
        weights: their positive concentrations, shape (k,).
    """
    shifted = atoms - t
    scale = float(np.sum(weights * np.abs(shifted)))
    if scale == 0:
        return 1.0
    scaled = np.exp(_LOG_U)[:, None] * (shifted / scale)
    phase = np.arctan(scaled) @ weights
    decay = np.log1p(scaled**2) @ weights / 2
    integral = float(np.sum(np.sin(phase) * np.exp(-decay))) * float(_LOG_U[1] - _LOG_U[0])
    return min(1.0, max(0.0, 0.5 - integral / math.pi))


def _upper_bound(atoms: Array, weights: Array, end: float, tail: float) -> float:
    if np.ptp(atoms) == 0:
        # One atom and the end: the Dirichlet mean is a scaled Beta(1, n).
        reach = float(stats.beta.isf(tail, 1.0, weights.sum()))
        return float(atoms[0]) + (end - float(atoms[0])) * reach
    points, masses = np.append(atoms, end), np.append(weights, 1.0)
    total = float(masses.sum())
    mean = float(masses @ points) / total
    step = math.sqrt(float(masses @ (points - mean) ** 2) / total / (total + 1))

    def excess(t: float) -> float:
        return dirichlet_mean_cdf(t, points, masses) - (1 - tail)

    # Far from its mean the integrand oscillates faster than the grid: walk outwards instead.
    low = mean
    while excess(low) > 0:
        low -= step
    high = min(end, low + 2 * step)
    while high < end and excess(high) < 0:
        low, high = high, min(end, high + step)
    return float(optimize.brentq(excess, low, high, xtol=1e-12, rtol=1e-10))


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
    return _upper_bound(atoms, weights, end, (1 - level) / 2)


def bounded_mean_low(atoms: Array, weights: Array, end: float, level: float) -> float:
    """Return the lower limit that mirrors `bounded_mean_high`; `end` is the least value."""
    return -_upper_bound(-atoms, weights, -end, (1 - level) / 2)
