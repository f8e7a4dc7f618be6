"""Looks: judging a growing sample several times without erring more often than once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lazarus_bench.judge.bounds import t_quantile


@dataclass(frozen=True, kw_only=True)
class Looks:
    """Registered sample sizes at which a claim may be judged; sampling stops once it is decided.

    Each look spends an equal share of the level (Bonferroni), which holds for any dependence
    between looks and for stopping at any of them.

    Source: Pocock, Biometrika 64 (1977), on looking repeatedly; Dunn, JASA 56 (1961), on the bound.

    Attributes:
        sizes: numbers of seeds, ascending.
    """

    sizes: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", tuple(self.sizes))
        _check(self.sizes, least=1)

    def level(self, size: int, level: float) -> float:
        """Return the two-sided level of the look at `size` seeds.

        Args:
            size: a registered size.
            level: the two-sided level of all looks together.

        Raises:
            ValueError: `size` is not registered.
        """
        if size not in self.sizes:
            raise ValueError(f"{size} seeds is none of the registered looks {self.sizes}")
        return 1 - (1 - level) / len(self.sizes)

    def after(self, size: int) -> int | None:
        """Return the next larger size; None after the last."""
        return next((other for other in self.sizes if other > size), None)


def error_of_looks(sizes: tuple[int, ...], level: float, *, replicates: int = 20_000) -> float:
    """Return the one-sided error of looking at every one of `sizes` at an unspent level.

    Simulated for a t interval over normal seeds with the truth on the edge.

    Args:
        sizes: numbers of seeds, each at least 2.
        level: the two-sided level used at each look.
        replicates: simulated sequences.

    Raises:
        ValueError: for sizes that are not ascending from 2, a level outside (0, 1) or no replicate.
    """
    _check(sizes, least=2)
    if not 0 < level < 1 or replicates < 1:
        raise ValueError(f"cannot simulate {replicates} sequences at the level {level}")
    values = np.random.default_rng(0).normal(size=(replicates, max(sizes)))
    wrong = np.zeros(replicates, dtype=bool)
    for n in sizes:
        seen = values[:, :n]
        error = seen.std(axis=1, ddof=1) / np.sqrt(n)
        wrong |= seen.mean(axis=1) > t_quantile((1 + level) / 2, n - 1) * error
    return float(wrong.mean())


def _check(sizes: tuple[int, ...], *, least: int) -> None:
    whole = all(isinstance(size, int) for size in sizes)
    if not sizes or not whole or list(sizes) != sorted(set(sizes)) or sizes[0] < least:
        raise ValueError(f"looks are ascending numbers of seeds from {least} on, not {sizes}")
