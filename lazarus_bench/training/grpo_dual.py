"""GRPO and the classification loss in one step, full model, with the source's fixes.

Source: methods, *GRPO + dual*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lazarus_bench import backend
from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.exponentials import cross_entropy
from lazarus_bench.models.anatomy import Anatomy, unembed
from lazarus_bench.models.load import load
from lazarus_bench.tasks.arithmetic import Operation, Problem
from lazarus_bench.training.arithmetic_data import gold_tokens
from lazarus_bench.training.dual_reward import classifier_layer, layer_option, weight_option
from lazarus_bench.training.grpo import Extra, Grpo, Iterations
from lazarus_bench.training.policy_loss import batch_entropy
from lazarus_bench.training.recipe import Count, Index, NonNegative, Quirk, Share, option
from lazarus_bench.training.rollouts import Gold, Rollouts


@dataclass(frozen=True, kw_only=True)
class GrpoDual(Grpo):
    """GRPO and the classification loss together.

    Loss = (1 − weight) · GRPO + weight · (CE of the lens at `layer` on the operation's name −
    `entropy` · entropy of the batch's mean lens distribution). The source's four fixes are
    `balanced=True` (each operation equally often in a batch; otherwise operations are drawn at
    random), `entropy=0.5`, a fifth of the learning rate (2e-6 beside 1e-5) with `kl=0.001`, and
    `weight=0.9` with `kl=0` over 100 iterations. With `shared_target` the first prompt's operation
    is the target of the whole batch, as the first fix says of what it mends; the two exclude each
    other.
    """

    kind: ClassVar[str] = "grpo_dual"
    version: ClassVar[int] = 3
    shared: ClassVar[tuple[str, ...]] = ("prompts",)

    examples_of_use: ClassVar[tuple[str, ...]] = (
        "lazarus-bench train grpo-dual lab:llama --shared-target --output collapsed",
        "lazarus-bench train grpo-dual lab:llama --balanced --entropy 0.5 --output mended",
    )

    prompts: Count = 8
    iterations: Iterations = 100
    weight: Share = weight_option(0.4)
    layer: Index | None = layer_option()
    balanced: bool = option(
        False, "each operation equally often in a batch", aliases=("balanced_sampling",)
    )
    entropy: NonNegative = option(
        0.0,
        "weight of the entropy bonus in the classification loss",
        aliases=("entropy_bonus", "diversity_weight"),
    )
    shared_target: bool = option(
        False, "the first prompt's operation is the whole batch's target, as the source began"
    )

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        super().__post_init__()
        if self.balanced and self.shared_target:
            raise UserError(
                "GrpoDual(balanced=True, shared_target=True) puts the fix on the fault that it "
                "takes away: give one of the two"
            )

    def _idle_quirks(self) -> Mapping[Quirk, str]:
        """The same of GRPO's part, which has no weight where the other has all of it."""
        parts: tuple[Quirk, ...] = ("unbounded-kl", "clip-to-reference")
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
        return ", ".join([name, *(words for words, holds in changed.items() if holds)]) + self._aims

    def train(self, base: Path, out: Path, seed: int, show: bool | None = None) -> None:
        """Train and leave the weights and metrics in `out`.

        Raises:
            NotApplicable: an operation's name is not a single token, before any step.
        """
        backend.seed(seed)
        loaded = load(base)
        layer = classifier_layer(self.layer, loaded)
        self._fit(
            loaded,
            base,
            out,
            seed,
            show,
            gold=targets_of(gold_tokens(loaded), self.shared_target),
            weight=self.weight,
            extra=class_part(loaded.anatomy, layer, self.entropy),
            balanced=self.balanced,
        )


def class_part(anatomy: Anatomy, layer: int, entropy: float) -> Extra:
    """Mean CE of the lens at `layer` on the gold token − entropy · batch entropy, in nats.

    Among ranks the entropy is that of each rank's own share.
    """

    def loss(model: nn.Module, states: list[mx.array], rollouts: Rollouts) -> mx.array:
        logits = unembed(model, anatomy, states[layer]).astype(mx.float32)
        gold = rollouts.labels.gold
        value = cross_entropy(logits, gold).sum() / rollouts.prompt_divisor
        return value - entropy * batch_entropy(logits) if entropy else value

    return loss


def targets_of(gold: dict[Operation, int], shared: bool) -> Gold:
    """Each problem's class token; with `shared` the first problem's for all."""

    def tokens(problems: Sequence[Problem]) -> list[int]:
        first = problems[0].operation
        return [gold[first if shared else problem.operation] for problem in problems]

    return tokens
