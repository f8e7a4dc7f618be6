"""One claim's estimates on several model families as one: a random-effects mean, and its spread.

The pooled estimate is shown next to the verdicts and has none of its own: a claim is judged on each
subject, and families are too few and too hand-picked to be a sample that a verdict could rest on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from lazarus_bench.judge.bounds import Array, student_t, t_quantile
from lazarus_bench.judge.conjunction import LEAST_MARGIN
from lazarus_bench.judge.evidence import PLAIN_LEVEL, Estimate, Interval

_NORMAL = float(special.ndtri((1 + PLAIN_LEVEL) / 2))


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """A random-effects summary of k ≥ 2 families; the model is yᵢ ~ N(μ, τ² + sᵢ²).

    Attributes:
        value: estimate of μ, in the estimand's own unit.
        interval: Hartung–Knapp interval of μ. It knows no bounds of the estimand's scale.
        prediction: where the true value of one more such family would lie; None for k = 2.
        tau: estimated standard deviation τ of the families' true values.
        q: Cochran's Q, χ² with k − 1 degrees of freedom when τ = 0.
        i2: I², the share of the spread that is not sampling error, in [0, 1).
        i2_interval: its interval.
        weights: the families' shares of `value`, shape (k,), summing to 1.
    """

    value: float
    interval: Interval
    prediction: Interval | None
    tau: float
    q: float
    i2: float
    i2_interval: Interval
    weights: tuple[float, ...]

    @property
    def families(self) -> int:
        """How many families were pooled."""
        return len(self.weights)


def obstacle(item: Estimate) -> str:
    """Return why an estimate cannot be pooled, as a clause; empty when it can."""
    low, high = item.interval95.low, item.interval95.high
    if item.scope == "exact":
        return "computed, so nothing was sampled"
    if item.method.startswith(LEAST_MARGIN):
        return "a least margin of several conditions, whose units may differ"
    if not (math.isfinite(low) and math.isfinite(high)):
        return "no finite interval"
    return "" if low < high else "an interval without width"


def standard_error(item: Estimate) -> float:
    """Return the standard error that the estimate is pooled with.

    Where the estimate knows its own, it is that one, and not read off the interval: limits free
    of the distribution's shape, or of the choice of a best layer, are several times as wide as
    the sampling error of few units, and Q would find families that differ to agree. It grows by
    t/1.96, the 97.5% quantiles of its degrees of freedom and of the normal, since few units show
    their spread badly: by 2.01 in variance at five, where the squared error over the estimated
    variance is 2 on average and not 1 (1.46 at eight, where it is 1.4). With the bare standard
    error Q would take that for heterogeneity. So the limits value ± 1.96 errors are t's.

    Otherwise it is the longer side of the plain 95% interval over 1.96: a rate of 0 or 1 has a
    sample variance of 0 but an exact interval to one side.

    Raises:
        ValueError: where `obstacle` says why there is none.
    """
    reason = obstacle(item)
    if reason:
        raise ValueError(f"the estimate has no standard error to pool with: {reason}")
    if item.error is not None and item.df is not None:
        return item.error * t_quantile((1 + PLAIN_LEVEL) / 2, item.df) / _NORMAL
    limits = item.interval95
    return max(item.value - limits.low, limits.high - item.value) / _NORMAL


def composite(values: Sequence[float], errors: Sequence[float]) -> tuple[float, float]:
    """Return mean and standard error of several estimates of one family, which share their base.

    How much they share is not known, so the error is that of estimates that vary as one
    (correlation 1), the largest possible: the mean of the errors.

    Source: Borenstein, Hedges, Higgins and Rothstein, Introduction to Meta-Analysis (2009),
    chapter 24.

    Args:
        values: estimates, shape (m,).
        errors: their standard errors, shape (m,).
    """
    return float(np.mean(values)), float(np.mean(errors))


def pool(values: Sequence[float], errors: Sequence[float], level: float = PLAIN_LEVEL) -> Pooled:
    """Pool one estimate a family under random effects.

    τ² is Paule and Mandel's: the value at which the weighted squares about the mean equal k − 1,
    or 0 (J. Res. Natl. Bur. Stand. 87, 1982; recommended by Veroniki et al., Res. Synth. Methods 7,
    2016). The interval is Hartung and Knapp's, t with k − 1 degrees of freedom (Hartung and Knapp,
    Stat. Med. 20, 2001; Sidik and Jonkman, Stat. Med. 21, 2002), its scale never below 1, so that
    estimates that happen to agree do not make it narrower than the errors allow (Röver, Knapp and
    Friede, BMC Med. Res. Methodol. 15, 2015). The prediction interval is t with k − 2 (Higgins,
    Thompson and Spiegelhalter, J. R. Stat. Soc. A 172, 2009). I² = τ²/(τ² + s²) with the families'
    typical variance s² (Higgins and Thompson, Stat. Med. 21, 2002, equation 9), its limits from the
    Q-profile limits of τ² (Viechtbauer, Stat. Med. 26, 2007).

    Args:
        values: estimates, shape (k,), k ≥ 2.
        errors: their standard errors, shape (k,), positive.
        level: two-sided level of the three intervals.

    Raises:
        ValueError: fewer than two families, unequal lengths, or a number out of place.
    """
    if len(values) != len(errors):
        raise ValueError(f"{len(values)} values need as many standard errors, not {len(errors)}")
    if len(values) < 2:
        raise ValueError(f"pooling needs two families or more, not {len(values)}")
    if not np.isfinite([*values, *errors]).all() or min(errors) <= 0:
        raise ValueError("pooling needs finite values and positive standard errors")
    if not 0 < level < 1:
        raise ValueError(f"an interval's level lies between 0 and 1, not at {level}")
    # In units of the smallest error no square vanishes.
    unit, centre = min(errors), float(np.mean(values))
    y, variances = (np.asarray(values) - centre) / unit, (np.asarray(errors) / unit) ** 2
    df = y.size - 1
    tau2 = _tau2(y, variances, df)
    mean, weights, squares = _weighted(y, variances, tau2)
    error2 = max(1.0, squares / df) / float(weights.sum())
    # The Q profile: each limit of τ² is where Q reaches a quantile of its χ² distribution.
    tail = (1 - level) / 2
    quantiles = (float(special.chdtri(df, p)) for p in (tail, 1 - tail))
    low, high = (_i2(_tau2(y, variances, quantile), variances) for quantile in quantiles)
    value = centre + unit * mean
    return Pooled(
        value=value,
        interval=_interval(value, unit * math.sqrt(error2), df, level),
        prediction=_interval(value, unit * math.sqrt(tau2 + error2), df - 1, level)
        if df > 1
        else None,
        tau=unit * math.sqrt(tau2),
        q=_weighted(y, variances, 0.0)[2],
        i2=_i2(tau2, variances),
        i2_interval=Interval(low=low, high=high, level=level),
        weights=tuple((weights / weights.sum()).tolist()),
    )


def _interval(value: float, error: float, df: float, level: float) -> Interval:
    low, high = student_t(value, error, df, level)
    return Interval(low=low, high=high, level=level)


def _weighted(y: Array, variances: Array, tau2: float) -> tuple[float, Array, float]:
    """Return the mean at weights 1/(s² + τ²), these weights, and the weighted squares about it."""
    weights = 1 / (variances + tau2)
    mean = float(weights @ y / weights.sum())
    return mean, weights, float(weights @ (y - mean) ** 2)


def _tau2(y: Array, variances: Array, squares: float) -> float:
    """Return the τ² whose weighted squares about the mean are `squares`; 0 where none has as many.

    They fall as τ² grows, and are at most Σ(y − ȳ)²/τ².
    """

    def excess(tau2: float) -> float:
        return _weighted(y, variances, tau2)[2] - squares

    if excess(0.0) <= 0:
        return 0.0
    most = 2 * float(((y - y.mean()) ** 2).sum()) / squares
    return float(optimize.brentq(excess, 0.0, most, xtol=1e-12, rtol=1e-12))


def _i2(tau2: float, variances: Array) -> float:
    weights = 1 / variances
    pairs = np.outer(weights, weights)
    np.fill_diagonal(pairs, 0.0)
    typical = (weights.size - 1) * float(weights.sum()) / float(pairs.sum())
    return tau2 / (tau2 + typical)
