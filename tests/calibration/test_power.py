"""The promised power is kept: truths at the detectable distance are decided 80% of the time."""

from __future__ import annotations

import numpy as np
import pytest

from lazarus_bench.judge import AtLeast, Hits, Means
from lazarus_bench.judge.power import detectable_shift

pytestmark = pytest.mark.calibration


def test_five_seeds_at_the_detectable_distance_are_supported_80_percent():
    distance = detectable_shift(1 / np.sqrt(5), 4, 0.9)
    rng = np.random.default_rng(7)
    found = [Means(values=rng.normal(distance, 1, (5, 1))).limits(0.9)[0] > 0 for _ in range(3000)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)


def test_hits_at_the_detectable_distance_are_supported_80_percent():
    distance = Hits(values=[[1] * 60]).detectable(AtLeast(0.5), 0.9)
    rng = np.random.default_rng(7)
    samples = rng.random((2000, 1, 60)) < 0.5 + distance
    found = [Hits(values=sample).limits(0.9)[0] >= 0.5 for sample in samples]
    assert 0.77 <= np.mean(found) <= 0.9
