"""The largest numbers of each row, by numpy: on a CPU mlx's partition takes some ten times as long.

The k-th largest of the maxima of groups is a bound that at least k numbers reach, and seldom many
more, so one pass for the maxima and one to compare with the bound leave little to be sorted.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

GROUPS = 1024
"""Groups that a row falls into: few to sort, yet long enough for vector instructions."""


def largest(values: Floats32, k: int) -> Ints:
    """Where the `k` largest numbers of each row of `values` `[row, number]` stand, `[row, k]`.

    Largest first, of equal ones the one that stands first; NaN counts as −∞.

    Raises:
        ValueError: a row has no `k` numbers.
    """
    rows, width = values.shape
    if not 1 <= k <= width:
        raise ValueError(f"there are no {k} largest of {width} numbers")
    maxima = _group_maxima(values, max(GROUPS, k))
    if np.isnan(maxima).any():
        return largest(np.where(np.isnan(values), -np.inf, values), k)
    at = maxima.shape[1] - k
    bound = np.partition(maxima, at, axis=1)[:, at]
    row, column = np.divmod(np.flatnonzero(values >= bound[:, None]), width)
    order = np.lexsort((-values[row, column], row))
    first = np.searchsorted(row, np.arange(rows))
    return np.asarray(column[order[first[:, None] + np.arange(k)]])


def _group_maxima(values: Floats32, groups: int) -> Floats32:
    """The maximum of each group `[row, group]`; of rows shorter than two groups' worth, themselves.

    Every so many-th number is a group's, so that maxima are taken of whole vectors at once.
    """
    rows, width = values.shape
    if width < 2 * groups:
        return values
    whole = width - width % groups
    maxima = np.asarray(values[:, :whole].reshape(rows, -1, groups).max(axis=1))
    rest = maxima[:, : width - whole]
    np.maximum(rest, values[:, whole:], out=rest)
    return maxima
