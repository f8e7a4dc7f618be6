"""Interventions on a run: measured once, with the instruments' results."""

import numpy as np
import pytest

from lazarus_bench.analysis import ablation, patching, steering
from lazarus_bench.analysis.prompts import read_states
from lazarus_bench.errors import UserError
from lazarus_bench.session.run import Run
from lazarus_bench.tasks.arithmetic import Operation, held_out, partners

PROBLEMS = tuple(held_out(8, 0))
OTHERS = tuple(held_out(12, 1))


@pytest.fixture(scope="module")
def run(tiny) -> Run:
    return Run(name="tiny", seed=0, directory=tiny)


def test_a_sweep_removes_each_layer_once(run, monkeypatch):
    asked = []
    ablate = ablation.ablate

    def counted(*args):
        asked.append(args)
        return ablate(*args)

    monkeypatch.setattr(ablation, "ablate", counted)
    sweep = run.ablation(PROBLEMS)
    assert len(asked) == 4
    assert run.ablated(PROBLEMS, 2) is sweep.after[2]
    assert run.behaviour(list(PROBLEMS)) is sweep.before
    assert run.ablation(PROBLEMS) is sweep
    assert len(asked) == 4
    run.ablated(PROBLEMS, 2, "mlp")
    run.ablated(PROBLEMS, 2, "mlp", reference=OTHERS)
    assert len(asked) == 6


def test_removal_is_the_instruments(run):
    expected = [ablation.ablate(run.loaded, PROBLEMS, layer, "mlp") for layer in range(4)]
    found = [each.naming() for each in run.ablation(PROBLEMS, "mlp").after]
    np.testing.assert_allclose(found, [each.naming() for each in expected], rtol=1e-6)
    means = ablation.mean_contributions(run.loaded, OTHERS, "attention")
    expected = ablation.ablate(run.loaded, PROBLEMS, 1, "attention", means[1])
    found = run.ablated(PROBLEMS, 1, "attention", reference=OTHERS)
    np.testing.assert_allclose(found.names, expected.names, rtol=1e-6)


def test_patched_states_are_the_sources(run):
    sources = partners(PROBLEMS, same_operation=False)
    states = read_states(run.loaded, [source.symbols for source in sources])
    expected = patching.patch(run.loaded, PROBLEMS, 2, states[:, 2])
    np.testing.assert_allclose(run.patched(PROBLEMS, 2, sources).names, expected.names, rtol=1e-6)


def test_each_prompt_is_steered_toward_its_operation(run):
    toward = [Operation.ADD, Operation.DIVIDE] * 4
    states = read_states(run.loaded, [problem.symbols for problem in OTHERS])[:, 1]
    directions = [steering.contrast(states, OTHERS, operation) for operation in toward]
    expected = steering.steer(run.loaded, PROBLEMS, 1, np.stack(directions))
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
