"""What the largest cosine with a vocabulary is by chance: the extreme-value null of a direction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from scipy import integrate, stats


@dataclass(frozen=True, kw_only=True)
class ExtremeNull:
    """The largest cosine of an isotropic random direction with `vocabulary` rows of `width` d.

    The cosine of an isotropic direction with any fixed row is 2B − 1, B ~ Beta((d − 1)/2,
    (d − 1)/2); taken as independent over V rows, the largest has the distribution F(t)^V. Rows that
    point apart come close to that; rows that share directions, as trained ones do, are fewer than
    they seem, and only random directions on the rows themselves tell by how much.

    Source: R. J. Muirhead, Aspects of Multivariate Statistical Theory (1982), theorem 1.5.7 for the
    cosine; H. A. David and H. N. Nagaraja, Order Statistics (2003), section 2.1 for the largest.
    """

    width: int
    vocabulary: int

    def __post_init__(self) -> None:
        if self.width < 2 or self.vocabulary < 1:
            raise ValueError(
                f"a cosine needs 2 dimensions and a row, not {self.width} and {self.vocabulary}"
            )

    @cached_property
    def _cosine(self) -> Any:
        """Distribution of one cosine on [−1, 1]."""
        half = (self.width - 1) / 2
        return stats.beta(half, half, loc=-1, scale=2)

    def quantile(self, p: float, directions: int = 1) -> float:
        """What the largest cosine of `directions` directions stays below with probability `p`."""
        return float(self._cosine.isf(-math.expm1(math.log(p) / (self.vocabulary * directions))))

    def mean(self, directions: int = 1) -> float:
        """Expected largest cosine of `directions` directions: 1 − ∫ F^(V · directions)."""
        draws = self.vocabulary * directions
        low, middle, high = (self.quantile(p, directions) for p in (1e-9, 0.5, 1 - 1e-9))

        def below(t: float) -> float:
            return math.exp(draws * math.log1p(-min(float(self._cosine.sf(t)), 1 - 1e-16)))

        area = integrate.quad(below, low, middle)[0] + integrate.quad(below, middle, high)[0]
        return float(high - area)
