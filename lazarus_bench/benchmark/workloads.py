"""Workloads: untrained llamas of any size, and trainings by the product's own losses and loop.

Speed does not depend on a model's weights, but for sampling, so what is measured along a size needs
no training. Vocabularies larger than the lab tokenizer's are made of rows that no text uses.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np

from lazarus_bench import backend
from lazarus_bench.backend import mx, nn
from lazarus_bench.models import lab
from lazarus_bench.models.adapters import Lora, add_lora
from lazarus_bench.models.load import LoadedModel, load
from lazarus_bench.models.prompts import Batch, Example, collate
from lazarus_bench.training.arithmetic_data import draw_problems, examples_of, gold_tokens
from lazarus_bench.training.dual_reward import dual_loss
from lazarus_bench.training.loop import Loss, Parts, fit
from lazarus_bench.training.losses import sft_loss
from lazarus_bench.training.optimizers import adam
from lazarus_bench.training.record import read_steps

HEAD = 32
"""Dimensions of a head, as in the lab."""

RATE = 1e-4
SETTLING = 3
"""Steps of a block that do not count: the first ones make the optimizer's state and compile
mlx-lm's step."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A llama's size, by default the lab's own; a vocabulary of None is its tokenizer's."""

    layers: int = 8
    width: int = 96
    vocabulary: int | None = None
    context: int = 1024

    @property
    def label(self) -> str:
        """For a table."""
        words = "the lab's" if self.vocabulary is None else f"{self.vocabulary:,}"
        return f"llama, {self.layers} layers × {self.width}, vocabulary {words}"


LAB = Shape()

WIDE_VOCABULARY = Shape(vocabulary=32_000)
"""The lab's blocks (0.7M parameters) under a vocabulary of 32,000."""

MILLION = Shape(width=32, vocabulary=32_000)
"""1.1M parameters in all, of which the embedding is 1.0M."""


def write_llama(directory: Path, shape: Shape = LAB) -> Path:
    """Make the llama of `shape` in `directory`, in Hugging Face layout."""
    config = lab.config_of("llama")
    heads = max(1, shape.width // HEAD)
    config |= {
        "num_hidden_layers": shape.layers,
        "hidden_size": shape.width,
        "intermediate_size": 2 * shape.width,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "head_dim": shape.width // heads,
        "max_position_embeddings": shape.context,
        "vocab_size": shape.vocabulary or config["vocab_size"],
    }
    directory.mkdir(parents=True, exist_ok=True)
    lab.save(lab.initialise(config, 0), config, directory)
    return directory


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

    def step_seconds(self, steps: int) -> float:
        """Median seconds of a step, batch to update, over `steps` of `training.loop.fit`."""
        with tempfile.TemporaryDirectory() as folder:
            fit(
                self.loaded.model,
                self.loss,
                self.batches(),
                optimizer=adam(RATE, ()),
                steps=steps + SETTLING,
                label="benchmark",
                out=Path(folder),
                show=False,
            )
            taken = read_steps(Path(folder))[SETTLING:]
        return float(np.median([step.seconds for step in taken]))


def arithmetic(loaded: LoadedModel, count: int) -> list[Example]:
    """`count` training problems in symbols with their operations' tokens."""
    return examples_of(loaded, draw_problems(100, count), gold_tokens(loaded))


def random_text(length: int, count: int) -> list[Example]:
    """`count` texts of `length` random tokens each, every one but the first a label."""
    drawn = np.random.default_rng((0, 20)).integers(3, 1000, size=(count, length))
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


def dual(loaded: LoadedModel, chunks: Sequence[tuple[Example, ...]]) -> Training:
    """The same with a classification loss of weight 0.4 at the classifier layer."""
    loss = dual_loss(loaded.anatomy, loaded.classifier_layer, 0.4)
    return Training(loaded=loaded, loss=loss, chunks=tuple(chunks))
