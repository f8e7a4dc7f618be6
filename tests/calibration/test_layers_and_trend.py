"""False verdicts of the best layer and of trends over checkpoints."""

from __future__ import annotations

import numpy as np
import pytest
from simulated_truth import ALPHA, allowed, false_verdicts, limits, rates

from lazarus_bench.judge import Above, LayerMax, Means, Trend

pytestmark = pytest.mark.calibration

FLAT = np.full(8, 3.0)
PEAKED = np.linspace(2.7, 3.0, 8)


def layers(rng, means, seeds, prompts, between=0.0):
    centre = means + rng.normal(0, between, (seeds, 1, len(means)))
    prompt = rng.normal(0, 0.1, (seeds, prompts, 1))
    return centre + prompt + rng.normal(0, 0.1, (seeds, prompts, len(means)))


@pytest.mark.parametrize(
    ("means", "prompts"), [(FLAT, 8), (FLAT, 30), (PEAKED, 8)], ids=["flat8", "flat30", "peaked8"]
)
def test_best_layer_of_one_run_errs_at_most_alpha(means, prompts):
    assert not false_verdicts(
        lambda rng: LayerMax(values=layers(rng, means, 1, prompts)),
        3.0,
        0.05,
        replicates=800,
    )


@pytest.mark.parametrize(("a", "b"), [(0.3, 2.7), (3, 3), (2.7, 0.3)])
def test_best_of_equal_skewed_layers_errs_at_most_alpha(a, b):
    assert not false_verdicts(
        lambda rng: LayerMax(values=rng.beta(a, b, (1, 10, 4))), a / (a + b), 0.03, replicates=400
    )


def test_picking_the_layer_on_the_prompts_it_is_read_on_would_fail():
    def double_dipping(rng):
        values = rng.normal(3, 1, (20, 16))
        return Means(values=[values[:, values.mean(axis=0).argmax()]])

    def honest(rng):
        return LayerMax(values=rng.normal(3, 1, (1, 20, 16)))

    dipped = rates(Above(3.0), limits(double_dipping, level=1 - 2 * ALPHA, replicates=500))
    inside = rates(Above(3.0), limits(honest, level=1 - 2 * ALPHA, replicates=500))
    assert dipped.supported > 0.3
    assert inside.supported <= allowed(ALPHA, 500)


def test_a_real_trend_is_not_refuted_and_mostly_found():
    found = limits(
        lambda rng: Trend(values=np.arange(4) + rng.normal(0, 1, (5, 4))), level=0.9, replicates=500
    )
    assert rates(Above(0.0), found).refuted == 0
    assert rates(Above(0.0), found).supported > 0.9
