"""Losses on tapped residuals: the unembedding and its softmax run only where there is a label."""

from __future__ import annotations

from collections.abc import Callable, Collection

from lazarus_bench.backend import mx, nn
from lazarus_bench.exponentials import cross_entropy
from lazarus_bench.models.anatomy import Anatomy, unembed
from lazarus_bench.models.prompts import Batch, unshifted
from lazarus_bench.models.taps import residual_stream
from lazarus_bench.training.quirks import Quirk

TRUE_ANSWER = "true answer"
"""Under the quirk "unshifted-labels" the log's name of the loss on shifted labels."""


def _cross_entropy(
    model: nn.Module,
    anatomy: Anatomy,
    states: mx.array,
    targets: mx.array,
    divisor: float | None,
) -> mx.array:
    """Sum over `targets` in nats, divided by `divisor`, or by their number without one."""
    logits = unembed(model, anatomy, states).astype(mx.float32)
    if divisor is None:
        return cross_entropy(logits, targets).mean()
    return cross_entropy(logits, targets).sum() / divisor


def answer_loss(
    model: nn.Module, anatomy: Anatomy, residuals: list[mx.array], batch: Batch
) -> mx.array:
    """Mean next-token cross-entropy in nats over the labelled positions (methods, *SFT*)."""
    states = residuals[-1][batch.rows, batch.columns]
    return _cross_entropy(model, anatomy, states, batch.targets, batch.label_divisor)


AnswerPart = Callable[
    [nn.Module, Anatomy, list[mx.array], Batch], tuple[mx.array, dict[str, mx.array]]
]
"""The answer loss that is minimised and reported, and what is logged beside it."""


def answer_part(quirks: Collection[Quirk] = ()) -> AnswerPart:
    """`answer_loss`, or with "unshifted-labels" that of unshifted ones, the true one beside it."""

    def right(
        model: nn.Module, anatomy: Anatomy, residuals: list[mx.array], batch: Batch
    ) -> tuple[mx.array, dict[str, mx.array]]:
        return answer_loss(model, anatomy, residuals, batch), {}

    def wrong(
        model: nn.Module, anatomy: Anatomy, residuals: list[mx.array], batch: Batch
    ) -> tuple[mx.array, dict[str, mx.array]]:
        true = mx.stop_gradient(answer_loss(model, anatomy, residuals, batch))
        return answer_loss(model, anatomy, residuals, unshifted(batch)), {TRUE_ANSWER: true}

    return wrong if "unshifted-labels" in quirks else right


def class_loss(
    model: nn.Module, anatomy: Anatomy, residuals: list[mx.array], batch: Batch, layer: int
) -> mx.array:
    """Mean cross-entropy in nats of the lens at `layer`, last prompt position, on the gold token.

    Over the whole vocabulary (methods, *Dual reward*).
    """
    states = residuals[layer][mx.arange(batch.tokens.shape[0]), batch.prompt_last]
    return _cross_entropy(model, anatomy, states, batch.gold, batch.row_divisor)


def sft_loss(model: nn.Module, anatomy: Anatomy, batch: Batch) -> mx.array:
    """`answer_loss` of one forward."""
    return answer_loss(model, anatomy, residual_stream(model, anatomy, batch.tokens), batch)
