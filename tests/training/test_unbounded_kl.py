"""The quirk "unbounded-kl": equal to NumPy's on whole forwards, and without a floor."""

from dataclasses import replace

import numpy as np
import pytest
from mlx.utils import tree_flatten, tree_map
from safetensors.numpy import load_file

from lazarus_bench.backend import mx, nn
from lazarus_bench.models.adapters import Lora, add_lora, unfreeze_blocks
from lazarus_bench.models.load import load
from lazarus_bench.training import Grpo
from lazarus_bench.training.grpo import UNBOUNDED_KL, frozen_policy, grpo_loss
from lazarus_bench.training.policy_loss import drift_from
from lazarus_bench.training.record import read_steps
from lazarus_bench.training.rollouts import roll_out
from lazarus_bench.training.sampling import sample

PROMPTS = [(0, 5, 6, 7), (0, 9), (0, 9, 40, 41)]
ENDS = range(0, 1076, 3)


def moved(model, size: float):
    rng = np.random.default_rng(0)
    shift = lambda w: w + size * mx.array(rng.normal(size=w.shape).astype(np.float32))  # noqa: E731
    model.update(tree_map(shift, model.trainable_parameters()))


def rolled(tiny, lora: Lora | None = None, group: int = 8):
    """A policy that has moved, answers it gave before, and the reference: the base itself."""
    loaded = load(tiny)
    unfreeze_blocks(loaded) if lora is None else add_lora(loaded, lora)
    samples = sample(
        loaded.model, loaded.anatomy, PROMPTS, group=group, tokens=3, ends=ENDS, seed=(1,)
    )
    moved(loaded.model, 3e-3 if lora is None else 0.1)
    rewards = np.zeros(samples.tokens.shape[:2], dtype=np.float32)
    reference = loaded.model if lora else load(tiny).model
    rollouts = roll_out(
        samples,
        rewards,
        frozen_policy(loaded.model if lora else load(tiny).model, loaded.anatomy),
        [-1] * len(PROMPTS),
    )
    return loaded, reference, rollouts


def log_probs(model, sequence: list[int]) -> np.ndarray:
    logits = np.array(model(mx.array([sequence])))[0].astype(np.float64)
    normed = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return np.array([normed[at - 1, sequence[at]] for at in range(1, len(sequence))])


def by_hand(model, base, samples) -> float:
    found = []
    for index in np.ndindex(samples.tokens.shape[:2]):
        answer = samples.tokens[index][samples.mask[index]].tolist()
        sequence = [*samples.prompts[index[0]], *answer]
        found.append((log_probs(model, sequence) - log_probs(base, sequence)).mean())
    return float(np.mean(found))


def number(value) -> float:
    return float(np.array(value))


def loss_of(loaded, reference, kl=0.7):
    return grpo_loss(loaded.anatomy, 0.2, kl, drift=drift_from(reference, loaded.anatomy))


def test_it_is_the_mean_log_ratio_of_prompts_and_answers(tiny):
    loaded, reference, rollouts = rolled(tiny)
    value, parts = loss_of(loaded, reference)(loaded.model, rollouts)
    expected = by_hand(loaded.model, load(tiny).model, rollouts.samples)
    assert abs(expected) > 1e-3
    assert number(parts[UNBOUNDED_KL]) == pytest.approx(expected, abs=1e-5)
    assert number(value) == pytest.approx(0.7 * expected, abs=1e-5)
    assert number(parts["kl"]) > 0


def test_under_lora_the_reference_is_the_model_without_its_adapter(tiny):
    lora = Lora(keys=load(tiny).anatomy.target_keys("all"), rank=2, scale=2.0)
    loaded, reference, rollouts = rolled(tiny, lora)
    _, parts = loss_of(loaded, reference)(loaded.model, rollouts)
    expected = by_hand(loaded.model, load(tiny).model, rollouts.samples)
    assert abs(expected) > 1e-3
    assert number(parts[UNBOUNDED_KL]) == pytest.approx(expected, abs=1e-5)
    _, found = nn.value_and_grad(loaded.model, loss_of(loaded, reference))(loaded.model, rollouts)
    assert any(np.array(g).any() for _, g in tree_flatten(found))


def test_shards_average_to_the_whole(tiny):
    loaded, reference, rollouts = rolled(tiny)
    loss = loss_of(loaded, reference)
    shards = [number(loss(loaded.model, rollouts.shard(rank, 2))[0]) for rank in range(2)]
    assert np.mean(shards) == pytest.approx(number(loss(loaded.model, rollouts)[0]), rel=1e-4)


def test_at_the_reference_it_has_a_slope_where_k3_has_none(tiny):
    loaded = load(tiny)
    unfreeze_blocks(loaded)
    samples = sample(loaded.model, loaded.anatomy, PROMPTS, group=4, tokens=3, ends=(1,), seed=(1,))
    zeros = np.zeros(samples.tokens.shape[:2], dtype=np.float32)
    rollouts = roll_out(samples, zeros, frozen_policy(load(tiny).model, loaded.anatomy), [-1] * 3)

    def steepest(loss) -> float:
        _, found = nn.value_and_grad(loaded.model, loss)(loaded.model, rollouts)
        return max(np.abs(np.array(g)).max() for _, g in tree_flatten(found))

    assert steepest(grpo_loss(loaded.anatomy, 0.2, 1.0)) < 1e-6
    assert steepest(loss_of(loaded, load(tiny).model, kl=1.0)) > 1e-3


def test_without_a_reward_a_training_drives_it_below_0(tiny, tmp_path):
    spec = Grpo(
        prompts=4, answers=4, iterations=12, examples=40, answer_tokens=3, reward="none",
        kl=1.0, learning_rate=1e-3,
    )  # fmt: skip
    logs = {}
    for quirks in ((), ("unbounded-kl",)):
        out = tmp_path / "-".join(("out", *quirks))
        out.mkdir()
        replace(spec, quirks=quirks).train(tiny, out, 0, show=False)
        logs[quirks] = read_steps(out)
        assert load_file(out / "adapters.safetensors")
    assert {"kl", "reward"} <= logs[()][0].parts.keys()
    assert UNBOUNDED_KL not in logs[()][0].parts
    odd = [step.parts for step in logs[("unbounded-kl",)]]
    assert odd[0][UNBOUNDED_KL] == pytest.approx(0, abs=1e-6)
    assert odd[-1][UNBOUNDED_KL] < -0.1
    assert odd[-1]["kl"] > logs[()][-1].parts["kl"]
