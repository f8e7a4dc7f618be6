"""GRPO: reinforcement learning from the correctness of sampled answers (Shao et al. 2024).

Source: methods, *GRPO*. What is trained on
are training pairs only, so a gain on held-out operands is a gain in computing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, TypeAlias

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
from lazarus_bench.training.optimizers import (
    GRADIENT_NORM,
    applied,
    matrix_adamw,
    warm_cosine,
)
from lazarus_bench.training.policy_loss import (
    Drift,
    clipped_gain,
    clipped_share,
    drift_from,
    k3,
)
from lazarus_bench.training.recipe import (
    Bound,
    Count,
    NonNegative,
    Option,
    Positive,
    Quirk,
    Recipe,
    Targets,
    alpha_of,
    check_lora,
    examples_option,
    option,
    quirks_option,
    rank_option,
    rate_option,
    scale_option,
    scaled,
    targets_option,
    told,
)
from lazarus_bench.training.record import write_problems
from lazarus_bench.training.rewards import (
    NO_REWARD,
    RIGHT_INTEGER,
    Reward,
    reward_name,
    reward_named,
    try_out,
)
from lazarus_bench.training.rollouts import Gold, LogProbs, Roller, Rollouts, asked_batches
from lazarus_bench.training.scoring import Scoring, label_log_probs

TRIED_PROBLEMS = 16
"""Training problems a reward is tried on before the first step."""

UNBOUNDED_KL, CLIPPED = "unbounded kl", "clipped"
"""What the quirks of GRPO add to the log."""

Extra: TypeAlias = "Callable[[nn.Module, list[mx.array], Rollouts], mx.array]"
"""Another loss on the prompts' last residuals `[prompt, d]`, one array a layer."""

Iterations = Annotated[int, Bound(least=2, because="the warm-up's first has rate 0")]


@dataclass(frozen=True, kw_only=True)
class Grpo(Recipe):
    """Reinforcement learning from right answers.

    GRPO: answers are sampled, the right ones rewarded, each compared with its group.

    An iteration samples `answers` to each of `prompts` at temperature 1 and takes one step on them:
    clipped ratio `clip` to the sampling policy, plus `kl` times the k3 divergence from the base.
    LoRA on `targets` of every block with `rank` and `scale`, or every block when `full`. `reward`
    names a function of `training.rewards`, or the user's own as `module:function`; a function that
    can be imported by such a name may be given itself and becomes that name. The digest covers the
    name, not what the function does. The warm-up's first step has rate 0, so that `iterations` are
    2 or more.

    Sizes and rate come from a search on development seeds: `docs/search-grpo.md`.
    """

    kind: ClassVar[str] = "grpo"
    version: ClassVar[int] = 3
    shared: ClassVar[tuple[str, ...]] = ("prompts",)
    possible_quirks: ClassVar[tuple[Quirk, ...]] = (
        "sgd",
        "unbounded-kl",
        "clip-to-reference",
        "eval-in-train",
    )

    examples_of_use: ClassVar[tuple[str, ...]] = (
        "lazarus-bench train grpo lab:llama --iterations 30 --output grpo",
        "lazarus-bench train grpo lab:llama --no-full --rank 16 --reward my_rewards:short",
    )
    also: ClassVar[Mapping[str, Option]] = MappingProxyType({"alpha": alpha_of("2 · rank")})

    full: bool = option(True, "train every block; --no-full trains LoRA")
    targets: Targets = targets_option("all")
    rank: Count = rank_option(16)
    scale: Positive = scale_option(2.0)
    prompts: Count = option(
        64, "prompts an iteration", aliases=("batch_size", "prompts_per_iteration")
    )
    answers: Annotated[int, Bound(least=2, because="a group of one has no advantage")] = option(
        8, "sampled answers to a prompt", aliases=("group_size", "num_generations")
    )
    iterations: Iterations = option(
        140,
        "iterations: answers are sampled, then one step is taken",
        aliases=("num_iterations", "max_steps", "steps", "iters"),
    )
    learning_rate: Positive = rate_option(3e-4)
    clip: Positive = option(
        0.2,
        "the ratio to the sampling policy is clipped to 1 ± this",
        aliases=("clip_epsilon", "epsilon"),
    )
    kl: NonNegative = option(
        0.04,
        "weight of the divergence from the base",
        aliases=("kl_coef", "kl_coeff", "kl_coefficient", "beta"),
    )
    examples: Count = examples_option(4500)
    answer_tokens: Count = option(
        6, "most tokens of a sampled answer", aliases=("max_tokens", "max_completion_length")
    )
    reward: str | Reward = option(
        RIGHT_INTEGER, "right-integer, none, or module:function of your own"
    )
    quirks: tuple[Quirk, ...] = quirks_option()

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        object.__setattr__(self, "reward", reward_name(self.reward))
        super().__post_init__()

    def _idle_quirks(self) -> Mapping[Quirk, str]:
        """A penalty of weight 0 cannot go wrong, nor a gain that is 0 whatever the answers."""
        found: dict[Quirk, str] = {}
        if self.kl == 0:
            found["unbounded-kl"] = "kl = 0"
        if self.reward == NO_REWARD:
            found["clip-to-reference"] = f"reward = {NO_REWARD!r}"
        return found

    @property
    def label(self) -> str:
        """Name what is trained, and on how many answers where it is not the usual number."""
        usual = self.prompts * self.answers == type(self).prompts * type(self).answers
        sizes = "" if usual else f" {self.prompts} × {self.answers}"
        name = "GRPO full" if self.full else f"GRPO LoRA {self.targets}"
        return name + sizes + self._aims

    @property
    def _aims(self) -> str:
        """The absence of a reward, and quirks."""
        return (", no reward" if self.reward == NO_REWARD else "") + told(self.quirks)

    @property
    def lab_seconds(self) -> float:
        """Some 0.4 s an iteration of 64 × 8, measured; a prompt costs more than an answer."""
        return self.iterations * (0.05 + self.prompts * (0.0045 + 0.0002 * self.answers))

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], model: str) -> Grpo:
        """With a scale; settings of LoRA are refused where every weight is trained."""
        del model
        full = settings.get("full", cls.full)
        check_lora(settings, full=full, remedy="give --no-full as well, or ")
        return cls(**scaled(settings, cls.rank))

    def train(self, base: Path, out: Path, seed: int, show: bool | None = None) -> None:
        """Train and leave an adapter (or every block's weights) and its metrics in `out`."""
        backend.seed(seed)
        self._fit(load(base), base, out, seed, show)

    def _fit(
        self,
        loaded: LoadedModel,
        base: Path,
        out: Path,
        seed: int,
        show: bool | None,
        *,
        gold: Gold = lambda problems: [-1] * len(problems),
        weight: float = 0.0,
        extra: Extra | None = None,
        balanced: bool = False,
    ) -> None:
        """Check everything that can be checked, then train and leave the weights in `out`.

        Raises:
            UserError: a bad reward, a prompt too long, or targets that the family lacks, before any
                step; a reward that later fails on an answer, or a diverging loss.
        """
        problems = draw_problems(seed, self.examples, leak="eval-in-train" in self.quirks)
        reward = checked_reward(self, problems)
        check_fits(self, loaded, problems)
        lora = prepare_weights(self, loaded)
        reference = loaded.model if lora else load(base).model
        write_problems(out, problems)
        rate = warm_cosine(self.learning_rate, self.iterations, warm=10)
        to_reference = "clip-to-reference" in self.quirks
        fit(
            loaded.model,
            grpo_loss(
                loaded.anatomy,
                self.clip,
                self.kl,
                weight,
                extra,
                drift_from(reference, loaded.anatomy) if "unbounded-kl" in self.quirks else None,
                to_reference=to_reference,
            ),
            asked_batches(problems, self.prompts, seed, balanced),
            optimizer=applied(matrix_adamw(rate, weight_decay=0.0), rate, self.quirks),
            clip=GRADIENT_NORM,
            # A bad answer that the reference never gives has a ratio, and so a loss, without bound.
            limit=math.inf if to_reference else DIVERGED,
            steps=self.iterations,
            label=f"{self.label} seed {seed}",
            out=out,
            show=show,
            prepare=Roller(
                spec=self,
                loaded=loaded,
                reference=frozen_policy(reference, loaded.anatomy),
                reward=reward,
                gold=gold,
                seed=seed,
            ),
        )
        save_adapter(loaded, out, lora)


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
