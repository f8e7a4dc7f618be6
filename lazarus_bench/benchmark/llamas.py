"""Untrained llamas of any size on disk, in Hugging Face layout, for the lab's tokenizer.

Speed does not depend on what weights say, but for sampling, so what is measured along a size needs
no training. Vocabularies larger than the tokenizer's are made of rows that no text uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lazarus_bench.models import lab

HEAD = 32
"""Dimensions of a head, as in the lab."""


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


def write_llama(directory: Path, shape: Shape = LAB, seed: int = 0) -> Path:
    """Make the llama of `shape` and `seed` in `directory`, which is made too."""
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
    lab.save(lab.initialise(config, seed), config, directory)
    return directory
