"""Behaviour: what the instruments read, whatever the batches; edits go with their prompts."""

import numpy as np

from lazarus_bench.analysis.answers import answer, read_likelihood
from lazarus_bench.analysis.behaviour import behaviour, behaviour_under
from lazarus_bench.analysis.operations import read_operations
from lazarus_bench.models.edits import Ablate
from lazarus_bench.tasks.arithmetic import Operation, held_out

PROBLEMS = held_out(12, 3)
OTHERS = held_out(12, 8)


def test_behaviour_is_what_the_instruments_read(tiny_model):
    found = behaviour(tiny_model, PROBLEMS)
    lens = read_operations(tiny_model, PROBLEMS)
    assert found.correct.tolist() == answer(tiny_model, PROBLEMS).correct.tolist()
    assert found.rank.tolist() == read_likelihood(tiny_model, PROBLEMS).rank.tolist()
    assert found.names.shape == (12, 4, 4)
    np.testing.assert_allclose(found.naming(), lens.gold_probability, rtol=1e-5)
    halves = found.naming([Operation.DIVIDE] * 12)
    np.testing.assert_allclose(halves, lens.bare[:, :, 3], rtol=1e-5)


def test_edits_see_prompts_of_one_length(tiny_model):
    seen = []

    def edit(own, length):
        seen.append(([int(place) for place in np.array(own)[:, 0]], length))
        return Ablate(layer=1)

    places = np.arange(12.0)[:, None]
    behaviour_under(tiny_model, PROBLEMS, "place", places, edit)
    for rows, length in seen:
        assert {len(tiny_model.encode(PROBLEMS[row].symbols)) for row in rows} == {length}
    assert sorted(row for rows, _ in seen for row in rows) == list(range(12))
