"""GRPO's loss and its gradient equal torch's on transformers' own forward, without any cache."""

import numpy as np
import pytest
from mlx.utils import tree_flatten, tree_map

from lazarus_bench.backend import mx, nn
from lazarus_bench.models.adapters import unfreeze_blocks
from lazarus_bench.models.load import load
from lazarus_bench.training.grpo import class_part, frozen_policy, grpo_loss
from lazarus_bench.training.rollouts import Rollouts, roll_out
from lazarus_bench.training.sampling import sample

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

pytestmark = pytest.mark.oracle

PROMPTS = [(0, 5, 6, 7), (0, 9), (0, 9, 40, 41)]
GOLD = [300, 301, 302]
CLIP, KL, WEIGHT, LAYER, ENTROPY = 0.02, 0.7, 0.4, 2, 0.5


@pytest.fixture(scope="module")
def prepared(tiny):
    """A full-trained policy off its sampling policy, its rollouts, and the same in torch."""
    loaded = load(tiny)
    unfreeze_blocks(loaded)
    samples = sample(
        loaded.model, loaded.anatomy, PROMPTS, group=8, tokens=3, ends=range(0, 1076, 3), seed=(1,)
    )
    rng = np.random.default_rng(0)
    shift = lambda w: w + mx.array(3e-3 * rng.normal(size=w.shape).astype(np.float32))  # noqa: E731
    loaded.model.update(tree_map(shift, loaded.model.trainable_parameters()))
    rewards = ((samples.tokens * samples.mask).sum(axis=2) % 3).astype(np.float32)
    gold = [(token,) for token in GOLD]
    rollouts = roll_out(samples, rewards, frozen_policy(load(tiny).model, loaded.anatomy), gold)
    theirs, frozen = (
        transformers.AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
        for _ in range(2)
    )
    weights = {k: torch.tensor(np.array(w)) for k, w in tree_flatten(loaded.model.parameters())}
    theirs.load_state_dict(weights, strict=False)
    return loaded, rollouts, rewards, theirs.double(), frozen.double()


def answer_log_probs(model, prompt, answer):
    logits = model(torch.tensor([[*prompt, *answer]])).logits[0, len(prompt) - 1 : -1]
    return torch.log_softmax(logits, dim=-1)[range(len(answer)), answer]


def grpo_in_torch(rollouts: Rollouts, rewards, policy, frozen):
    samples, terms = rollouts.samples, []
    for row, column in np.ndindex(rewards.shape):
        mask = samples.mask[row, column]
        answer = samples.tokens[row, column][mask].tolist()
        old = torch.tensor(samples.log_probs[row, column][mask]).double()
        log_p = answer_log_probs(policy, PROMPTS[row], answer)
        with torch.no_grad():
            d = answer_log_probs(frozen, PROMPTS[row], answer)
        group = rewards[row].astype(np.float64)
        advantage = (group[column] - group.mean()) / (group.std() + 1e-4)
        ratio, d = torch.exp(log_p - old), d - log_p
        gain = torch.minimum(ratio * advantage, ratio.clamp(1 - CLIP, 1 + CLIP) * advantage)
        terms.append((KL * (torch.exp(d) - d - 1) - gain).mean())
    return torch.stack(terms).mean()


def class_in_torch(model):
    rows = []
    for prompt in PROMPTS:
        states = model(torch.tensor([prompt]), output_hidden_states=True).hidden_states
        rows.append(model.lm_head(model.model.norm(states[LAYER + 1][0, -1])))
    log_p = torch.log_softmax(torch.stack(rows), dim=-1)
    mean = log_p.exp().mean(dim=0)
    return -log_p[range(3), GOLD].mean() + ENTROPY * (mean * mean.log()).sum()


def test_loss_and_gradient(prepared):
    loaded, rollouts, rewards, theirs, frozen = prepared
    extra = class_part(loaded.anatomy, LAYER, ENTROPY)
    loss = grpo_loss(loaded.anatomy, CLIP, KL, WEIGHT, extra)
    (value, parts), found = nn.value_and_grad(loaded.model, loss)(loaded.model, rollouts)
    grpo, label = grpo_in_torch(rollouts, rewards, theirs, frozen), class_in_torch(theirs)
    expected = (1 - WEIGHT) * grpo + WEIGHT * label
    assert float(np.array(parts["class"])) == pytest.approx(label.item(), rel=1e-5)
    assert float(np.array(value)) == pytest.approx(expected.item(), rel=1e-5)
    expected.backward()
    slopes = {name: weight.grad.numpy() for name, weight in theirs.named_parameters()}
    ours = dict(tree_flatten(found))
    assert len(ours) == 4 * 9
    for name, slope in ours.items():
        largest = np.abs(slopes[name]).max()
        np.testing.assert_allclose(np.array(slope), slopes[name], atol=1e-5 * max(largest, 1))
        assert largest > 0
