"""Losses on tapped residuals: the unembedding and its softmax run only where there is a label.

Also where the classification loss at a middle layer has its gradient, block by block: a source
supposes one in every later block, and a conflict with what else is trained (*Root Cause Analysis*).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from lazarus_bench.backend import mx, nn
from lazarus_bench.exp import cross_entropy
from lazarus_bench.models.adapters import unfreeze_blocks
from lazarus_bench.models.anatomy import Anatomy, blocks, unembed
from lazarus_bench.models.load import LoadedModel, load
from lazarus_bench.models.prompts import Batch, collate, unshifted
from lazarus_bench.models.taps import residual_stream
from lazarus_bench.tasks.arithmetic import Problem
from lazarus_bench.training.arithmetic_data import examples_of, gold_tokens
from lazarus_bench.training.recipe import Quirk

Floats = npt.NDArray[np.float64]

TRUE_ANSWER = "true answer"
"""Under the quirk "unshifted-labels" the log's name of the loss on shifted labels."""


def _cross_entropy(
    model: nn.Module, anatomy: Anatomy, states: mx.array, targets: mx.array, weights: mx.array
) -> mx.array:
    """Sum over `targets` times their `weights`, in nats."""
    logits = unembed(model, anatomy, states).astype(mx.float32)
    return (cross_entropy(logits, targets) * weights).sum()


def answer_loss(
    model: nn.Module, anatomy: Anatomy, residuals: list[mx.array], batch: Batch
) -> mx.array:
    """Mean next-token cross-entropy in nats over the labelled positions (methods, *SFT*)."""
    states = residuals[-1][batch.rows, batch.columns]
    return _cross_entropy(model, anatomy, states, batch.targets, batch.label_weight)


AnswerPart: TypeAlias = (
    "Callable[[nn.Module, Anatomy, list[mx.array], Batch], tuple[mx.array, dict[str, mx.array]]]"
)
"""The answer loss that is minimised and reported, and what is logged beside it."""


def answer_part(quirks: Collection[Quirk] = ()) -> AnswerPart:
    """`answer_loss`, or with "unshifted-labels" that of unshifted ones, the true one beside it."""

    def part(
        model: nn.Module, anatomy: Anatomy, residuals: list[mx.array], batch: Batch
    ) -> tuple[mx.array, dict[str, mx.array]]:
        true = answer_loss(model, anatomy, residuals, batch)
        if "unshifted-labels" not in quirks:
            return true, {}
        wrong = answer_loss(model, anatomy, residuals, unshifted(batch))
        return wrong, {TRUE_ANSWER: mx.stop_gradient(true)}

    return part


def class_loss(
    model: nn.Module, anatomy: Anatomy, residuals: list[mx.array], batch: Batch, layer: int
) -> mx.array:
    """Mean cross-entropy in nats of the lens at `layer`, last prompt position, on the gold token.

    Over the whole vocabulary (methods, *Dual reward*).
    """
    states = residuals[layer][mx.arange(batch.tokens.shape[0]), batch.prompt_last]
    return _cross_entropy(model, anatomy, states, batch.gold, batch.row_weight)


def sft_loss(model: nn.Module, anatomy: Anatomy, batch: Batch) -> mx.array:
    """`answer_loss` of one forward."""
    return answer_loss(model, anatomy, residual_stream(model, anatomy, batch.tokens), batch)


@dataclass(frozen=True, kw_only=True)
class ClassGradient:
    """Gradients of the class loss and of the answer loss in the weights of every block `[block]`.

    `class_norm` and `answer_norm` are Euclidean norms over a block's weights, `cosine` is that of
    the two gradients there; 0 where one of them is 0.
    """

    class_norm: Floats
    answer_norm: Floats
    cosine: Floats


def class_gradient(directory: Path, problems: Sequence[Problem], layer: int) -> ClassGradient:
    """Differentiate both losses at the model in `directory`, all weights of its blocks free.

    The class loss is the lens's at `layer` on the operation's name, as dual reward has it; both are
    means over `problems`, in one batch.

    Raises:
        UserError: the model cannot be loaded.
        NotApplicable: an operation's name is not a single token.
    """
    loaded = load(directory)
    unfreeze_blocks(loaded)
    batch = collate(examples_of(loaded, problems, gold_tokens(loaded)), pad=0)

    def named(model: nn.Module, batch: Batch) -> mx.array:
        residuals = residual_stream(model, loaded.anatomy, batch.tokens)
        return class_loss(model, loaded.anatomy, residuals, batch, layer)

    def answered(model: nn.Module, batch: Batch) -> mx.array:
        return sft_loss(model, loaded.anatomy, batch)

    first, second = (_by_block(loaded, loss, batch) for loss in (named, answered))
    norms = [np.array([np.linalg.norm(block) for block in side]) for side in (first, second)]
    products = [float(one @ other) for one, other in zip(first, second, strict=True)]
    lengths = norms[0] * norms[1]
    return ClassGradient(
        class_norm=norms[0],
        answer_norm=norms[1],
        cosine=np.divide(products, lengths, out=np.zeros_like(lengths), where=lengths > 0),
    )


def _by_block(
    loaded: LoadedModel, loss: Callable[[nn.Module, Batch], mx.array], batch: Batch
) -> list[Floats]:
    """The gradient of `loss` in each block's weights, end to end in one vector a block."""
    from mlx.utils import tree_flatten

    _, gradients = nn.value_and_grad(loaded.model, loss)(loaded.model, batch)
    flat = dict(tree_flatten(gradients))
    prefix = loaded.anatomy.layers
    found = []
    for index in range(len(blocks(loaded.model, loaded.anatomy))):
        own = [flat[name] for name in sorted(flat) if name.startswith(f"{prefix}.{index}.")]
        parts = [np.array(part.astype(mx.float32), np.float64).ravel() for part in own]
        found.append(np.concatenate(parts))
    return found
