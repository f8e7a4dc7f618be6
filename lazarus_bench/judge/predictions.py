"""Evidence about how evenly predictions spread over classes."""

# ruff: noqa: D102 (overrides inherit the docstring of what they override)
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy import stats

from lazarus_bench.judge.bounded import Bounded
from lazarus_bench.judge.bounds import Array, Limits
from lazarus_bench.judge.evidence import Evidence, array, freeze
from lazarus_bench.judge.proportions import Hits
from lazarus_bench.judge.sampling import Sampling


def most_entropy(share: float, classes: int) -> float:
    """Return the largest normalised entropy of a distribution whose largest share is `share`.

    The rest is then spread evenly (Fano's inequality); 1 where the share is that of chance.
    """
    if share <= 1 / classes:
        return 1.0
    rest = (1 - share) / (classes - 1)
    return float(stats.entropy([share, *[rest] * (classes - 1)])) / math.log(classes)


def least_entropy(share: float, classes: int) -> float:
    """Return the least normalised entropy, averaged over runs, of a mean largest share `share`.

    Entropy is least where as many classes as possible have the largest share; the bound is the
    straight lines between shares of 1, 1/2, 1/3, ..., which also holds for averages.

    Source: Feder and Merhav, IEEE Transactions on Information Theory 40 (1994), eq. 14.
    """
    knots = np.arange(classes, 0, -1)
    return float(np.interp(share, 1 / knots, np.log(knots))) / math.log(classes)


@dataclass(frozen=True, kw_only=True)
class EntropyOfShare(Sampling):
    """Limits of an entropy from those of the largest share, which any entropy obeys.

    Attributes:
        share: sampling of the largest share.
        classes: number of classes.
    """

    share: Bounded
    classes: int

    @property
    def size(self) -> int:
        return self.share.size

    def limits(self, level: float) -> Limits:
        low, high = self.share.limits(level)
        return least_entropy(high, self.classes), most_entropy(low, self.classes)

    def resized(self, size: int) -> Self:
        return replace(self, share=self.share.resized(size))

    def standard_error(self) -> tuple[float, float]:
        # The bounds are no estimate's limits, so there is no error to plan with.
        return 0.0, 0.0


@dataclass(frozen=True, kw_only=True)
class ClassEntropy(Evidence):
    """Predicted classes; the estimand is the normalised entropy of a run's predictions.

    It is 0 when every prompt gets the same class and 1 when all classes are equally frequent. Runs
    that collapse completely have no spread between seeds, so no t interval; the limits come from
    the exact interval of the largest share instead, through the least and the largest entropy
    that such a share allows. They are wider than a sampling error.

    Attributes:
        predictions: index of the predicted class, `predictions[seed][prompt]`.
        classes: number of classes, at least 2.
    """

    predictions: Sequence[Sequence[float]]
    classes: int

    def __post_init__(self) -> None:
        freeze(self, 2, "predictions")
        if self.classes < 2:
            raise ValueError(f"ClassEntropy needs two classes or more, not {self.classes}")
        if not np.isin(array(self.predictions), np.arange(self.classes)).all():
            raise ValueError(f"ClassEntropy.predictions must be 0 to {self.classes - 1}")

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.predictions), len(self.predictions[0])

    @property
    def point(self) -> float:
        return float(np.mean(self.seed_values()))

    def seed_values(self) -> Array:
        predictions = array(self.predictions).astype(np.int64)
        counts = [np.bincount(run, minlength=self.classes) for run in predictions]
        return np.array([stats.entropy(count) for count in counts]) / math.log(self.classes)

    @property
    def method(self) -> str:
        return "Fano and Feder–Merhav bounds on the largest share"

    @property
    def majority(self) -> Hits:
        """The largest share: 1 where a prediction is its run's most frequent one.

        A share near 1 / classes is overstated, since the most frequent class is found on the
        prompts it is counted on; the limits of a share well above that are sound.
        """
        predictions = array(self.predictions)
        most = stats.mode(predictions, axis=1, keepdims=True).mode
        return Hits(values=(predictions == most).astype(np.float64))

    def sampling(self) -> EntropyOfShare:
        return EntropyOfShare(share=self.majority.sampling(), classes=self.classes)
