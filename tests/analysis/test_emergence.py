"""A prompt's course: the lens's own numbers, and the layer from which on the answer stays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats
from scipy.spatial.distance import jensenshannon

from lazarus_bench.analysis.emergence import (
    Emergence,
    entropy,
    jensen_shannon,
    kl,
    log_softmax,
    read_emergence,
)
from lazarus_bench.analysis.lens import read_lens

logits = arrays.arrays(np.float64, (2, 7), elements=st.floats(-30, 30))


def course(*winners):
    """A prompt whose most probable token at each layer is the one given, of three."""
    return log_softmax(5.0 * np.eye(3)[list(winners)])


@pytest.mark.parametrize(
    ("winners", "answer", "at"),
    [
        ((0, 0, 0), 0, 0),
        ((1, 0, 0), 0, 1),
        ((0, 1, 0), 0, 2),
        ((0, 0, 1), 0, None),
        ((1, 2, 2), 2, 1),
        ((0, 0, 0), 1, None),
    ],
)
def test_where_an_answer_crystallises(winners, answer, at):
    assert Emergence(log_p=course(*winners), answer=answer).crystallised == at


def test_ranks_and_divergences_of_a_known_course():
    found = Emergence(log_p=log_softmax([[3.0, 2.0, 1.0], [1.0, 3.0, 2.0]]), answer=0)
    assert found.rank.tolist() == [1, 3]
    assert np.isnan(found.from_before[0])
    assert found.from_before[1] > 0
    assert found.to_last[1] == 0
    assert found.to_last[0] > 0
    assert found.top(2)[0].tolist() == [[0, 1], [1, 2]]


def test_it_reads_the_lens(tiny_model):
    tokens = tiny_model.encode("7 * 8 = ")
    found = read_emergence(tiny_model, tokens)
    lens = read_lens(tiny_model, [tokens], np.array([[found.answer]]), top=4)
    ids, probability = found.top(4)
    np.testing.assert_allclose(found.probability, lens.probability[0, :, 0], rtol=1e-5)
    np.testing.assert_allclose(probability, lens.top_probability[0], rtol=1e-5)
    assert ids[-1].tolist() == lens.top_ids[0, -1].tolist()
    assert found.answer == ids[-1, 0]
    assert read_emergence(tiny_model, tokens, 5).answer == 5


@given(logits)
def test_they_are_scipys(given_logits):
    p, q = np.exp(log_p := log_softmax(given_logits))
    first, second = log_p
    assert entropy(first) == pytest.approx(stats.entropy(p, base=2), abs=1e-9)
    assert kl(first, second) == pytest.approx(stats.entropy(p, q, base=2), rel=1e-6, abs=1e-9)
    expected = jensenshannon(p, q, base=2) ** 2
    assert jensen_shannon(first, second) == pytest.approx(np.nan_to_num(expected), abs=1e-7)


def test_the_ends():
    level, sure = log_softmax(np.zeros(8)), log_softmax([0.0] + [-np.inf] * 7)
    other = log_softmax([-np.inf] * 7 + [0.0])
    assert entropy(level) == pytest.approx(3.0)
    assert entropy(sure) == 0
    assert kl(sure, level) == pytest.approx(3.0)
    assert kl(level, sure) == np.inf
    assert jensen_shannon(sure, other) == 1
    assert jensen_shannon(level, level) == pytest.approx(0.0, abs=1e-12)
