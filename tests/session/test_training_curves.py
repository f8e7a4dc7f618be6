"""Training curves from logs: a line a seed, the numbers named, a name that is not there."""

import math

import pytest

from lazarus_bench.errors import UserError
from lazarus_bench.session.run import Run
from lazarus_bench.session.shown import POINTS, training_curves
from lazarus_bench.training.record import Step, StepLog

STEPS = 100


def run(folder, seed, class_loss):
    directory = folder / str(seed)
    directory.mkdir()
    with StepLog(directory, keep=0) as log:
        for i in range(1, STEPS + 1):
            parts = {"class": class_loss(i), "answer": 0.5}
            log(Step(step=i, of=STEPS, loss=i + seed, parts=parts, tokens=1, seconds=1.0))
    name = f"lab:llama, dual reward vo seed {seed}"
    return Run(name=name, seed=seed, directory=directory, artifact=directory)


@pytest.fixture
def runs(tmp_path):
    return [run(tmp_path, 0, lambda i: 1 / i), run(tmp_path, 10, lambda i: math.nan)]


def test_a_line_for_each_seed(runs):
    curves = training_curves("A title", runs, ["loss", "class"])
    assert (curves.title, curves.subject) == ("A title", "lab:llama, dual reward vo")
    assert (curves.x, curves.unit) == ("step", "nats")
    loss, label = curves.series
    assert (loss.name, label.name) == ("loss", "class")
    assert [len(line) for line in loss.lines] == [21, 21]
    assert len(loss.lines[0]) <= POINTS
    assert loss.lines[0][:3] == ((1.0, 1.0), (5.0, 3.5), (10.0, 8.0))
    assert loss.lines[1][-1] == (100.0, 108.0)
    assert label.lines[0][0] == (1.0, 1.0)
    assert all(math.isnan(y) for _, y in label.lines[1])


def test_numbers_of_another_unit(runs):
    assert training_curves("A title", runs, ["answer"], unit="fraction").unit == "fraction"


def test_a_name_that_was_not_logged_is_refused_with_those_that_were(runs):
    message = "the log of lab:llama, dual reward vo seed 0 has no 'reward'; choose from loss, class"
    with pytest.raises(UserError, match=message):
        training_curves("A title", runs, ["loss", "reward"])
