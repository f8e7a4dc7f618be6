"""Interchange where there is nothing to find: no more findings than α, and no accuracy to speak of.

Two kinds of models without the variable: random weights with labels that were drawn apart from
them, where permuting the sources gives an exact test, and planted models whose operations and
operands cannot be told apart, which answer everything right and are judged by the size of the
effect. `rejections(100)` was 7, and the largest of `excesses(100)` 0.14.
"""

import sys
from dataclasses import replace

import numpy as np
import pytest
from planted import LAYERS, planted, swaps
from scipy import stats

from lazarus_bench.analysis.interchange import Interchange, search
from lazarus_bench.models.untrained import randomise

pytestmark = pytest.mark.calibration

ALPHA, MODELS, LABELS = 0.05, 4, 4
SHUFFLES = 19
"""The fewest that can reach a p of 0.05."""

LEAST = 0.3
"""What a claim asks of a variable: accuracy beyond random subspaces."""


def found_in(loaded, sides, shuffles: int) -> Interchange:
    return search(loaded, *sides, range(LAYERS), (2,), steps=15, shuffles=shuffles)


def rejections(models: int) -> int:
    """In how many models of random weights the best cell is significant."""
    count = 0
    for seed in range(models):
        model = planted(seed, 8, 48, variable=False)
        labels = np.random.default_rng((seed, 1)).integers(LABELS, size=24)
        sides = [
            [replace(swap, answer=(int(labels[swap.source[0]]),)) for swap in swaps(model, own)]
            for own in (range(5), range(5, 8))
        ]
        count += found_in(randomise(model.loaded, seed), sides, SHUFFLES).p_value <= ALPHA
    return count


def excesses(models: int) -> list[float]:
    """The best cell's accuracy beyond random subspaces in each of so many planted models."""
    best = []
    for seed in range(models):
        model = planted(1000 + seed, 8, 48, variable=False)
        sides = swaps(model, range(5)), swaps(model, range(5, 8))
        best.append(float(found_in(model.loaded, sides, 0).excess.mean(axis=0).max()))
    return best


def test_labels_drawn_apart_are_found_no_more_often_than_alpha():
    assert rejections(MODELS) <= stats.binom.ppf(0.999, MODELS, ALPHA)


def test_a_model_without_the_variable_has_no_accuracy_to_speak_of():
    assert max(excesses(MODELS)) < LEAST


if __name__ == "__main__":
    print(rejections(int(sys.argv[1])), max(excesses(int(sys.argv[1]))))
