"""Where a classification loss at a middle layer has its gradient, block by block.

Source: writeup C, *Root Cause Analysis*, which supposes one in every later block and a conflict
with what else is trained. No recipe; it stands beside the losses, which `analysis` does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lazarus_bench.backend import mx, nn
from lazarus_bench.models.adapters import unfreeze_blocks
from lazarus_bench.models.anatomy import blocks
from lazarus_bench.models.load import LoadedModel, load
from lazarus_bench.models.prompts import Batch, collate
from lazarus_bench.models.taps import residual_stream
from lazarus_bench.tasks.arithmetic import Problem
from lazarus_bench.training.arithmetic_data import examples_of, gold_tokens
from lazarus_bench.training.losses import answer_loss, class_loss

Floats = npt.NDArray[np.float64]
PAD = 0


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
    batch = collate(examples_of(loaded, problems, gold_tokens(loaded)), PAD)

    def named(model: nn.Module, batch: Batch) -> mx.array:
        residuals = residual_stream(model, loaded.anatomy, batch.tokens)
        return class_loss(model, loaded.anatomy, residuals, batch, layer)

    def answered(model: nn.Module, batch: Batch) -> mx.array:
        residuals = residual_stream(model, loaded.anatomy, batch.tokens)
        return answer_loss(model, loaded.anatomy, residuals, batch)

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
