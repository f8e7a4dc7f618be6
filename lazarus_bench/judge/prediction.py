"""What a replication with new seeds would show, and the chance that its verdict is the same."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from lazarus_bench.judge.bounds import Array, student_t
from lazarus_bench.judge.evidence import SHARE, Evidence
from lazarus_bench.judge.region import Region

LEVEL = 0.9999
"""Level of the prediction interval that pins hold an estimate to.

A run holds some hundred estimates to theirs at once. At this level a perfect replication leaves any
of them one time in a hundred; at 99% each it would two times in three.
"""

_GRID = 400


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """A replication with as many new seeds and the same prompts.

    Attributes:
        low: lower end of the interval in which its estimate lies with probability `level`.
        high: upper end.
        level: 0.9999.
        same: probability that its verdict is the same; 1 for a computed number.
    """

    low: float
    high: float
    level: float
    same: float


def predict(evidence: Evidence, region: Region, level: float) -> Prediction | None:
    """Return what a replication with as many new seeds would show; None where nothing tells.

    Old and new estimates differ by t with n − 1 degrees of freedom and variance 2s²/n, with s the
    spread between the seeds' own values; the interval's half-widths stay what they are (Hahn and
    Meeker, *Statistical Intervals*, 1991, chapter 4). Shares are predicted on log-odds. Unpaired
    samples add their variances, with Welch's degrees of freedom.

    Args:
        evidence: the samples.
        region: the claim's region.
        level: two-sided level of the interval that decides.
    """
    if evidence.scope == "exact":
        return Prediction(low=evidence.point, high=evidence.point, level=LEVEL, same=1.0)
    again = _again(evidence, region, level, evidence.shape[0], grown=False)
    scatter = _scatter(evidence)
    if again is None or scatter is None:
        return None
    now = _side(region, *evidence.limits(level))
    link, back = _scale(evidence)
    point, (error, df) = float(link(np.array([evidence.point]))[0]), scatter
    ends = np.array(student_t(point, error * math.sqrt(2), df, LEVEL))
    if not error:
        ends = link(np.array(evidence.limits(level)))
    low, high = np.clip(_reaching(evidence, back(ends)), *evidence.bounds).tolist()
    same = float(np.mean([side == now for side in again]))
    return Prediction(low=low, high=high, level=LEVEL, same=same)


def _again(
    evidence: Evidence, region: Region, level: float, size: int, *, grown: bool
) -> list[int] | None:
    """Return the sides of intervals of samples of `size` seeds, at even chances; None if unknown.

    `grown` samples hold the seeds at hand, others are new ones.
    """
    scatter, limits = _scatter(evidence), evidence.limits(level)
    if scatter is None or not np.isfinite(limits).all():
        return None
    link, back = _scale(evidence)
    point, n = float(link(np.array([evidence.point]))[0]), evidence.shape[0]
    low, high = link(np.array(limits)).tolist()
    # The mean of all `size` seeds differs from that of the first n by s²(1/n − 1/size).
    error, df = scatter
    error *= math.sqrt(max(1 - n / size, 0.0) if grown else 1 + n / size)
    shifted = point + error * special.stdtrit(df, (np.arange(_GRID) + 0.5) / _GRID)
    shrunk = math.sqrt(n / size)
    lows, highs = back(shifted - (point - low) * shrunk), back(shifted + (high - point) * shrunk)
    return [_side(region, *pair) for pair in zip(lows, highs, strict=True)]


def chance_of_decision(evidence: Evidence, region: Region, level: float, size: int) -> float:
    """Return the predicted chance that a sample of `size` seeds decides; ½ where nothing tells.

    The new estimate scatters about the old one with the spread between seeds that was seen, and its
    interval is narrower by √(n/size).

    Args:
        evidence: the sample at hand.
        region: the claim's region.
        level: two-sided level of the look.
        size: number of seeds of the larger sample, of which these are the first.
    """
    found = _again(evidence, region, level, size, grown=True)
    return 0.5 if found is None else float(np.mean([side != 0 for side in found]))


def _scatter(evidence: Evidence) -> tuple[float, float] | None:
    """The error that the seeds leave in the estimate, on its scale, and its degrees of freedom."""
    values = evidence.seed_values() if evidence.scope == "seeds" else None
    samples = evidence.seed_checks() if values is None else [values]
    if not samples or min(sample.size for sample in samples) < 2:
        return None
    link, _ = _scale(evidence)
    squares = [float(link(sample).std(ddof=1)) ** 2 / sample.size for sample in samples]
    least = min(sample.size for sample in samples) - 1
    if not (total := sum(squares)):
        return 0.0, least
    shares = [square / total for square in squares]
    df = 1 / sum(s**2 / (v.size - 1) for s, v in zip(shares, samples, strict=True))
    return math.sqrt(total), df


def _scale(evidence: Evidence) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    """The scale on which estimates scatter evenly, and the way back: log-odds, logarithms, none."""
    if evidence.bounds == (0.0, math.inf):
        return _log, _exp
    if not _on_log_odds(evidence):
        return np.asarray, np.asarray
    least = _least(evidence)
    return lambda x: special.logit(np.where((x <= 0) | (x >= 1), x.clip(least, 1 - least), x)), (
        special.expit
    )


def _on_log_odds(evidence: Evidence) -> bool:
    return evidence.bounds == SHARE and 0 < evidence.point < 1


def _least(evidence: Evidence) -> float:
    """Half a prompt: how far from 0 or 1 a seed counts that is there."""
    return float(0.5 / (evidence.shape[1] + 1))


def _reaching(evidence: Evidence, ends: Array) -> Array:
    """`ends` of an interval of shares, moved to 0 or 1 from where those count.

    No interval of log-odds holds 0 itself, where a replication may well lie. Of one number a seed
    nothing tells how near to 0 the next one is.
    """
    if not _on_log_odds(evidence) or evidence.shape[1] == 1:
        return ends
    low, high = ends
    least = _least(evidence)
    return np.array([0.0 if low <= least else low, 1.0 if high >= 1 - least else high])


def _log(x: Array) -> Array:
    """log(x), quietly −∞ at 0."""
    with np.errstate(divide="ignore"):
        return np.log(x)


def _exp(x: Array) -> Array:
    """exp(x), quietly infinite where two seeds say next to nothing about the next two."""
    with np.errstate(over="ignore"):
        return np.exp(x)


def _side(region: Region, low: float, high: float) -> int:
    """1 where an interval supports the region, -1 where it refutes it, else 0."""
    return int(region.contains(low, high)) - int(region.excludes(low, high))
