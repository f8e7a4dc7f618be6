"""GRPO: its loss by hand, what moves the policy and what does not, and refusals beforehand."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mlx.utils import tree_map
from safetensors.numpy import load_file
from trainings import (
    even,
    gradients,
    log_probs_by_hand,
    log_softmax,
    made,
    moved,
    number,
    weights,
)

from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.models.adapters import Lora, add_lora, unfreeze_blocks
from lazarus_bench.models.load import load
from lazarus_bench.tasks.arithmetic import Operation
from lazarus_bench.training import Grpo, grpo
from lazarus_bench.training.arithmetic_data import draw_problems
from lazarus_bench.training.grpo import CLIPPED, UNBOUNDED_KL, check_fits, frozen_policy, grpo_loss
from lazarus_bench.training.policy_loss import drift_from
from lazarus_bench.training.record import read_steps
from lazarus_bench.training.rollouts import asked_batches, roll_out
from lazarus_bench.training.sampling import label_log_probs, sample

SPEC = Grpo(full=False, rank=4, prompts=4, answers=4, iterations=3, examples=40, answer_tokens=3)
PROMPTS = [(0, 5, 6, 7), (0, 9), (0, 9, 40, 41)]
ENDS = range(0, 1076, 3)


def zeros(samples) -> np.ndarray:
    return np.zeros(samples.tokens.shape[:2], dtype=np.float32)


def fragile(prompt: str, answer: str, truth: int) -> float:
    return float("nan") if answer == "" else 0.0


def leaves(prompt: str, answer: str, truth: int) -> float:
    raise SystemExit(0)


def huge(prompt: str, answer: str, truth: int) -> float:
    return 1e39 if answer == "" else 0.0


def off_policy(tiny, rewards, group=8, lora=None):
    """A policy that has moved since it sampled, and its rollouts, whose reference is the base."""
    loaded = load(tiny)
    unfreeze_blocks(loaded) if lora is None else add_lora(loaded, lora)
    samples = sample(
        loaded.model, loaded.anatomy, PROMPTS, group=group, tokens=3, ends=ENDS, seed=(1,)
    )
    moved(loaded.model, 3e-3 if lora is None else 0.1)
    reference = frozen_policy(load(tiny).model if lora is None else loaded.model, loaded.anatomy)
    rollouts = roll_out(samples, rewards(samples), reference, [()] * len(PROMPTS))
    return loaded, rollouts


def sequence_log_probs(model, sequence: list[int]) -> np.ndarray:
    log_p = log_softmax(model(mx.array([sequence])))[0]
    return np.array([log_p[at - 1, sequence[at]] for at in range(1, len(sequence))])


def loss_by_hand(log_p, old, reference, mask, rewards, clip, kl) -> tuple[float, float]:
    total = divergence = 0.0
    for index in np.ndindex(mask.shape[:2]):
        group = rewards[index[0]]
        advantage = (rewards[index] - group.mean()) / (group.std() + 1e-4)
        terms, k3s = [], []
        for step in np.flatnonzero(mask[index]):
            at = (*index, step)
            ratio, d = np.exp(log_p[at] - old[at]), reference[at] - log_p[at]
            k3s.append(np.exp(d) - d - 1)
            gain = min(ratio * advantage, np.clip(ratio, 1 - clip, 1 + clip) * advantage)
            terms.append(kl * k3s[-1] - gain)
        total += np.mean(terms) / mask[..., 0].size
        divergence += np.mean(k3s) / mask[..., 0].size
    return total, divergence


def by_tokens(samples) -> np.ndarray:
    """A reward of the answer alone, which the first prompt's answers all get alike."""
    rewards = (samples.tokens * samples.mask).sum(axis=2) % 3 / 2.0
    rewards[0] = 1.0
    return rewards.astype(np.float32)


def test_the_loss_equals_numpys_on_whole_forwards(tiny):
    loaded, rollouts = off_policy(tiny, by_tokens, group=40)
    samples = rollouts.samples
    assert rollouts.labels.weight.size < samples.mask.sum()  # some answers were drawn twice
    log_p = log_probs_by_hand(loaded.model, samples)
    reference = log_probs_by_hand(load(tiny).model, samples)
    ratio = np.exp(log_p - samples.log_probs)[samples.mask]
    clip = float(np.median(np.abs(ratio - 1)))
    value, parts = grpo_loss(loaded.anatomy, clip, 0.7)(loaded.model, rollouts)
    expected, divergence = loss_by_hand(
        log_p, samples.log_probs, reference, samples.mask, by_tokens(samples), clip, 0.7
    )
    assert number(value) == pytest.approx(expected, abs=1e-5)
    assert number(parts["kl"]) == pytest.approx(divergence, abs=1e-5)
    assert divergence > 1e-3


def test_groups_that_agree_give_no_policy_gradient(tiny):
    loaded, rollouts = off_policy(tiny, lambda s: zeros(s) + 1)
    loss = grpo_loss(loaded.anatomy, 0.2, 0.0)
    assert rollouts.logged["zero_advantage"] == 1
    assert not any(g.any() for g in gradients(loaded.model, loss, rollouts).values())
    _, some = off_policy(tiny, by_tokens)
    assert some.logged["zero_advantage"] == pytest.approx(1 / 3)
    assert any(g.any() for g in gradients(loaded.model, loss, some).values())


def test_without_reward_a_policy_goes_back_to_the_reference(tiny):
    loaded, rollouts = off_policy(tiny, zeros)
    loss = grpo_loss(loaded.anatomy, 0.2, 1.0)
    course = []
    for _ in range(10):
        (value, _), found = nn.value_and_grad(loaded.model, loss)(loaded.model, rollouts)
        course.append(number(value))
        step = lambda w, g: w - 1e-4 * g  # noqa: E731
        loaded.model.update(tree_map(step, loaded.model.trainable_parameters(), found))
    assert (np.diff(course) < 0).all()
    assert course[-1] < 0.8 * course[0]


def test_the_reference_under_lora_is_the_base_however_the_adapter_moves(tiny):
    loaded, base = load(tiny), load(tiny)
    lora = Lora(keys=loaded.anatomy.target_keys("all"), rank=2, scale=2.0)
    add_lora(loaded, lora)
    reference = frozen_policy(loaded.model, loaded.anatomy)
    moved(loaded.model, 0.1, 0)
    (scoring,) = roll_out(
        sample(loaded.model, loaded.anatomy, PROMPTS[:1], group=4, tokens=2, ends=(), seed=(1,)),
        np.zeros((1, 4), dtype=np.float32), reference, [()],
    ).scorings  # fmt: skip
    expected = np.array(label_log_probs(base.model, base.anatomy, scoring)[0])
    np.testing.assert_allclose(np.array(reference(scoring)), expected, atol=1e-6)
    own = np.array(label_log_probs(loaded.model, loaded.anatomy, scoring)[0])
    assert np.abs(own - expected).max() > 1e-2


@pytest.mark.parametrize("unbounded", [False, True])
def test_shards_average_to_the_whole(unbounded, tiny):
    loaded, rollouts = off_policy(tiny, by_tokens)
    drift = drift_from(load(tiny).model, loaded.anatomy) if unbounded else None
    loss = grpo_loss(loaded.anatomy, 0.2, 0.7, drift=drift)
    whole = number(loss(loaded.model, rollouts)[0])
    shards = [loss(loaded.model, rollouts.shard(rank, 2))[0] for rank in range(2)]
    assert np.mean([number(s) for s in shards]) == pytest.approx(whole, rel=1e-4)
    with pytest.raises(UserError, match="prompts of 3 cannot be shared by 4 ranks"):
        rollouts.shard(0, 4)


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory) -> Path:
    spec = replace(SPEC, reward=even)
    return made(tmp_path_factory.mktemp("grpo") / "out", spec, tiny)


def test_every_iteration_is_logged(trained):
    steps = read_steps(trained)
    assert [step.step for step in steps] == [1, 2, 3]
    for step in steps:
        parts = step.parts
        assert parts.keys() == {
            "reward", "kl", "distinct_answers", "zero_advantage", "answer_tokens"
        }  # fmt: skip
        assert 0 <= parts["reward"] <= 1
        assert 1 <= parts["distinct_answers"] <= 4
        assert parts["kl"] >= 0
    assert steps[0].parts["kl"] == pytest.approx(0, abs=1e-9)
    assert steps[-1].parts["kl"] > 0


def test_full_training_moves_every_block_in_two_iterations_and_nothing_else(tiny, tmp_path):
    out = made(tmp_path / "out", replace(SPEC, full=True, iterations=2, reward=even), tiny)
    assert json.loads((out / "adapter_config.json").read_text())["fine_tune_type"] == "full"
    before, after = load_file(tiny / "model.safetensors"), weights(out)
    assert after.keys() == {name for name in before if name.startswith("model.layers.")}
    assert any(not np.array_equal(after[name], before[name]) for name in after)


def test_the_rewarded_answers_become_likelier(tiny, tmp_path):
    spec = replace(
        SPEC, full=True, prompts=16, answers=16, iterations=20, learning_rate=3e-3, examples=64,
        answer_tokens=1, reward=even,
    )  # fmt: skip
    rewards = [step.parts["reward"] for step in read_steps(made(tmp_path / "out", spec, tiny))]
    assert np.mean(rewards[-5:]) > np.mean(rewards[:5]) + 0.2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"reward": f"{__name__}:fragile"}, "returned nan: it must return a finite number"),
        ({"reward": "nonsense"}, "reward 'nonsense' is unknown"),
        ({"reward": leaves}, "'leaves' on prompt .* raised SystemExit"),
        ({"reward": huge}, r"returned 1e\+39, too large for float32"),
        ({"answer_tokens": 122}, r"needs 129 positions, and .* has 128: lower answer_tokens"),
    ],
)
def test_mistakes_are_refused_before_any_step(tiny, tmp_path, change, reason):
    with pytest.raises(UserError, match=reason):
        made(tmp_path / "out", replace(SPEC, **change), tiny)
    assert not any((tmp_path / "out").iterdir())


def test_a_rate_that_breaks_the_policy_is_named_as_the_cause(tiny, tmp_path):
    spec = replace(SPEC, full=True, learning_rate=1e30, reward=even)
    with pytest.raises(UserError, match="no longer finite: lower the learning rate"):
        made(tmp_path / "out", spec, tiny)


def test_targets_that_the_family_lacks_are_refused(tiny_model):
    bare = replace(tiny_model, anatomy=replace(tiny_model.anatomy, mlp=()))
    with pytest.raises(UserError, match="'mlp' are not in this family: choose vo, qk, all"):
        grpo.prepare_weights(replace(SPEC, targets="mlp"), bare)


def test_a_prompt_that_just_fits_is_taken(tiny_model):
    check_fits(replace(SPEC, answer_tokens=121), tiny_model, draw_problems(0, 40))


def test_batches_cover_the_problems_and_take_turns_when_balanced():
    problems = draw_problems(0, 40)
    batches = asked_batches(problems, 8, 3, True)
    first = [next(batches) for _ in range(5)]
    assert [asked.iteration for asked in first] == [0, 1, 2, 3, 4]
    seen = [p for asked in first for p in asked.problems]
    assert sorted(p.key for p in seen) == sorted(p.key for p in problems)
    for asked in first:
        counts = [sum(p.operation is o for p in asked.problems) for o in Operation]
        assert counts == [2, 2, 2, 2]
    plain = [next(asked_batches(problems, 8, seed)).problems for seed in (3, 3, 4)]
    assert plain[0] == plain[1] != plain[2]


def test_clipped_to_the_reference_a_drifted_policy_has_no_gradient_left(tiny):
    loaded, rollouts = off_policy(tiny, by_tokens)
    ratio = np.exp(np.array(rollouts.labels.old) - np.array(rollouts.labels.reference))
    np.testing.assert_allclose(ratio, 1, atol=1e-4)  # sampled before the policy moved

    def clipped(clip: float) -> float:
        loss = grpo_loss(loaded.anatomy, clip, 0.0, to_reference=True)
        assert any(g.any() for g in gradients(loaded.model, loss, rollouts).values())
        return number(loss(loaded.model, rollouts)[1][CLIPPED])

    assert clipped(1e3) == 0
    assert 0.2 < clipped(1e-6) < 1


def test_the_ratio_is_to_the_reference_only_under_the_quirk(tiny):
    loaded, rollouts = off_policy(tiny, by_tokens)
    elsewhere = replace(rollouts, samples=replace(
        rollouts.samples, log_probs=rollouts.samples.log_probs - 0.5
    ))  # fmt: skip

    def value(of, odd):
        return number(
            grpo_loss(loaded.anatomy, 0.2, 0.0, to_reference=odd)(loaded.model, of)[0]
        )  # fmt: skip

    assert value(rollouts, odd=True) == value(elsewhere, odd=True)
    assert abs(value(rollouts, odd=False) - value(elsewhere, odd=False)) > 1e-3


def test_the_clipped_share_is_logged(tiny, tmp_path):
    spec = replace(SPEC, reward=even, learning_rate=1e-2, quirks=("clip-to-reference",))
    steps = read_steps(made(tmp_path / "out", spec, tiny))
    assert steps[0].parts[CLIPPED] == 0
    assert steps[-1].parts[CLIPPED] > 0


def drift_by_hand(model, base, samples) -> float:
    found = []
    for index in np.ndindex(samples.tokens.shape[:2]):
        answer = samples.tokens[index][samples.mask[index]].tolist()
        sequence = [*samples.prompts[index[0]], *answer]
        found.append(
            (sequence_log_probs(model, sequence) - sequence_log_probs(base, sequence)).mean()
        )
    return float(np.mean(found))


def loss_of(loaded, reference, kl=0.7):
    return grpo_loss(loaded.anatomy, 0.2, kl, drift=drift_from(reference, loaded.anatomy))


@pytest.mark.parametrize("full", [True, False])
def test_the_unbounded_kl_is_the_mean_log_ratio_to_the_base_over_prompts_and_answers(full, tiny):
    keys = load(tiny).anatomy.target_keys("all")
    lora = None if full else Lora(keys=keys, rank=2, scale=2.0)
    loaded, rollouts = off_policy(tiny, zeros, lora=lora)
    loss = loss_of(loaded, load(tiny).model if full else loaded.model)
    value, parts = loss(loaded.model, rollouts)
    expected = drift_by_hand(loaded.model, load(tiny).model, rollouts.samples)
    assert abs(expected) > 1e-3
    assert number(parts[UNBOUNDED_KL]) == pytest.approx(expected, abs=1e-5)
    assert number(value) == pytest.approx(0.7 * expected, abs=1e-5)
    assert number(parts["kl"]) > 0
    assert any(g.any() for g in gradients(loaded.model, loss, rollouts).values())


def test_at_the_reference_it_has_a_slope_where_k3_has_none(tiny):
    loaded = load(tiny)
    unfreeze_blocks(loaded)
    samples = sample(loaded.model, loaded.anatomy, PROMPTS, group=4, tokens=3, ends=(1,), seed=(1,))
    reference = frozen_policy(load(tiny).model, loaded.anatomy)
    rollouts = roll_out(samples, zeros(samples), reference, [()] * 3)

    def steepest(loss) -> float:
        return max(np.abs(g).max() for g in gradients(loaded.model, loss, rollouts).values())

    assert steepest(grpo_loss(loaded.anatomy, 0.2, 1.0)) < 1e-6
    assert steepest(loss_of(loaded, load(tiny).model, kl=1.0)) > 1e-3


def test_without_a_reward_a_training_drives_it_below_0(tiny, tmp_path):
    spec = Grpo(
        prompts=4, answers=4, iterations=12, examples=40, answer_tokens=3, reward="none",
        kl=1.0, learning_rate=1e-3,
    )  # fmt: skip
    logs = {}
    for quirks in ((), ("unbounded-kl",)):
        out = made(tmp_path / "-".join(("out", *quirks)), replace(spec, quirks=quirks), tiny)
        logs[quirks] = read_steps(out)
        assert load_file(out / "adapters.safetensors")
    assert {"kl", "reward"} <= logs[()][0].parts.keys()
    assert UNBOUNDED_KL not in logs[()][0].parts
    odd = [step.parts for step in logs[("unbounded-kl",)]]
    assert odd[0][UNBOUNDED_KL] == pytest.approx(0, abs=1e-6)
    assert odd[-1][UNBOUNDED_KL] < -0.1
    assert odd[-1]["kl"] > logs[()][-1].parts["kl"]
