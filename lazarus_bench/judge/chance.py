"""What chance gives: exact null distributions that single printed numbers are read against.

Each answers one question without a sample: how often would guessing do as well as this. None of
them makes a verdict.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from scipy import stats


@dataclass(frozen=True, kw_only=True)
class BestOfLayers:
    """Share of hits at the best of several layers that all guess.

    Layers are independent binomials, so the best has the distribution F^layers. Layers of one model
    move together and stand between that and a single layer (`layers=1`): the best of positively
    associated layers is stochastically no larger.

    Source: H. A. David and H. N. Nagaraja, Order Statistics (2003), section 2.1; J. D. Esary,
    F. Proschan and D. W. Walkup, Annals of Mathematical Statistics 38 (1967).

    Attributes:
        prompts: prompts that every layer guesses.
        rate: chance of one hit, in (0, 1).
        layers: number of layers.
    """

    prompts: int
    rate: float
    layers: int

    def __post_init__(self) -> None:
        if self.prompts < 1 or self.layers < 1 or not 0 < self.rate < 1:
            raise ValueError(
                "guessing needs a prompt, a layer and a rate between 0 and 1, not "
                f"{self.prompts}, {self.layers} and {self.rate}"
            )

    def at_least(self, hits: int) -> float:
        """Return the chance that the best layer has `hits` or more."""
        one = float(stats.binom.sf(hits - 1, self.prompts, self.rate))
        return -math.expm1(self.layers * math.log1p(-one)) if one < 1 else 1.0

    @property
    def mean(self) -> float:
        """Expected share of hits at the best layer."""
        # Digests of claims cover such numbers, and `sum` rounds differently from Python 3.12 on.
        return math.fsum(self.at_least(h) for h in range(1, self.prompts + 1)) / self.prompts


def share_as_near_an_end(rank: int, size: int) -> float:
    """Return the share of `size` ranked items that lie at least as near to either end as `rank`.

    It is the two-sided p-value of the rank of an item picked beforehand, when all are alike.

    Raises:
        ValueError: the rank is none of 1 to `size`.
    """
    if not 1 <= rank <= size:
        raise ValueError(f"a rank among {size} items lies between 1 and {size}, not at {rank}")
    return min(1.0, 2 * min(rank - 0.5, size - rank + 0.5) / size)


def sign_test_p(gains: int, losses: int) -> float:
    """Return the one-sided p-value of the exact McNemar (sign) test that gains prevail.

    Source: Q. McNemar, Psychometrika 12 (1947), in its exact binomial form.
    """
    return float(stats.binom.sf(gains - 1, gains + losses, 0.5)) if gains + losses else 1.0


def paired_t_p(differences: Sequence[float]) -> float:
    """Return the two-sided p-value of the paired t test on two or more differences."""
    return float(stats.ttest_1samp(differences, 0.0).pvalue)


def order_p(values: Sequence[float]) -> float:
    """Return the chance that a random order of `values` rises as steadily as theirs.

    As steadily: with a Spearman correlation to the position at least as high; exact over all
    orders, so for about eight values at most.
    """
    ranks = stats.rankdata(values)
    positions = np.arange(1, len(ranks) + 1)
    orders = np.array(list(permutations(ranks)))
    return float(np.mean(orders @ positions >= ranks @ positions - 1e-9))
