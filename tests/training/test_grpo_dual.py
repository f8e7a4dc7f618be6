"""GRPO + dual reward: its class loss by hand, the fixes, and the parts on the log."""

from dataclasses import replace

import numpy as np
import pytest
from trainings import log_softmax, made, number

from lazarus_bench.analysis.operations import read_operations
from lazarus_bench.backend import mx
from lazarus_bench.models.anatomy import unembed
from lazarus_bench.models.load import load
from lazarus_bench.models.taps import residual_stream
from lazarus_bench.tasks.arithmetic import held_out
from lazarus_bench.training import GrpoDual
from lazarus_bench.training.arithmetic_data import draw_problems, gold_tokens
from lazarus_bench.training.grpo import class_part, frozen_policy, grpo_loss, targets_of
from lazarus_bench.training.record import read_steps
from lazarus_bench.training.rewards import right_integer
from lazarus_bench.training.rollouts import Asked, Roller

SPEC = GrpoDual(prompts=4, answers=4, iterations=3, examples=40, answer_tokens=3)
PROBLEMS = draw_problems(0, 6)


def rolled(tiny, shared_target: bool = False):
    loaded = load(tiny)
    roll = Roller(
        spec=SPEC,
        loaded=loaded,
        reference=frozen_policy(load(tiny).model, loaded.anatomy),
        reward=right_integer,
        gold=targets_of(gold_tokens(loaded), shared_target),
        seed=0,
    )
    return loaded, roll(Asked(iteration=0, problems=tuple(PROBLEMS)))


def lens_by_hand(loaded, layer) -> np.ndarray:
    """Log-probabilities `[prompt, token]` of the lens, one forward a prompt."""
    rows = []
    for problem in PROBLEMS:
        tokens = mx.array([loaded.encode(problem.symbols)])
        state = residual_stream(loaded.model, loaded.anatomy, tokens)[layer][0, -1]
        rows.append(log_softmax(unembed(loaded.model, loaded.anatomy, state)))
    return np.array(rows)


@pytest.mark.parametrize("entropy", [0.0, 0.5])
@pytest.mark.parametrize("layer", [0, 3])
def test_the_class_loss_equals_numpys(tiny, layer, entropy):
    loaded, rollouts = rolled(tiny)
    log_p = lens_by_hand(loaded, layer)
    gold = gold_tokens(loaded)
    cross = -np.mean([row[gold[p.operation][0]] for row, p in zip(log_p, PROBLEMS, strict=True)])
    mean = np.exp(log_p).mean(axis=0)
    expected = cross + entropy * (mean * np.log(mean)).sum()
    extra = class_part(loaded.anatomy, layer, entropy)
    _, parts = grpo_loss(loaded.anatomy, 0.2, 0.1, 0.4, extra)(loaded.model, rollouts)
    assert number(parts["class"]) == pytest.approx(expected, rel=1e-5)


def test_the_weight_mixes_both_losses(tiny):
    loaded, rollouts = rolled(tiny)
    extra = class_part(loaded.anatomy, 2, 0.0)
    policy, mixed, label = (
        number(grpo_loss(loaded.anatomy, 0.2, 0.1, weight, extra)(loaded.model, rollouts)[0])
        for weight in (0.0, 0.4, 1.0)
    )
    assert mixed == pytest.approx(0.6 * policy + 0.4 * label, rel=1e-5)
    assert label > policy + 1


def test_a_shared_target_is_the_first_prompts(tiny):
    loaded, rollouts = rolled(tiny, shared_target=True)
    gold = gold_tokens(loaded)
    assert set(rollouts.gold.tolist()) == set(gold[PROBLEMS[0].operation])
    own = rolled(tiny)[1].gold.tolist()
    assert own == [gold[p.operation][0] for p in PROBLEMS]


def test_every_part_is_logged_and_the_class_loss_falls(tiny, tmp_path):
    spec = replace(SPEC, iterations=20, prompts=8, learning_rate=3e-3, balanced=True, weight=0.9)
    out = made(tmp_path / "out", spec, tiny)
    steps = read_steps(out)
    assert len(steps) == 20
    assert {"reward", "kl", "class", "zero_advantage"} <= steps[0].parts.keys()
    assert steps[-1].parts["class"] < 0.7 * steps[0].parts["class"]
    before, after = (
        read_operations(load(tiny, adapter), held_out(20, 0)).gold_probability[:, 2].mean()
        for adapter in (None, out)
    )
    assert after > 10 * before
