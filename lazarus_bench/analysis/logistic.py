"""Logistic regression for many labellings of the same rows at once.

A permutation null fits one probe for each permutation, layer and fold. All of them share the rows,
so they share one decomposition and one matrix product an iteration. The objective is that of
scikit-learn's `LogisticRegression` (cross-entropy summed over rows, times C, plus half the squared
weights, the intercept free of penalty). It is strictly convex in the weights, so both find the same
minimum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lazarus_bench.analysis.measured import Ints, Singles
from lazarus_bench.errors import UserError

TOLERANCE = 3e-5
"""Largest gradient component, of the mean loss, at which a fit has converged."""

MAX_STEPS = 2000

CHUNK = 1 << 22
"""Most scores held at once (rows × labellings × classes): 16 MiB in float32."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows in the coordinates of their principal axes, where the solver's metric is diagonal.

    The penalty is invariant under rotation and weights outside the rows' span are zero at the
    minimum, so fitting `coordinates` `[row, rank]` is fitting the rows. `squares` `[rank]` are the
    axes' sums of squares; the last axis is the intercept.
    """

    coordinates: Singles
    squares: Singles
    mean: Singles
    axes: Singles

    @classmethod
    def of(cls, states: npt.ArrayLike) -> Rows:
        """Decompose rows `[row, d]`."""
        given = np.asarray(states, dtype=np.float64)
        mean = given.mean(axis=0)
        left, sizes, axes = np.linalg.svd(given - mean, full_matrices=False)
        kept = sizes > max(given.shape) * np.finfo(np.float32).eps * max(sizes[0], 1e-30)
        coordinates = np.hstack([left[:, kept] * sizes[kept], np.ones((len(given), 1))])
        return cls(
            coordinates=coordinates.astype(np.float32),
            squares=np.append(sizes[kept] ** 2, len(given)).astype(np.float32),
            mean=mean.astype(np.float32),
            axes=axes[kept].astype(np.float32),
        )

    def project(self, states: npt.ArrayLike) -> Singles:
        """Other rows `[row, d]` in the same coordinates `[row, rank]`."""
        inside = (np.asarray(states, dtype=np.float32) - self.mean) @ self.axes.T
        return np.hstack([inside, np.ones((len(inside), 1), dtype=np.float32)])


def fit_labellings(rows: Rows, labels: Ints, classes: int, tolerance: float = TOLERANCE) -> Singles:
    """Weights `[rank, class, labelling]` for `labels` `[labelling, row]`, the intercept last.

    Nesterov's accelerated gradient with restarts, each labelling its own, in the metric of
    Böhning's bound on the Hessian, ½ ZᵀZ.

    Sources: D. Böhning, Multinomial logistic regression algorithm, Ann. Inst. Statist. Math. 44
    (1992); B. O'Donoghue and E. Candès, Adaptive restart for accelerated gradient schemes, Found.
    Comput. Math. 15 (2015).

    `labels` are class indices from 0; all fits have converged when no component of the gradient of
    the mean loss exceeds `tolerance`.

    Raises:
        UserError: a fit did not converge.
    """
    # With two classes scikit-learn fits one weight vector, w, where the softmax has ±w/2: half the
    # squares.
    penalty = 2.0 if classes == 2 else 1.0
    size = max(1, CHUNK // (labels.shape[1] * classes))
    parts = [
        _fit(rows, labels[start : start + size], classes, penalty, tolerance)
        for start in range(0, len(labels), size)
    ]
    return np.concatenate(parts, axis=2)


def _fit(rows: Rows, labels: Ints, classes: int, penalty: float, tolerance: float) -> Singles:
    z = rows.coordinates
    wanted = (labels.T[:, None, :] == np.arange(classes)[None, :, None]).astype(np.float32)
    penalties = np.full((z.shape[1], 1, 1), penalty, dtype=np.float32)
    penalties[-1] = 0.0
    metric = 0.5 * rows.squares[:, None, None] + penalties
    weights = np.zeros((z.shape[1], classes, len(labels)), dtype=np.float32)
    ahead, momentum = weights, np.ones(len(labels), dtype=np.float32)
    for _ in range(MAX_STEPS):
        # Softmax over the middle axis, in place: the long inner axis keeps it vectorised.
        scores = (z @ ahead.reshape(len(ahead), -1)).reshape(wanted.shape)
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        error = (scores - wanted).reshape(len(z), -1)
        gradient = (z.T @ error).reshape(ahead.shape) + penalties * ahead
        if np.abs(gradient).max() <= tolerance * len(z):
            return ahead
        moved = ahead - gradient / metric
        step = moved - weights
        # Momentum starts over where the last step rose.
        rose = np.einsum("rcl,rcl->l", gradient, step) > 0
        current = np.where(rose, 1.0, momentum)
        following = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * current**2))
        pace = np.where(rose, 0.0, (current - 1.0) / following).astype(np.float32)
        weights, ahead, momentum = moved, moved + pace * step, following.astype(np.float32)
    raise UserError(
        f"a probe of {len(z)} states did not converge in {MAX_STEPS} steps: standardise the states"
    )


def predict_labellings(weights: Singles, coordinates: Singles) -> Ints:
    """Classes `[labelling, row]` of rows `[row, rank]` under weights `[rank, class, labelling]`."""
    rank, classes, labellings = weights.shape
    scores = (coordinates @ weights.reshape(rank, -1)).reshape(-1, classes, labellings)
    return np.asarray(scores.argmax(axis=1).T, dtype=np.int64)
