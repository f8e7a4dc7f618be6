"""What chance gives: permuted labels, random directions, and their largest cosine."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

import numpy as np

from lazarus_bench.analysis.measured import Axes, ByLayer, Floats
from lazarus_bench.errors import UserError

_STREAM = 0x69736F

TIE = 1e-9
"""Statistics closer than this are equal: sums in another order differ in their last digits."""


def check_count(what: str, draws: int) -> None:
    """Make sure that there is something to compare with.

    Raises:
        UserError: `draws` is below 1.
    """
    if draws < 1:
        raise UserError(f"a {what} draws at least 1 labelling, not {draws}")


@dataclass(frozen=True, kw_only=True)
class LayerNull:
    """A statistic under the true labels `[layer]` and under permuted ones `[permutation, layer]`.

    One permutation relabels all layers at once, so the maximum over layers is taken inside it and
    a best layer is compared with best layers.

    Source: P. Westfall and S. Young, Resampling-Based Multiple Testing (1993).
    """

    observed: ByLayer
    permuted: Annotated[Floats, Axes(("permutations", "layers"))]

    @property
    def maxima(self) -> Floats:
        """The best layer's value inside each permutation `[permutation]`."""
        return np.asarray(self.permuted.max(axis=1))

    @property
    def p_value(self) -> float:
        """Chance of a best layer at least as high, the true labelling counted in."""
        return float(self._share(np.array([self.observed.max()]))[0])

    @property
    def layer_p_values(self) -> Floats:
        """The same for each layer against the best of all `[layer]` (single-step max-T)."""
        return self._share(self.observed)

    @property
    def excess(self) -> float:
        """The best layer's value minus what a best layer has under permuted labels."""
        return float(self.observed.max() - self.maxima.mean())

    def _share(self, values: Floats) -> Floats:
        reached = self.maxima[:, None] >= values[None, :] - TIE
        return np.asarray((1 + reached.sum(axis=0)) / (1 + len(self.permuted)))


def isotropic(seed: int) -> np.random.Generator:
    """A generator whose normal rows are random directions, unrelated to any model of the lab.

    NumPy takes the seed (s, 0), from which the lab draws the weights of seed s, for s: rows drawn
    from s would be the weights' own first draws, which are the embedding's.
    """
    return np.random.default_rng((seed, _STREAM))


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
        from scipy import stats  # Takes most of a second to import.

        half = (self.width - 1) / 2
        return stats.beta(half, half, loc=-1, scale=2)

    def quantile(self, p: float, directions: int = 1) -> float:
        """What the largest cosine of `directions` directions stays below with probability `p`."""
        return float(self._cosine.isf(-math.expm1(math.log(p) / (self.vocabulary * directions))))

    def mean(self, directions: int = 1) -> float:
        """Expected largest cosine of `directions` directions: 1 − ∫ F^(V · directions)."""
        from scipy import integrate

        draws = self.vocabulary * directions
        low, middle, high = (self.quantile(p, directions) for p in (1e-9, 0.5, 1 - 1e-9))

        def below(t: float) -> float:
            return math.exp(draws * math.log1p(-min(float(self._cosine.sf(t)), 1 - 1e-16)))

        area = integrate.quad(below, low, middle)[0] + integrate.quad(below, middle, high)[0]
        return float(high - area)
