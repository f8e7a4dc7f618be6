"""A prompt's course: the lens's own numbers, and the layer from which on the answer stays."""

import numpy as np
import pytest

from lazarus_bench.analysis.emergence import Emergence, log_softmax, read_emergence
from lazarus_bench.analysis.lens import read_lens


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
