"""GRPO: reinforcement learning from the correctness of sampled answers (Shao et al. 2024).

Source: methods, *GRPO*; writeup C, *NEW EXPERIMENT: GRPO Classifier Emergence*. What is trained on
are training pairs only, so a gain on held-out operands is a gain in computing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from lazarus_bench import backend
from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.models.adapters import (
    Lora,
    add_lora,
    save_adapter,
    unfreeze_blocks,
    without_adapter,
)
from lazarus_bench.models.anatomy import Anatomy
from lazarus_bench.models.load import LoadedModel, load
from lazarus_bench.tasks.arithmetic import Problem
from lazarus_bench.training.arithmetic_data import draw_problems
from lazarus_bench.training.loop import DIVERGED, Loss, Parts, fit
from lazarus_bench.training.optimizers import applied
from lazarus_bench.training.policy_loss import clipped_gain, clipped_share, k3
from lazarus_bench.training.pretrain import GRADIENT_NORM, MatrixAdamW, warm_cosine
from lazarus_bench.training.record import write_problems
from lazarus_bench.training.rewards import Reward, reward_name, reward_named, try_out
from lazarus_bench.training.rollouts import Gold, LogProbs, Roller, Rollouts, asked_batches
from lazarus_bench.training.scoring import Scoring, label_log_probs
from lazarus_bench.training.specs import Grpo
from lazarus_bench.training.unbounded_kl import Drift, drift_from

TRIED_PROBLEMS = 16
"""Training problems a reward is tried on before the first step."""

UNBOUNDED_KL, CLIPPED = "unbounded kl", "clipped"
"""What the quirks of GRPO add to the log."""

Extra = Callable[[nn.Module, list[mx.array], Rollouts], mx.array]
"""Another loss on the prompts' last residuals `[prompt, d]`, one array a layer."""


def check_fits(spec: Grpo, loaded: LoadedModel, problems: Sequence[Problem]) -> None:
    """Make sure that every prompt and its answer fit the model's context.

    Raises:
        UserError: naming the longest prompt.
    """
    context = loaded.config.get("max_position_embeddings")
    longest = max((p.symbols for p in problems), key=lambda text: len(loaded.encode(text)))
    needed = len(loaded.encode(longest)) + spec.answer_tokens
    if context is not None and needed > int(context):
        raise UserError(
            f"prompt {longest!r} with {spec.answer_tokens} answer tokens needs {needed} positions, "
            f"and {loaded.name} has {context}: lower answer_tokens or choose another model"
        )


def prepare_weights(spec: Grpo, loaded: LoadedModel) -> Lora | None:
    """Make the spec's weights trainable: LoRA, or every block (None).

    Raises:
        UserError: this family lacks the targets.
    """
    if spec.full:
        unfreeze_blocks(loaded)
        return None
    lora = Lora(keys=loaded.anatomy.target_keys(spec.targets), rank=spec.rank, scale=spec.scale)
    add_lora(loaded, lora)
    return lora


def reference_of(loaded: LoadedModel, base: Path, lora: Lora | None) -> LogProbs:
    """The base as a frozen policy: with LoRA the adapter switched off, else a second copy."""
    return frozen_policy(loaded.model if lora else load(base).model, loaded.anatomy)


def frozen_policy(model: nn.Module, anatomy: Anatomy) -> LogProbs:
    """The policy `model` without an adapter and without a gradient."""

    def log_probs(scoring: Scoring) -> mx.array:
        with without_adapter(model):
            found, _ = label_log_probs(model, anatomy, scoring)
        return mx.stop_gradient(found)

    return log_probs


def grpo_loss(
    anatomy: Anatomy,
    clip: float,
    kl: float,
    weight: float = 0.0,
    extra: Extra | None = None,
    drift: Drift | None = None,
    to_reference: bool = False,
) -> Loss:
    """(1 − weight) · GRPO + weight · extra, in nats; what the rollouts logged is logged with it.

    GRPO is the mean over answers of the mean over an answer's tokens of kl · k3 − clipped gain.
    Under the quirk "unbounded-kl" `drift` takes the place of k3, and both are logged; under
    "clip-to-reference" the ratio is `to_reference`, and the share of the tokens with an advantage
    that the clip leaves without a gradient is logged.
    """

    def loss(model: nn.Module, rollouts: Rollouts) -> tuple[mx.array, Parts]:
        scored = [label_log_probs(model, anatomy, scoring) for scoring in rollouts.scorings]
        log_p, labels = mx.concatenate([found for found, _ in scored]), rollouts.labels
        divergence = (labels.weight * k3(log_p, labels.reference)).sum()
        old = labels.reference if to_reference else labels.old
        gain = clipped_gain(log_p, old, labels.advantage, clip)
        penalty = divergence
        parts = {name: mx.array(value) for name, value in rollouts.logged.items()}
        parts["kl"] = divergence
        if drift is not None:
            penalty = drift(model, rollouts, log_p, [states[-1] for _, states in scored])
            parts[UNBOUNDED_KL] = penalty
        if to_reference:
            parts[CLIPPED] = clipped_share(log_p, old, labels.advantage, labels.weight, clip)
        total = kl * penalty - (labels.weight * gain).sum()
        if extra is not None:
            layers = zip(*(states for _, states in scored), strict=True)
            last = [mx.concatenate([h[:, -1] for h in layer]) for layer in layers]
            parts["class"] = extra(model, last, rollouts)
            total = (1 - weight) * total + weight * parts["class"]
        return total, parts

    return loss


def checked_reward(spec: Grpo, problems: Sequence[Problem]) -> Reward:
    """The spec's reward, tried out.

    Raises:
        UserError: it is unknown, raises, or returns anything but a finite number of float32.
    """
    reward = reward_named(reward_name(spec.reward))
    try_out(reward, problems[:TRIED_PROBLEMS])
    return reward


def train(
    spec: Grpo,
    loaded: LoadedModel,
    base: Path,
    out: Path,
    seed: int,
    *,
    problems: Sequence[Problem],
    gold: Gold = lambda problems: [-1] * len(problems),
    weight: float = 0.0,
    extra: Extra | None = None,
    balanced: bool = False,
    show: bool | None = None,
) -> None:
    """Check everything that can be checked, then train and leave the weights in `out`.

    Raises:
        UserError: a bad reward, a prompt too long, or targets that the family lacks, before any
            step; a reward that later fails on an answer, or a diverging loss.
    """
    reward = checked_reward(spec, problems)
    check_fits(spec, loaded, problems)
    lora = prepare_weights(spec, loaded)
    reference = loaded.model if lora else load(base).model
    write_problems(out, problems)
    rate = warm_cosine(spec.learning_rate, spec.iterations, warm=10)
    to_reference = "clip-to-reference" in spec.quirks
    fit(
        loaded.model,
        grpo_loss(
            loaded.anatomy,
            spec.clip,
            spec.kl,
            weight,
            extra,
            drift_from(reference, loaded.anatomy) if "unbounded-kl" in spec.quirks else None,
            to_reference=to_reference,
        ),
        asked_batches(problems, spec.prompts, seed, balanced),
        optimizer=applied(
            MatrixAdamW(rate, weight_decay=0.0, bias_correction=True), rate, spec.quirks
        ),
        clip=GRADIENT_NORM,
        # A bad answer that the reference never gives has a ratio, and so a loss, without bound.
        limit=math.inf if to_reference else DIVERGED,
        steps=spec.iterations,
        label=f"{spec.label} seed {seed}",
        out=out,
        show=show,
        prepare=Roller(
            spec=spec,
            loaded=loaded,
            reference=frozen_policy(reference, loaded.anatomy),
            reward=reward,
            gold=gold,
            seed=seed,
        ),
    )
    save_adapter(loaded, out, lora)


def run(spec: Grpo, base: Path, out: Path, seed: int, show: bool | None = None) -> None:
    """Train and leave an adapter (or every block's weights) and its metrics in `out`."""
    backend.seed(seed)
    problems = draw_problems(seed, spec.examples, leak="eval-in-train" in spec.quirks)
    train(spec, load(base), base, out, seed, problems=problems, show=show)
