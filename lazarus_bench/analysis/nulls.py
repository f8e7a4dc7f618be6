"""A statistic of every layer beside what permuted labels make of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

from lazarus_bench.analysis.axes import Axes, ByLayer
from lazarus_bench.errors import UserError

Floats = npt.NDArray[np.float64]

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
