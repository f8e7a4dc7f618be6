"""GRPO and the classification loss in one step, full model, with the writeup's fixes.

Source: methods, *GRPO + dual*; writeup C, *EXPERIMENT: GRPO + Dual-Reward* and *Mode Collapse Fix
Attempts*.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lazarus_bench import backend
from lazarus_bench.backend import mx, nn
from lazarus_bench.exponentials import cross_entropy
from lazarus_bench.models.anatomy import Anatomy, unembed
from lazarus_bench.models.load import load
from lazarus_bench.tasks.arithmetic import Operation, Problem
from lazarus_bench.training.arithmetic_data import draw_problems, gold_tokens
from lazarus_bench.training.dual_reward import classifier_layer
from lazarus_bench.training.grpo import Extra, train
from lazarus_bench.training.policy_loss import batch_entropy
from lazarus_bench.training.rollouts import Gold, Rollouts
from lazarus_bench.training.specs import GrpoDual


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


def run(spec: GrpoDual, base: Path, out: Path, seed: int, show: bool | None = None) -> None:
    """Train and leave the weights and metrics in `out`.

    Raises:
        NotApplicable: an operation's name is not a single token, before any step.
    """
    backend.seed(seed)
    loaded = load(base)
    layer = classifier_layer(spec, loaded)
    train(
        spec,
        loaded,
        base,
        out,
        seed,
        problems=draw_problems(seed, spec.examples, leak="eval-in-train" in spec.quirks),
        gold=targets_of(gold_tokens(loaded), spec.shared_target),
        weight=spec.weight,
        extra=class_part(loaded.anatomy, layer, spec.entropy),
        balanced=spec.balanced,
        show=show,
    )
