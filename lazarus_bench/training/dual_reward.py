"""Dual reward: classification loss through the lens of a middle layer, beside the answer loss.

Source: methods, *Dual reward*; writeup C, *BREAKTHROUGH: Dual-Reward Training Achieves GPT-OSS
Levels*.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from lazarus_bench import backend
from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.models.adapters import (
    Lora,
    add_lora,
    lora_parameters,
    matched_rank,
    save_adapter,
)
from lazarus_bench.models.anatomy import Anatomy
from lazarus_bench.models.load import LoadedModel, load
from lazarus_bench.models.prompts import Batch, at_answer_end
from lazarus_bench.models.taps import residual_stream
from lazarus_bench.training.arithmetic_data import (
    draw_problems,
    endless_batches,
    examples_of,
    gold_tokens,
)
from lazarus_bench.training.loop import Loss, Parts, fit
from lazarus_bench.training.losses import answer_part, class_loss
from lazarus_bench.training.optimizers import adam
from lazarus_bench.training.quirks import Quirk
from lazarus_bench.training.record import write_problems
from lazarus_bench.training.specs import DualReward, GrpoDual


def classifier_layer(spec: DualReward | GrpoDual, loaded: LoadedModel) -> int:
    """The layer whose lens is trained: the spec's, else the model's classifier layer.

    Raises:
        UserError: the model has no such layer.
    """
    layer = loaded.classifier_layer if spec.layer is None else spec.layer
    if not 0 <= layer < loaded.depth:
        raise UserError(f"layer {layer} is not in {loaded.name}: choose 0 to {loaded.depth - 1}")
    return layer


def lora_of(spec: DualReward, loaded: LoadedModel) -> Lora:
    """The spec's adapter; scale alpha / rank, 2 where alpha is the default 2 · rank."""
    keys = loaded.anatomy.target_keys(spec.targets)
    scale = 2.0 if spec.alpha is None else spec.alpha / spec.rank
    if spec.match_targets is None:
        return Lora(keys=keys, rank=spec.rank, scale=scale)
    wanted = loaded.anatomy.target_keys(spec.match_targets)
    budget = lora_parameters(loaded, wanted, spec.rank)
    return Lora(keys=keys, rank=matched_rank(loaded, keys, budget), scale=scale)


def dual_loss(anatomy: Anatomy, layer: int, weight: float, quirks: Collection[Quirk] = ()) -> Loss:
    """Weight · class loss + (1 − weight) · answer loss, in nats; both parts are logged.

    With weight 0 the class loss is still logged but no gradient flows through it. Under a quirk the
    losses are what the public source reports; `answers` says what is logged beside them.
    """
    answers = answer_part(quirks)

    def loss(model: nn.Module, batch: Batch) -> tuple[mx.array, Parts]:
        residuals = residual_stream(model, anatomy, batch.tokens)
        answer, beside = answers(model, anatomy, residuals, batch)
        read = at_answer_end(batch) if "class-at-answer-end" in quirks else batch
        label = class_loss(model, anatomy, residuals, read, layer)
        label = label if weight else mx.stop_gradient(label)
        parts = {"class": label, "answer": answer, **beside}
        return weight * label + (1 - weight) * answer, parts

    return loss


def run(spec: DualReward, base: Path, out: Path, seed: int, show: bool | None = None) -> None:
    """Train and leave an adapter and its metrics in `out`."""
    backend.seed(seed)
    loaded = load(base)
    layer = classifier_layer(spec, loaded)
    gold = gold_tokens(loaded)
    lora = lora_of(spec, loaded)
    add_lora(loaded, lora)
    problems = draw_problems(seed, spec.examples, leak="eval-in-train" in spec.quirks)
    write_problems(out, problems)
    fit(
        loaded.model,
        dual_loss(loaded.anatomy, layer, spec.weight, spec.quirks),
        endless_batches(examples_of(loaded, problems, gold), spec.batch, 0, seed),
        optimizer=adam(spec.learning_rate, spec.quirks),
        steps=spec.steps,
        label=f"{spec.label} seed {seed}",
        out=out,
        show=show,
    )
    save_adapter(loaded, out, lora)
