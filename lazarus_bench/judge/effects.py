"""Effect sizes with intervals; each function cites its formula."""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize, special, stats

from lazarus_bench.judge.bounds import Array, clopper_pearson, student_t
from lazarus_bench.judge.evidence import Effect


def hedges_correction(df: float) -> float:
    """Return J(df) = Γ(df/2) / (√(df/2) Γ((df − 1)/2)), exact (Hedges, 1981); df ≥ 2."""
    return float(
        np.exp(special.gammaln(df / 2) - special.gammaln((df - 1) / 2)) / math.sqrt(df / 2)
    )


def noncentral_t_cdf(t: float, df: float, nc: float) -> float:
    """Return P(T ≤ t) for T ~ noncentral t(df, nc), also where scipy's own gives NaN.

    Beyond |nc| = 30 it averages the χ distribution over the normal numerator (Gauss–Hermite).
    """
    if abs(nc) <= 30:
        return float(special.nctdtr(df, nc, t))
    if t < 0:
        return 1 - noncentral_t_cdf(-t, df, -nc)
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    least = np.maximum((nodes + nc) / max(t, 1e-300), 0.0)
    return float(weights @ stats.chi2.sf(df * least**2, df)) / math.sqrt(2 * math.pi)


def noncentrality_limits(t: float, df: float, level: float) -> tuple[float, float]:
    """Return the noncentralities whose noncentral t puts t at each tail (Steiger, 2004)."""
    if t < 0:
        low, high = noncentrality_limits(-t, df, level)
        return -high, -low
    tail = (1 - level) / 2
    z = float(stats.norm.isf(tail / 4)) + 1
    least, most = np.sqrt(stats.chi2.ppf([tail / 4, 1 - tail / 4], df) / df)

    def solve(target: float) -> float:
        return float(
            optimize.brentq(
                lambda nc: noncentral_t_cdf(t, df, nc) - target,
                t * least - z,
                t * most + z,
                xtol=1e-10,
            )
        )

    return solve(1 - tail), solve(tail)


def hedges_g(
    difference: float, sd: float, unit_error: float, df: float, level: float
) -> Effect | None:
    """Return Hedges' g = J·difference/sd with the noncentral-t interval.

    Args:
        difference: mean difference in the estimand's unit.
        sd: the standardiser (paired: sd of the differences; independent: pooled sd).
        unit_error: standard error of the difference divided by sd (√(1/n), √(1/n₁ + 1/n₂)).
        df: degrees of freedom of sd, at least 2.
        level: two-sided confidence level.

    Returns:
        The effect, or None where sd is 0, df < 2 or t is beyond what the noncentral t resolves.
    """
    if sd <= 0 or df < 2 or abs(t := difference / (sd * unit_error)) > 1000:
        return None
    correction = hedges_correction(df)
    low, high = noncentrality_limits(t, df, level)
    scale = correction * unit_error
    return Effect(name="Hedges g", value=t * scale, low=low * scale, high=high * scale, level=level)


def pooled_hedges_g(
    difference: float, squares: float, sizes: tuple[int, int], level: float
) -> Effect | None:
    """Return Hedges' g of two independent samples; `squares` are those about both their means."""
    df = sum(sizes) - 2
    if df < 2:
        return None
    error = math.sqrt(1 / sizes[0] + 1 / sizes[1])
    return hedges_g(difference, math.sqrt(squares / df), error, df, level)


def cohens_h(first: float, second: float) -> float:
    """Return 2·asin√first − 2·asin√second (Cohen, 1988)."""
    return 2 * math.asin(math.sqrt(first)) - 2 * math.asin(math.sqrt(second))


def cliffs_delta(first: Array, second: Array, level: float) -> Effect:
    """Return Cliff's δ = P(X > Y) − P(X < Y) with his asymmetric interval.

    Source: Cliff, Psychological Bulletin 114 (1993); interval as in Feng and Cliff (2004), with t
    quantiles of the smaller sample. A variance of 0 (complete separation) falls back on the
    smallest variance that the sample sizes can show.

    Args:
        first: shape (n,).
        second: shape (m,).
        level: two-sided confidence level.
    """
    signs = np.sign(first[:, None] - second[None, :])
    delta = float(signs.mean())
    n, m = signs.shape
    rows, columns = signs.mean(axis=1), signs.mean(axis=0)
    spread = max(float(((signs - delta) ** 2).sum()), 0.0)
    numerator = (
        m**2 * float(((rows - delta) ** 2).sum())
        + n**2 * float(((columns - delta) ** 2).sum())
        - spread
    )
    floor = max((1 - delta**2) / max(n * m - 1, 1), 1e-12)
    variance = max(numerator / max(n * m * (n - 1) * (m - 1), 1), floor)
    z = float(stats.t.ppf((1 + level) / 2, max(min(n, m) - 1, 1)))
    if abs(delta) == 1:
        edge = (min(n, m) - z**2) / (min(n, m) + z**2)
        low, high = (max(edge, -1.0), 1.0) if delta > 0 else (-1.0, min(-edge, 1.0))
    else:
        root = z * math.sqrt(variance) * math.sqrt((1 - delta**2) ** 2 + z**2 * variance)
        centre, scale = delta - delta**3, 1 - delta**2 + z**2 * variance
        low, high = max((centre - root) / scale, -1.0), min((centre + root) / scale, 1.0)
    return Effect(name="Cliff δ", value=delta, low=low, high=high, level=level)


def paired_odds_ratio(gains: int, losses: int, level: float) -> Effect | None:
    """Return the conditional odds ratio gains/losses of paired 0/1 data with its exact interval.

    The interval transforms Clopper–Pearson limits of gains/(gains + losses); it excludes 1
    exactly when the exact McNemar test rejects. None when no pair is discordant.

    Source: Breslow and Day, Statistical Methods in Cancer Research I (1980), section 5.2.
    """
    if gains + losses == 0:
        return None
    low, high = clopper_pearson(gains, gains + losses, level)
    value = gains / losses if losses else math.inf
    upper = high / (1 - high) if high < 1 else math.inf
    return Effect(name="odds ratio", value=value, low=low / (1 - low), high=upper, level=level)


def log_odds_ratio(differences: Array, level: float) -> Effect | None:
    """Return exp of the mean log-odds difference with a t interval on the log scale.

    Args:
        differences: paired differences of log-odds, shape (n,), n ≥ 2.
        level: two-sided confidence level.
    """
    n = differences.size
    if n < 2 or np.ptp(differences) == 0:
        return None
    error = float(differences.std(ddof=1)) / math.sqrt(n)
    low, high = student_t(float(differences.mean()), error, n - 1, level)
    value, low, high = (math.exp(min(x, 700.0)) for x in (float(differences.mean()), low, high))
    return Effect(name="odds ratio", value=value, low=low, high=high, level=level)
