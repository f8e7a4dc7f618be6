"""Runs: what a claim's test reads of a model, and that each reading is taken once."""

import json

import pytest

from lazarus_bench.analysis.operations import measure_collapse
from lazarus_bench.session.run import NAMES, Run, instrument_named
from lazarus_bench.tasks.arithmetic import held_out
from lazarus_bench.training.record import METRICS

PROBLEMS = held_out(12, 0)


@pytest.fixture
def run(tiny):
    return Run(name="a base", seed=0, directory=tiny)


def test_collapse_is_of_the_operations_named_at_the_classifier_layer(run):
    lens = run.lens(PROBLEMS)
    predicted = lens.bare[:, run.classifier_layer].argmax(axis=1)
    assert run.collapse(PROBLEMS) == measure_collapse(predicted, lens.gold, 4)
    constant = run.constant_predictor(PROBLEMS)
    assert (constant.entropy, constant.majority, constant.matthews) == (0, 1, 0)


def test_every_step_of_the_log_is_read(tiny, tmp_path):
    lines = [
        {"step": i, "of": 3, "loss": 1.0, "parts": {"kl": i / 8}, "tokens": 4, "seconds": 0.1}
        for i in (1, 2, 3)
    ]
    (tmp_path / METRICS).write_text("".join(json.dumps(line) + "\n" for line in lines))
    trained = Run(name="a run", seed=0, directory=tiny, artifact=tmp_path)
    assert [step.parts["kl"] for step in trained.steps] == [1 / 8, 2 / 8, 3 / 8]


@pytest.mark.parametrize("name", NAMES)
def test_every_short_name_is_an_instruments(name):
    assert callable(instrument_named(name))
