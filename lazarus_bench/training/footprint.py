"""About how much memory a training takes at its peak, before it begins.

Weights, gradients, Adam's two moments, and what the gradient needs of a step's tokens. On the
model of half a billion parameters of `docs/your-model.md` it was within a tenth of the peak.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lazarus_bench import backend, memory
from lazarus_bench.errors import UserError
from lazarus_bench.models.files import read_config
from lazarus_bench.models.precision import stored
from lazarus_bench.training.recipe import Recipe

PROCESS = 4 * 10**8
"""Bytes of Python, its libraries and one layer's logits of a batch."""

BIG = 10**9
"""Bytes from which a peak is worth a line."""

_FLOAT = 4
_MOMENTS = 4
"""Floats a trained number takes besides itself: its gradient, two moments, and its next value."""


def reading_peak(directory: Path, dtype: str | None) -> int:
    """Bytes that reading the model in `directory` takes, with weights as `dtype`."""
    return stored(directory).as_type(dtype) + PROCESS


def training_peak(recipe: Recipe, directory: Path, dtype: str | None) -> int:
    """Bytes that one process of `recipe` on the model in `directory` takes."""
    held, config = stored(directory), _text(read_config(directory))
    width, layers = _count(config, "hidden_size"), _count(config, "num_hidden_layers")
    hidden = _count(config, "intermediate_size") or 4 * width
    vocabulary = _count(config, "vocab_size")
    rows, length = recipe.fed
    length = min(length, _count(config, "max_position_embeddings") or length)
    if getattr(recipe, "full", False):
        trained = max(sum(held.floats.values()) - vocabulary * width, 0)
    else:
        trained = getattr(recipe, "rank", 8) * layers * (8 * width + 3 * (width + hidden))
    heads = _count(config, "num_attention_heads")
    token = layers * (10 * width + 4 * hidden + 2 * heads * length)
    # Only labelled positions have logits: a third of a short prompt with its answer.
    logits = 3 * vocabulary * max(length // 3, 1)
    weights = recipe.models_held * held.as_type(dtype)
    own = recipe.working(width, layers, vocabulary)
    if own is not None:
        return weights + _FLOAT * (own + rows * length * token) + PROCESS
    activations = rows * (length * token + logits)
    return weights + _FLOAT * (_MOMENTS * trained + activations) + PROCESS


def _text(config: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**config, **(config.get("text_config") or {})}


def _count(config: Mapping[str, Any], key: str) -> int:
    """A size by its name in config.json; 0 where it has another name, or is a list."""
    value = config.get(key, config.get(_OLDER.get(key, "")))
    return int(value) if isinstance(value, int | float) else max(value or [0])


_OLDER = {
    "hidden_size": "n_embd",
    "num_hidden_layers": "n_layer",
    "num_attention_heads": "n_head",
    "intermediate_size": "n_inner",
}


def peak_line(what: str, peak: int, remedy: str) -> str | None:
    """A line that names the `peak` of `what`, in bytes, if it is big.

    Raises:
        UserError: this machine has less; it ends in the `remedy`.
    """
    if peak < BIG:
        return None
    room, said = backend.memory_limit(), f"{what} takes about {memory.gigabytes(peak)} of memory"
    if peak > room:
        raise UserError(
            f"{said}, and this machine has {memory.gigabytes(room)}: {remedy}, or take a machine "
            f"with more"
        )
    return f"{said} at its peak, of {memory.gigabytes(room)}"


FEWER = "train LoRA, fewer examples a step or a smaller model, or choose a smaller --dtype"
SMALLER = "choose a smaller --dtype or a smaller model"
