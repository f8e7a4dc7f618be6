"""Interventions on a run: each reading is taken once a session, and is the instruments'."""

import numpy as np
import pytest

from lazarus_bench.analysis import interventions as instruments
from lazarus_bench.analysis.behaviour import behaviour
from lazarus_bench.analysis.states import read_states
from lazarus_bench.errors import UserError
from lazarus_bench.session import interventions as readings
from lazarus_bench.session.runs import Run
from lazarus_bench.tasks.arithmetic import Operation, held_out, partners

PROBLEMS = tuple(held_out(8, 0))
OTHERS = tuple(held_out(12, 1))


@pytest.fixture(scope="module")
def run(tiny) -> Run:
    return Run(name="tiny", seed=0, directory=tiny)


def test_a_sweep_reads_the_unedited_model_and_each_layer_once(run, monkeypatch):
    asked = []

    def read(*args):
        asked.append(args)
        return behaviour(*args)

    monkeypatch.setattr(instruments, "behaviour", read)
    monkeypatch.setattr(readings, "behaviour", read)
    sweep = run.ablation(PROBLEMS)
    assert len(asked) == 5
    assert run.ablated(PROBLEMS, 2) is sweep.after[2]
    assert run.behaviour(list(PROBLEMS)) is sweep.before
    assert run.ablation(PROBLEMS).after == sweep.after
    assert len(asked) == 5
    run.ablated(PROBLEMS, 2, "mlp")
    run.ablated(PROBLEMS, 2, "mlp", reference=OTHERS)
    assert len(asked) == 7


def test_removal_is_the_instruments(run):
    expected = instruments.ablation_sweep(run.loaded, PROBLEMS, "mlp")
    np.testing.assert_allclose(run.ablation(PROBLEMS, "mlp").naming, expected.naming, rtol=1e-6)
    means = instruments.mean_contributions(run.loaded, OTHERS, "attention")
    expected = instruments.ablate(run.loaded, PROBLEMS, 1, "attention", means[1])
    found = run.ablated(PROBLEMS, 1, "attention", reference=OTHERS)
    np.testing.assert_allclose(found.names, expected.names, rtol=1e-6)


def test_patched_states_are_the_sources(run):
    sources = partners(PROBLEMS, same_operation=False)
    states = read_states(run.loaded, [source.symbols for source in sources])
    expected = instruments.patch(run.loaded, PROBLEMS, 2, states[:, 2])
    np.testing.assert_allclose(run.patched(PROBLEMS, 2, sources).names, expected.names, rtol=1e-6)


def test_each_prompt_is_steered_toward_its_operation(run):
    toward = [Operation.ADD, Operation.DIVIDE] * 4
    states = read_states(run.loaded, [problem.symbols for problem in OTHERS])[:, 1]
    directions = [instruments.contrast(states, OTHERS, operation) for operation in toward]
    expected = instruments.steer(run.loaded, PROBLEMS, 1, np.stack(directions))
    found = run.steered(PROBLEMS, 1, toward, OTHERS)
    np.testing.assert_allclose(found.names, expected.names, rtol=1e-6)
    control = run.steered(PROBLEMS, 1, toward, OTHERS, at_random=True)
    assert not np.allclose(control.names, found.names, rtol=1e-2)
    assert run.steered(PROBLEMS, 1, toward, OTHERS, at_random=True) is control


@pytest.mark.parametrize(
    "ask",
    [
        lambda run: run.ablated(PROBLEMS, 7),
        lambda run: run.patched(PROBLEMS, 7, OTHERS[:8]),
        lambda run: run.steered(PROBLEMS, 7, [Operation.ADD] * 8, OTHERS),
    ],
)
def test_a_layer_that_is_not_there_is_refused(run, ask):
    with pytest.raises(UserError, match="layer 7 is not in this model: choose 0 to 3"):
        ask(run)
