"""Collapse: whether predictions differ from prompt to prompt, and whether rightly so.

Every measure has the value that a constant predictor gets, beside which alone it means something:
entropy 0, share 1, Matthews correlation 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats
from sklearn.metrics import matthews_corrcoef

from lazarus_bench.analysis.lens import Ints


@dataclass(frozen=True, kw_only=True)
class Collapse:
    """Measures of one run's predictions.

    `entropy` of the predictions' shares in [0, 1], 1 where all classes are equally frequent;
    `majority`, share of the most frequent prediction; `matthews`, the multiclass correlation with
    the truth in [−1, 1] (Gorodkin 2004), 0 where either is constant; `shares` by class.
    """

    entropy: float
    majority: float
    matthews: float
    shares: tuple[float, ...]


def measure_collapse(predicted: Ints, gold: Ints, classes: int) -> Collapse:
    """Measure predictions against the truth.

    Args:
        predicted: index of the predicted class `[prompt]`.
        gold: index of the right class `[prompt]`.
        classes: number of classes, at least 2.
    """
    shares = np.bincount(predicted, minlength=classes) / len(predicted)
    return Collapse(
        entropy=float(stats.entropy(shares)) / math.log(classes),
        majority=float(shares.max()),
        matthews=_matthews(predicted, gold),
        shares=tuple(shares.tolist()),
    )


def _matthews(predicted: Ints, gold: Ints) -> float:
    # scikit-learn has 0 for a constant side too, but warns where both are.
    if np.ptp(predicted) == 0 or np.ptp(gold) == 0:
        return 0.0
    return float(matthews_corrcoef(gold, predicted))


def constant_predictor(gold: Ints, classes: int) -> Collapse:
    """The measures of a predictor that always names the most frequent class of `gold`."""
    most = np.bincount(gold, minlength=classes).argmax()
    return measure_collapse(np.full_like(gold, most), gold, classes)
