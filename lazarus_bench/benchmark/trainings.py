"""Trainings to be timed: the product's own losses, optimizers and loop on given data."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from lazarus_bench import backend
from lazarus_bench.backend import mx, nn
from lazarus_bench.models.adapters import Lora, add_lora
from lazarus_bench.models.load import LoadedModel, load
from lazarus_bench.models.prompts import Batch, Example, collate
from lazarus_bench.training.arithmetic_data import draw_problems, examples_of, gold_tokens
from lazarus_bench.training.dual_reward import dual_loss
from lazarus_bench.training.loop import Loss, Parts, fit
from lazarus_bench.training.losses import sft_loss
from lazarus_bench.training.optimizers import adam
from lazarus_bench.training.record import read_steps

RATE = 1e-4
SETTLING = 3
"""Steps of a block that do not count: the first ones make the optimizer's state and what mlx-lm
compiles."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """A model with what is trainable in it, a loss, and one epoch of examples, a step's in each.

    Batches are made when a step asks for them, as in any training of the product.
    """

    loaded: LoadedModel
    loss: Loss
    chunks: tuple[tuple[Example, ...], ...]

    @property
    def tokens(self) -> float:
        """Mean tokens fed in a step, padding not counted."""
        return float(np.mean([sum(len(e.tokens) for e in chunk) for chunk in self.chunks]))

    def batches(self) -> Iterator[Batch]:
        """The epoch over and over."""
        return (collate(chunk, pad=0) for chunk in cycle(self.chunks))


def arithmetic(loaded: LoadedModel, count: int) -> list[Example]:
    """`count` training problems in symbols with their operations' tokens."""
    return examples_of(loaded, draw_problems(100, count), gold_tokens(loaded))


def random_text(length: int, count: int, seed: int = 0) -> list[Example]:
    """`count` texts of `length` random tokens each, every one but the first a label."""
    drawn = np.random.default_rng((seed, 20)).integers(3, 1000, size=(count, length))
    return [Example(prompt=(row[0],), answer=tuple(row[1:])) for row in drawn.tolist()]


def chunks_of(examples: Sequence[Example], size: int) -> tuple[tuple[Example, ...], ...]:
    """The examples in order, `size` at a time."""
    starts = range(0, len(examples) - size + 1, size)
    return tuple(tuple(examples[start : start + size]) for start in starts)


def adapted(base: Path, *, targets: str = "all", rank: int = 8, scale: float = 20.0) -> LoadedModel:
    """The model in `base` with a new LoRA, the same on every call."""
    backend.seed(0)
    loaded = load(base)
    add_lora(loaded, Lora(keys=loaded.anatomy.target_keys(targets), rank=rank, scale=scale))
    loaded.model.train()
    return loaded


def sft(loaded: LoadedModel, chunks: Sequence[tuple[Example, ...]]) -> Training:
    """Supervised fine-tuning of what is trainable in `loaded`."""

    def loss(model: nn.Module, batch: Batch) -> tuple[mx.array, Parts]:
        return sft_loss(model, loaded.anatomy, batch), {}

    return Training(loaded=loaded, loss=loss, chunks=tuple(chunks))


def dual(
    loaded: LoadedModel, chunks: Sequence[tuple[Example, ...]], weight: float = 0.4
) -> Training:
    """The same with a classification loss at the classifier layer."""
    loss = dual_loss(loaded.anatomy, loaded.classifier_layer, weight)
    return Training(loaded=loaded, loss=loss, chunks=tuple(chunks))


def step_seconds(training: Training, steps: int) -> float:
    """Median seconds of a step, batch to update, over `steps` that `training.loop.fit` takes."""
    with tempfile.TemporaryDirectory() as folder:
        fit(
            training.loaded.model,
            training.loss,
            training.batches(),
            optimizer=adam(RATE, ()),
            steps=steps + SETTLING,
            label="benchmark",
            out=Path(folder),
            show=False,
        )
        taken = list(islice(read_steps(Path(folder)), SETTLING, None))
    return float(np.median([step.seconds for step in taken]))


def peak_bytes(work: Any) -> tuple[Any, int]:
    """What `work` gives, and how far it raised mlx's allocator above where it stood, in bytes."""
    mx.clear_cache()
    before = mx.get_active_memory()
    backend.reset_peak_memory()
    found = work()
    return found, max(0, backend.peak_memory() - before)
