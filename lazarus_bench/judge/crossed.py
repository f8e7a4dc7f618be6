"""Seeds crossed with prompts: every seed answers the same prompts, so both are sources of error."""

# ruff: noqa: D102 (overrides inherit the docstring of what they override)
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy import special

from lazarus_bench.judge.bounds import Array, Limits, student_t
from lazarus_bench.judge.sampling import NOTHING, Sampling

_ROUNDING = 1e-12
"""Relative spread below which values differ by rounding alone."""


@dataclass(frozen=True, kw_only=True)
class Items:
    """What the prompts, or clusters of prompts, of one sample contribute to a mean's variance.

    Attributes:
        between: variance between items that all seeds share, σ_b²; at least 0.
        noise: variance of the seed × item interaction, σ_e².
        count: number of items.
        unseen: share of the population of items that was not sampled, in [0, 1]; 1 where the
            population is unlimited.
    """

    between: float
    noise: float
    count: int
    unseen: float = 1.0

    @property
    def error2(self) -> float:
        """Their share of the mean's squared error."""
        return self.unseen * self.between / self.count

    def uncertainty(self, seeds: int, error2: float) -> float:
        """Satterthwaite's term: each share of `error2`, squared, over its degrees of freedom."""
        if self.count < 2:
            return 0.0
        scale, df = self.unseen / self.count / error2, self.count - 1
        shared = scale * (self.between + self.noise / seeds)
        return shared**2 / df + (scale * self.noise / seeds) ** 2 / (df * (seeds - 1))


@dataclass(frozen=True, kw_only=True)
class Crossed(Sampling):
    """t for a mean over seeds × prompts, both sampled, with the two-way variance.

    The variance is s_a²/n + (1 − f)·σ_b²/P with s_a² the variance between seeds' means (which holds
    the interaction's share), σ_b² the prompts' component and f the sampled fraction of a finite
    population of prompts; without f it equals s_a²/n + s_b²/P − s_e²/(nP). A component that comes
    out negative counts as 0. Degrees of freedom are Satterthwaite's over the three mean squares.

    Sources: Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1 (2007); Owen and
    Eckles, Annals of Applied Statistics 6 (2012); Satterthwaite, Biometrics Bulletin 2 (1946).

    Attributes:
        mean: the estimate, on the scale of `logits`.
        between: variance between the seeds' means, never below what the interaction implies.
        n: number of seeds.
        items: one entry for each sample of prompts that the mean is taken over.
        logits: whether mean and variances are those of log-odds; limits are then shares.
        offset: known constant subtracted from the limits.
    """

    mean: float
    between: float
    n: int
    items: tuple[Items, ...]
    logits: bool = False
    offset: float = 0.0

    @classmethod
    def of(cls, cells: Array, population: int | None = None) -> Crossed:
        """Summarise values of shape (seeds, items), drawn from a `population` of so many items."""
        n, count = cells.shape
        rows, columns = cells.mean(axis=1), cells.mean(axis=0)
        mean = float(cells.mean())
        noise = between = 0.0
        if n > 1 and count > 1:
            rest = cells - rows[:, None] - columns + mean
            noise = float((rest**2).sum()) / ((n - 1) * (count - 1))
            between = max(0.0, float(columns.var(ddof=1)) - noise / n)
        spread = float(rows.var(ddof=1)) if n > 1 else 0.0
        spread = max(spread, noise / count)
        # Rounding of equal values leaves a spread of a few ulp, which is no evidence of precision.
        negligible = (_ROUNDING * float(np.abs(cells).max())) ** 2
        unseen = 1.0 if population is None else 1 - count / population
        items = Items(between=between, noise=noise, count=count, unseen=unseen)
        seeds = spread if spread > negligible else 0.0
        return cls(mean=mean, between=seeds, n=n, items=(items,))

    @classmethod
    def of_logits(cls, cells: Array, population: int | None = None) -> Crossed:
        """Summarise shares of shape (seeds, items) by the mean of the seeds' log-odds.

        Log-odds of a seed's mean are linearised in its items (delta method), so that the two-way
        variance applies. Where a seed's mean is exactly 0 or 1, every seed is given half an item
        on each side (Haldane and Anscombe's correction).
        """
        shares = cells.mean(axis=1)
        if ((shares <= 0) | (shares >= 1)).any():
            count = cells.shape[1]
            cells = (cells * count + 0.5) / (count + 1)
            shares = cells.mean(axis=1)
        return cls._linearised(cells, shares[:, None], population)

    @classmethod
    def of_rate(cls, cells: Array, offset: float = 0.0, population: int | None = None) -> Crossed:
        """Summarise hits of shape (seeds, items) by the log-odds of the overall rate, in (0, 1)."""
        found = cls._linearised(cells, cells.mean(keepdims=True), population)
        return replace(found, offset=offset)

    @classmethod
    def _linearised(cls, cells: Array, shares: Array, population: int | None) -> Crossed:
        logits = special.logit(shares) + (cells - shares) / (shares * (1 - shares))
        return replace(cls.of(logits, population), logits=True)

    @property
    def size(self) -> int:
        return self.n

    @property
    def point(self) -> float:
        """The estimate on the estimand's own scale."""
        return self._on_scale(self.mean)

    def _on_scale(self, value: float) -> float:
        return (float(special.expit(value)) if self.logits else value) - self.offset

    def limits(self, level: float) -> Limits:
        error, df = self.working_error()
        if error == 0:
            return NOTHING
        low, high = student_t(self.mean, error, df, level)
        return self._on_scale(low), self._on_scale(high)

    def resized(self, size: int) -> Self:
        return replace(self, n=size)

    def spread_known(self) -> bool:
        return self.working_error()[0] > 0

    def working_error(self) -> tuple[float, float]:
        """Standard error and degrees of freedom on the scale of `logits`; 0 where unknown."""
        if self.n < 2 or self.between == 0:
            return 0.0, 0.0
        seeds = self.between / self.n
        error2 = seeds + sum(item.error2 for item in self.items)
        squares = (seeds / error2) ** 2 / (self.n - 1)
        squares += sum(item.uncertainty(self.n, error2) for item in self.items)
        return math.sqrt(error2), max(1 / squares, 1.0)

    def repeated(self, squares: Array) -> Crossed:
        """Return a sample of the same components whose mean squares came out otherwise.

        Args:
            squares: factors of the mean squares, on average 1, shape (1 + 2 · samples of items,):
                of the seeds, then of the items and of the interaction in each sample.
        """
        items = []
        for each, shared, rest in zip(self.items, squares[1::2], squares[2::2], strict=True):
            noise = each.noise * float(rest)
            columns = (each.between + each.noise / self.n) * float(shared)
            items.append(replace(each, noise=noise, between=max(0.0, columns - noise / self.n)))
        least = sum(each.noise / each.count for each in items)
        between = max(self.between * float(squares[0]), least)
        return replace(self, between=between, items=tuple(items))

    def moved(self, edge: float, shift: float) -> float | None:
        """Return `edge` moved by a shift on the scale of `logits`; None where it is no share."""
        if not self.logits:
            return edge + shift
        share = edge + self.offset
        return self._on_scale(float(special.logit(share)) + shift) if 0 < share < 1 else None

    def standard_error(self) -> tuple[float, float]:
        error, df = self.working_error()
        share = self._on_scale(self.mean) + self.offset
        return (error * share * (1 - share) if self.logits else error), df

    def sampling_error(self) -> tuple[float, float]:
        # On log-odds an error is not the same to both sides, so the limits tell more than one does.
        return (0.0, 0.0) if self.logits else self.standard_error()


def cluster_cells(cells: Array, clusters: Sequence[str | int] | None) -> Array:
    """Return the means of each cluster of items, shape (seeds, clusters); each counts once.

    Args:
        cells: shape (seeds, items).
        clusters: one key an item, or None where items are independent.
    """
    if clusters is None:
        return cells
    keys, codes = np.unique([str(key) for key in clusters], return_inverse=True)
    # The sum before the division: hits that all agree stay 0 or 1 to the last bit.
    sums = np.array([np.bincount(codes, weights=row, minlength=len(keys)) for row in cells])
    means: Array = sums / np.bincount(codes)
    return means


def error_within(cells: Array) -> float:
    """Return the standard error of one seed's mean over its items, from their interaction.

    What all seeds share in an item moves no seed apart from the others.

    Args:
        cells: shape (seeds, items).
    """
    [items] = Crossed.of(cells).items
    return math.sqrt(items.noise / items.count)


def paired_by_seed(first: Array, second: Array) -> Crossed:
    """Summarise first − second, paired by seed, each side on prompts of its own.

    Args:
        first: shape (seeds, items).
        second: shape (seeds, its own items).
    """
    sides = Crossed.of(first), Crossed.of(second)
    spread = float((first.mean(axis=1) - second.mean(axis=1)).var(ddof=1))
    return Crossed(
        mean=sides[0].mean - sides[1].mean,
        between=max(spread, sum(item.noise / item.count for s in sides for item in s.items))
        if spread > 0
        else 0.0,
        n=len(first),
        items=(*sides[0].items, *sides[1].items),
    )
