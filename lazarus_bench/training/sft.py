"""Supervised fine-tuning: next-token cross-entropy on the answer, LoRA or every block.

Source: methods, *SFT*; writeups A (*Experimental Setup*) and B (*Train with LoRA*, *Train with Full
Fine-tune*).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from lazarus_bench import backend
from lazarus_bench.backend import mx, nn
from lazarus_bench.models.adapters import Lora, add_lora, save_adapter, unfreeze_blocks
from lazarus_bench.models.anatomy import Anatomy
from lazarus_bench.models.load import LoadedModel, load
from lazarus_bench.models.prompts import Batch, Example, collate
from lazarus_bench.models.taps import residual_stream
from lazarus_bench.tasks.arithmetic import check_disjoint, held_out
from lazarus_bench.training.arithmetic_data import draw_problems, endless_batches, examples_of
from lazarus_bench.training.loop import Loss, Parts, fit
from lazarus_bench.training.losses import answer_part, sft_loss
from lazarus_bench.training.optimizers import adam
from lazarus_bench.training.quirks import Quirk
from lazarus_bench.training.record import write_problems, write_whole
from lazarus_bench.training.specs import Sft

VALIDATION = "validation.json"


def checkpoint_directory(out: Path, step: int) -> Path:
    """Where the adapter after `step` steps lies."""
    return out / "checkpoints" / f"{step:07d}"


def validation_loss(loaded: LoadedModel, examples: Sequence[Example], batch: int = 50) -> float:
    """Mean cross-entropy in nats per answer token over `examples`."""
    total, labels = 0.0, 0
    for start in range(0, len(examples), batch):
        chunk = collate(examples[start : start + batch], pad=0)
        loss = sft_loss(loaded.model, loaded.anatomy, chunk)
        total += float(np.array(loss)) * chunk.targets.size
        labels += chunk.targets.size
    return total / labels


class _Checkpoints:
    """Saves the adapter and the validation loss at the spec's steps.

    Validation losses that a killed attempt left in `out` are kept.
    """

    def __init__(
        self,
        spec: Sft,
        loaded: LoadedModel,
        lora: Lora | None,
        validation: Sequence[Example],
        out: Path,
    ) -> None:
        self._spec, self._loaded, self._lora = spec, loaded, lora
        self._validation, self._out = validation, out
        self._losses = read_validation(out) if (out / VALIDATION).exists() else {}

    def __call__(self, step: int) -> None:
        if step not in self._spec.checkpoints:
            return
        save_adapter(self._loaded, checkpoint_directory(self._out, step), self._lora)
        if not self._validation:
            return
        self._losses[step] = validation_loss(self._loaded, self._validation)
        text = json.dumps({str(k): v for k, v in self._losses.items()}, indent=1)
        write_whole(self._out / VALIDATION, text + "\n")


def _prepare(spec: Sft, loaded: LoadedModel) -> Lora | None:
    if spec.full:
        unfreeze_blocks(loaded)
        return None
    lora = Lora(keys=loaded.anatomy.target_keys(spec.targets), rank=spec.rank, scale=spec.scale)
    add_lora(loaded, lora)
    return lora


def _loss(anatomy: Anatomy, quirks: Collection[Quirk]) -> Loss:
    answers = answer_part(quirks)

    def loss(model: nn.Module, batch: Batch) -> tuple[mx.array, Parts]:
        return answers(model, anatomy, residual_stream(model, anatomy, batch.tokens), batch)

    return loss


def run(spec: Sft, base: Path, out: Path, seed: int, show: bool | None = None) -> None:
    """Train and leave an adapter, its checkpoints, validation losses and metrics in `out`."""
    backend.seed(seed)
    loaded = load(base)
    leak = "eval-in-train" in spec.quirks
    problems = draw_problems(seed, spec.examples, leak=leak)
    validation = held_out(spec.validation, seed)
    if not leak:
        check_disjoint(problems, validation)
    write_problems(out, problems)
    examples = examples_of(loaded, problems)
    train(spec, loaded, examples, examples_of(loaded, validation), out, seed, show)


def train(
    spec: Sft,
    loaded: LoadedModel,
    examples: Sequence[Example],
    validation: Sequence[Example],
    out: Path,
    seed: int,
    show: bool | None = None,
) -> None:
    """Train `loaded` on `examples`; without `validation` there are no validation losses."""
    lora = _prepare(spec, loaded)
    checkpoints = _Checkpoints(spec, loaded, lora, validation, out)
    checkpoints(0)
    fit(
        loaded.model,
        _loss(loaded.anatomy, spec.quirks),
        endless_batches(examples, spec.batch, 0, seed, spec.mask_prompt),
        optimizer=adam(spec.learning_rate, spec.quirks),
        steps=spec.steps,
        label=f"{spec.label} seed {seed}",
        out=out,
        after=checkpoints,
        show=show,
    )
    save_adapter(loaded, out, lora)


def read_validation(out: Path) -> dict[int, float]:
    """Validation loss (nats per answer token) by step."""
    return {int(k): v for k, v in json.loads((out / VALIDATION).read_text()).items()}
