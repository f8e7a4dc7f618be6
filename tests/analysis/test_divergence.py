"""Entropy and divergences equal SciPy's, and keep their bounds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats
from scipy.spatial.distance import jensenshannon

from lazarus_bench.analysis.emergence import entropy, jensen_shannon, kl, log_softmax

logits = arrays.arrays(np.float64, (2, 7), elements=st.floats(-30, 30))


@given(logits)
def test_they_are_scipys(given_logits):
    p, q = np.exp(log_p := log_softmax(given_logits))
    first, second = log_p
    assert entropy(first) == pytest.approx(stats.entropy(p, base=2), abs=1e-9)
    assert kl(first, second) == pytest.approx(stats.entropy(p, q, base=2), rel=1e-6, abs=1e-9)
    expected = jensenshannon(p, q, base=2) ** 2
    assert jensen_shannon(first, second) == pytest.approx(np.nan_to_num(expected), abs=1e-7)


@given(logits)
def test_they_keep_their_bounds(given_logits):
    first, second = log_softmax(given_logits)
    assert 0 <= jensen_shannon(first, second) <= 1
    assert jensen_shannon(first, second) == pytest.approx(jensen_shannon(second, first), abs=1e-12)
    assert kl(first, second) >= 0
    assert -1e-12 <= entropy(first) <= np.log2(7) + 1e-12


def test_the_ends():
    level, sure = log_softmax(np.zeros(8)), log_softmax([0.0] + [-np.inf] * 7)
    other = log_softmax([-np.inf] * 7 + [0.0])
    assert entropy(level) == pytest.approx(3.0)
    assert entropy(sure) == 0
    assert kl(sure, level) == pytest.approx(3.0)
    assert kl(level, sure) == np.inf
    assert jensen_shannon(sure, other) == 1
    assert jensen_shannon(level, level) == pytest.approx(0.0, abs=1e-12)
