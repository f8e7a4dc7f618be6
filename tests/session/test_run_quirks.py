"""Runs under a quirk: named, apart from those without, and told of."""

import numpy as np
import pytest

from lazarus_bench.analysis.lens import total_variation
from lazarus_bench.analysis.probe import probe
from lazarus_bench.analysis.probe_prompts import words_in_turn
from lazarus_bench.analysis.prompts import prompt_tokens, read_states
from lazarus_bench.errors import UserError
from lazarus_bench.models.quirks import QUIRKS, with_quirk
from lazarus_bench.models.untrained import untrained_llama
from lazarus_bench.session.run import Run
from lazarus_bench.tasks.arithmetic import held_out

PROBLEMS = held_out(8, 0)


@pytest.fixture
def run(tiny):
    return Run(name="a base", seed=1, directory=tiny)


def test_a_run_with_a_quirk_says_so_and_leaves_the_other_as_it_was(run):
    before = run.lens(PROBLEMS)
    quirky = run.with_quirk("bf16-lens")
    assert quirky.name == quirky.loaded.name == "a base, QUIRK bf16-lens"
    assert (quirky.quirk, quirky.loaded.quirk, quirky.plain.quirk) == ("bf16-lens",) * 2 + (None,)
    assert not np.array_equal(quirky.lens(PROBLEMS).bare, before.bare)
    assert run.lens(PROBLEMS) is before
    assert (run.quirk, run.loaded.quirk, run.name) == (None, None, "a base")
    assert quirky != run


def test_a_reading_under_a_quirk_is_taken_once(run):
    assert run.with_quirk("bf16-lens") is run.with_quirk("bf16-lens")
    found = run.with_quirk("bf16-lens").lens(PROBLEMS)
    assert run.with_quirk("bf16-lens").lens(PROBLEMS) is found


def test_whoever_is_to_notice_is_told_each_time(tiny):
    told = []
    run = Run(name="a base", seed=0, directory=tiny, noticed=told.append)
    run.lens(PROBLEMS)
    assert told == []
    run.with_quirk("bf16-lens")
    run.with_quirk("bf16-lens")
    run.randomised().with_quirk("non-causal-lens")
    assert told == ["bf16-lens", "bf16-lens", "non-causal-lens"]


def test_the_control_of_a_run_with_a_quirk_has_it_too(run):
    control = run.with_quirk("bf16-lens").randomised()
    assert control.loaded.quirk == "bf16-lens"
    expected = run.randomised().with_quirk("bf16-lens").lens(PROBLEMS).bare
    assert np.array_equal(control.lens(PROBLEMS).bare, expected)


def test_a_checkpoint_of_a_run_with_a_quirk_has_it_too(tiny, tmp_path):
    trained = Run(name="a run", seed=0, directory=tiny, artifact=tmp_path)
    assert trained.with_quirk("bf16-lens").checkpoint(3).quirk == "bf16-lens"
    assert trained.checkpoint(3).quirk is None


def test_two_quirks_and_unknown_ones_are_refused(run):
    with pytest.raises(UserError, match="has the quirk 'bf16-lens'"):
        run.with_quirk("bf16-lens").with_quirk("non-causal-lens")
    with pytest.raises(UserError, match=f"choose {', '.join(QUIRKS)}"):
        run.with_quirk("sgd")


def test_what_moves_the_lens_is_the_distance_to_the_lens_without(run, tiny_model):
    moved = run.with_quirk("non-causal-lens").lens_moved(PROBLEMS)
    prompts = prompt_tokens(tiny_model, [problem.symbols for problem in PROBLEMS])
    quirky = with_quirk(tiny_model, "non-causal-lens")
    np.testing.assert_allclose(moved, total_variation(quirky, tiny_model, prompts), atol=1e-6)
    assert moved[:, 1:].min() > 0
    assert (run.lens_moved(PROBLEMS) == 0).all()


def test_the_signal_under_the_quirk_is_the_rules(run):
    plain, quirky = (
        run.task_signal(PROBLEMS),
        run.with_quirk("substring-hits").task_signal(PROBLEMS),
    )
    assert plain.counted.all()
    assert plain.peak.shape == quirky.peak.shape == (6,)
    assert not np.array_equal(plain.peak, quirky.peak)


def test_untrained_models_are_drawn_for_each_start_and_seed(run, tiny, tiny_model):
    prompts = words_in_turn(held_out(16, 0))
    found = run.untrained_accuracy(prompts, "in-order", starts=2, width=128)
    assert found.shape == (2, 16)
    size = tiny_model.config["vocab_size"]
    model = untrained_llama(tiny_model.tokenizer, size, seed=3, width=128)
    states = read_states(model, prompts.texts)
    assert found[1].tolist() == probe(states, prompts, "in-order").accuracy.tolist()
    other = Run(name="another base", seed=0, directory=tiny)
    assert not np.array_equal(other.untrained_accuracy(prompts, "in-order", 2, width=128), found)
