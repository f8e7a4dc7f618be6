"""GRPO: reinforcement learning from the correctness of sampled answers (Shao et al. 2024).

Sources: methods, *GRPO* and *GRPO + dual*. Training draws its problems from training pairs only, so
a gain on held-out operands is a gain in computing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeAlias

from lazarus_bench import backend
from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.exponentials import cross_entropy
from lazarus_bench.models.adapters import save_adapter, without_adapter
from lazarus_bench.models.anatomy import Anatomy, unembed
from lazarus_bench.models.load import LoadedModel, load
from lazarus_bench.models.templates import own_problems_of
from lazarus_bench.models.texts import context_of
from lazarus_bench.tasks.arithmetic import OPERATION_NAMES
from lazarus_bench.tasks.text_rows import AnyProblem, TextSource, check_problems, read_rows
from lazarus_bench.training import loop, recipe, rewards
from lazarus_bench.training import policy_loss as policy
from lazarus_bench.training.arithmetic_data import draw_problems, gold_tokens
from lazarus_bench.training.dual_reward import Layer, Weight, classifier_layer
from lazarus_bench.training.loop import DIVERGED, Loss, Parts
from lazarus_bench.training.losses import phrase_loss
from lazarus_bench.training.optimizers import GRADIENT_NORM, applied, matrix_adamw, warm_cosine
from lazarus_bench.training.own_rows import Rows, on_rows, write_rows
from lazarus_bench.training.record import write_problems
from lazarus_bench.training.rollouts import Gold, LogProbs, Roller, Rollouts, asked_batches
from lazarus_bench.training.sampling import Scoring, label_log_probs
from lazarus_bench.training.sft import prepare_weights

TRIED_PROBLEMS = 16
"""Training problems a reward is tried on before the first step."""

UNBOUNDED_KL, CLIPPED = "unbounded kl", "clipped"
"""Names under which GRPO's quirks are logged."""

Extra: TypeAlias = "Callable[[nn.Module, list[mx.array], Rollouts], mx.array]"
"""Another loss on the prompts' last residuals `[prompt, d]`, one array a layer."""

Answers = Annotated[int, recipe.Bound(least=2, because="a group of one has no advantage")]
Iterations = Annotated[
    int,
    recipe.Bound(least=2, because="the warm-up's first has rate 0"),
    recipe.Option(
        help="optimizer steps, each an iteration: sample answers, then step on them",
        name="steps",
        aliases=("iterations", "num_iterations", "max_steps", "iters"),
    ),
]


@dataclass(frozen=True, kw_only=True)
class Grpo(recipe.Recipe):
    """Train by reinforcement learning on correct answers (GRPO).

    GRPO samples answers, rewards the correct ones and compares each with its group.

    An iteration samples `answers` for each of `prompts` at temperature 1 and takes one step on
    them: clipped ratio `clip` to the sampling policy, plus `kl` times the k3 divergence from the
    base. Trains LoRA on `targets` of every block with `rank` and `scale`, or every block if `full`.
    `texts` are problems of the user's own: rows of prompt and completion, which is the reward's
    truth as text. `reward` names a function in `training.rewards`, or one of the user's as
    `module:function`; an importable function may also be passed directly and is converted to that
    name. The digest covers the name, not what the function does. The warm-up's first step has rate
    0, so there must be at least two.

    Sizes and rate come from a search on development seeds: `docs/search-grpo.md`.
    """

    kind = "grpo"
    version = 3
    shared = ("prompts",)
    possible_quirks = ("sgd", "unbounded-kl", "clip-to-reference", "eval-in-train")
    examples_of_use = (
        "lazarus-bench train grpo lab:llama --steps 30 --output grpo",
        "lazarus-bench train grpo lab:llama --no-full --rank 16 --reward my_rewards:short",
    )
    also: ClassVar[Mapping[str, recipe.Option]] = {
        "alpha": recipe.alpha_of("2 · rank"),
        "texts": recipe.OWN_PROBLEMS,
    }
    on_classes: ClassVar[bool] = False
    """Whether the rows of one's own need classes."""

    full: bool = recipe.option(True, "train every block; --no-full trains LoRA")
    targets: recipe.Linears = "all"
    rank: recipe.Rank = 16
    scale: recipe.Scale = 2.0
    prompts: recipe.Count = recipe.option(
        64, "prompts per iteration", aliases=("batch_size", "prompts_per_iteration")
    )
    answers: Answers = recipe.option(
        8, "sampled answers per prompt", aliases=("group_size", "num_generations")
    )
    iterations: Iterations = 140
    learning_rate: recipe.Rate = 3e-4
    clip: recipe.Positive = recipe.option(
        0.2,
        "clip the ratio to the sampling policy to 1 ± this",
        aliases=("clip_epsilon", "epsilon"),
    )
    kl: recipe.NonNegative = recipe.option(
        0.04,
        "weight of the divergence from the base",
        aliases=("kl_coef", "kl_coeff", "kl_coefficient", "beta"),
    )
    examples: recipe.Examples = 4500
    answer_tokens: recipe.Count = recipe.option(
        6,
        "maximum number of tokens in a sampled answer",
        aliases=("max_tokens", "max_completion_length"),
    )
    reward: str | rewards.Reward = recipe.option(
        rewards.RIGHT_INTEGER,
        "reward function: right-integer, same-text, none, or your own as module:function",
    )
    quirks: recipe.Quirks = ()
    texts: TextSource | None = recipe.option(None, added=True)

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        object.__setattr__(self, "reward", rewards.reward_name(self.reward))
        super().__post_init__()

    def _idle_quirks(self) -> Mapping[recipe.Quirk, str]:
        """A penalty of weight 0 cannot go wrong, nor a gain that is 0 whatever the answers."""
        found: dict[recipe.Quirk, str] = {}
        if self.kl == 0:
            found["unbounded-kl"] = "kl = 0"
        if self.reward == rewards.NO_REWARD:
            found["clip-to-reference"] = f"reward = {self.reward!r}"
        return found | recipe.idle_on_rows(self.texts)

    @property
    def label(self) -> str:
        """Name what is trained, and on how many answers where it is not the usual number."""
        usual = self.prompts * self.answers == type(self).prompts * type(self).answers
        sizes = "" if usual else f" {self.prompts} × {self.answers}"
        name = "GRPO full" if self.full else f"GRPO LoRA {self.targets}"
        return name + sizes + recipe.rows_suffix(self.texts) + self._aims

    @property
    def _aims(self) -> str:
        """The absence of a reward, and quirks."""
        reward = ", no reward" if self.reward == rewards.NO_REWARD else ""
        return reward + recipe.quirk_suffix(self.quirks)

    @property
    def lab_seconds(self) -> float:
        """Some 0.4 s an iteration of 64 × 8, measured; a prompt costs more than an answer."""
        return self.iterations * (0.05 + self.prompts * (0.0045 + 0.0002 * self.answers))

    @property
    def fed(self) -> tuple[int, int]:
        """Every answer with its prompt."""
        return self.prompts * self.answers, 8 + self.answer_tokens

    @property
    def models_held(self) -> int:
        """Where every weight is trained, the frozen base is a second model."""
        return 2 if self.full else 1

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], *, blank: bool = False) -> Grpo:  # noqa: ARG003 - every recipe's
        """With a scale; settings of LoRA are refused where every weight is trained."""
        full = settings.get("full", cls.full)
        recipe.check_lora(settings, full=full, remedy="give --no-full as well, or ")
        given = recipe.scaled(settings, cls.rank)
        return cls(**on_rows(given, classes=cls.on_classes))

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
        gold: Gold = lambda problems: [()] * len(problems),
        weight: float = 0.0,
        extra: Extra | None = None,
        balanced: bool = False,
    ) -> None:
        """Check everything that can be checked, then train and leave the weights in `out`.

        Raises:
            UserError: a bad reward, a prompt too long, or targets that the family lacks, before any
                step; a reward that later fails on an answer, or a diverging loss.
        """
        problems = self._problems(loaded, out, seed)
        reward = rewards.reward_named(rewards.reward_name(self.reward))
        rewards.try_out(reward, problems[:TRIED_PROBLEMS] if self.texts is None else problems)
        check_fits(self, loaded, problems)
        lora = prepare_weights(self, loaded)
        frozen = loaded.model if lora else load(base).model
        unbounded = "unbounded-kl" in self.quirks
        write_problems(out, problems)
        rate = warm_cosine(self.learning_rate, self.iterations, warm=10)
        to_reference = "clip-to-reference" in self.quirks
        loop.fit(
            loaded.model,
            grpo_loss(
                loaded.anatomy,
                self.clip,
                self.kl,
                weight,
                extra,
                policy.drift_from(frozen, loaded.anatomy) if unbounded else None,
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
                reference=frozen_policy(frozen, loaded.anatomy),
                reward=reward,
                gold=gold,
                seed=seed,
            ),
        )
        save_adapter(loaded, out, lora)

    def _problems(self, loaded: LoadedModel, out: Path, seed: int) -> Sequence[AnyProblem]:
        """Those of one seed: drawn, or the user's own, whose rows are then recorded in `out`."""
        if self.texts is None:
            return draw_problems(seed, self.examples, leak="eval-in-train" in self.quirks)
        rows = read_rows(self.texts)
        check_problems(rows, classes=self.on_classes)
        own = rows.train[: self.examples]
        write_rows(out, rows, {"train": Rows(count=len(own))})
        return own_problems_of(loaded, own)


def check_fits(spec: Grpo, loaded: LoadedModel, problems: Sequence[AnyProblem]) -> None:
    """Make sure that every prompt and its answer fit the model's context.

    Raises:
        UserError: naming the longest prompt.
    """
    context = context_of(loaded)
    longest = max((p.symbols for p in problems), key=lambda text: len(loaded.encode(text)))
    needed = len(loaded.encode(longest)) + spec.answer_tokens
    if context is not None and needed > context:
        raise UserError(
            f"prompt {longest!r} with {spec.answer_tokens} answer tokens needs {needed} positions, "
            f"and {loaded.name} has {context}: lower answer_tokens or choose another model"
        )


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
    drift: policy.Drift | None = None,
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
        divergence = (labels.weight * policy.k3(log_p, labels.reference)).sum()
        old = labels.reference if to_reference else labels.old
        gain = policy.clipped_gain(log_p, old, labels.advantage, clip)
        penalty = divergence
        parts = {name: mx.array(value) for name, value in rollouts.logged.items()}
        parts["kl"] = divergence
        if drift is not None:
            penalty = drift(model, rollouts, log_p, [states[-1] for _, states in scored])
            parts[UNBOUNDED_KL] = penalty
        if to_reference:
            parts[CLIPPED] = policy.clipped_share(log_p, old, labels.advantage, labels.weight, clip)
        total = kl * penalty - (labels.weight * gain).sum()
        if extra is not None:
            layers = zip(*(states for _, states in scored), strict=True)
            last = [mx.concatenate([h[:, -1] for h in layer]) for layer in layers]
            parts["class"] = extra(model, last, rollouts)
            total = (1 - weight) * total + weight * parts["class"]
        return total, parts

    return loss


@dataclass(frozen=True, kw_only=True)
class GrpoDual(Grpo):
    """Train GRPO and the classification loss together.

    Loss = (1 − weight) · GRPO + weight · (CE of the lens at `layer` on the operation's name −
    `entropy` · entropy of the batch's mean lens distribution). The source's four fixes are
    `balanced=True` (each operation equally often in a batch; otherwise operations are drawn at
    random), `entropy=0.5`, a fifth of the learning rate (2e-6 for 1e-5) with `kl=0.001`, and
    `weight=0.9` with `kl=0` over 100 iterations. With `shared_target` the first prompt's operation
    is the target of the whole batch, the fault that the first fix repairs; the two exclude each
    other. `words` and `token` say by which tokens each class is read, as in `DualReward`; the
    entropy is of what the prompt's last position predicts, also where a class has several.
    """

    kind = "grpo_dual"
    version = 3
    on_classes = True
    examples_of_use = (
        "lazarus-bench train grpo-dual lab:llama --shared-target --output collapsed",
        "lazarus-bench train grpo-dual lab:llama --balanced --entropy 0.5 --output mended",
    )

    prompts: recipe.Count = 8
    iterations: Iterations = 100
    weight: Weight = 0.4
    layer: Layer = None
    balanced: bool = recipe.option(
        False, "draw each operation equally often in a batch", aliases=("balanced_sampling",)
    )
    entropy: recipe.NonNegative = recipe.option(
        0.0,
        "weight of the entropy bonus in the classification loss",
        aliases=("entropy_bonus", "diversity_weight"),
    )
    shared_target: bool = recipe.option(
        False,
        "use the first prompt's operation as the target of the whole batch, as in the "
        "source's first attempt",
    )
    words: recipe.Words = recipe.option((), added=True)
    token: recipe.Token = recipe.option("only", added=True)

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        super().__post_init__()
        object.__setattr__(self, "words", recipe.ordered(self.words))
        if self.balanced and self.shared_target:
            raise UserError(
                "GrpoDual(balanced=True, shared_target=True) combines a fault with its "
                "fix: give one of the two"
            )

    def _idle_quirks(self) -> Mapping[recipe.Quirk, str]:
        """The same of GRPO's part, which has no weight where the other has all of it."""
        parts: tuple[recipe.Quirk, ...] = ("unbounded-kl", "clip-to-reference")
        found = dict.fromkeys(parts, "weight = 1") if self.weight == 1 else {}
        return {**super()._idle_quirks(), **found}

    @property
    def label(self) -> str:
        """Name the recipe, what is trained where that is not every block, and what is changed."""
        usual = type(self)
        changed = {
            "one target a batch": self.shared_target,
            "balanced": self.balanced,
            f"entropy {self.entropy:g}": self.entropy > 0,
            f"rate {self.learning_rate:g}": self.learning_rate != usual.learning_rate,
            f"weight {self.weight:g}": self.weight != usual.weight,
        }
        name = "GRPO + dual reward" + ("" if self.full else f" LoRA {self.targets}")
        name += recipe.rows_suffix(self.texts)
        return ", ".join([name, *(words for words, holds in changed.items() if holds)]) + self._aims

    def train(self, base: Path, out: Path, seed: int, show: bool | None = None) -> None:
        """Train and leave the weights and metrics in `out`.

        Raises:
            NotApplicable: an operation's name is not a single token, before any step.
        """
        backend.seed(seed)
        loaded = load(base)
        layer = classifier_layer(self.layer, loaded)
        classes = OPERATION_NAMES if self.texts is None else read_rows(self.texts).classes
        gold = gold_tokens(loaded, recipe.words_by_class(self.words), self.token, classes)
        self._fit(
            loaded,
            base,
            out,
            seed,
            show,
            gold=targets_of(gold, self.shared_target),
            weight=self.weight,
            extra=class_part(loaded.anatomy, layer, self.entropy),
            balanced=self.balanced,
        )


def class_part(anatomy: Anatomy, layer: int, entropy: float) -> Extra:
    """Mean CE of the lens at `layer` on the gold tokens − entropy · batch entropy, in nats.

    The entropy is that of the mean distribution at the prompts' last positions; among ranks, of
    each rank's own share.
    """

    def loss(model: nn.Module, states: list[mx.array], rollouts: Rollouts) -> mx.array:
        logits = unembed(model, anatomy, states[layer]).astype(mx.float32)
        if rollouts.phrases is None:
            gold = rollouts.labels.gold
            value = cross_entropy(logits, gold).sum() / rollouts.prompt_divisor
        else:
            value = phrase_loss(model, anatomy, rollouts.phrases, layer)
        return value - entropy * policy.batch_entropy(logits) if entropy else value

    return loss


def targets_of(gold: Mapping[str, tuple[int, ...]], shared: bool) -> Gold:
    """The tokens of each problem's class; with `shared` the first problem's for all."""

    def tokens(problems: Sequence[AnyProblem]) -> list[tuple[int, ...]]:
        first = problems[0].operation
        return [gold[first if shared else problem.operation] for problem in problems]

    return tokens
