"""What tests of trainings share: making one, and reading what it left."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from mlx.utils import tree_flatten, tree_map
from safetensors.numpy import load_file
from scipy import special

from lazarus_bench.backend import mx, nn
from lazarus_bench.training import Recipe


def made(directory: Path, spec: Recipe, base: Path | None, seed: int = 0) -> Path:
    directory.mkdir()
    spec.train(base, directory, seed, show=False)
    return directory


def weights(out: Path) -> dict[str, np.ndarray]:
    return load_file(out / "adapters.safetensors")


def digest(out: Path) -> str:
    """Of the weights it left, an adapter or a model."""
    (file,) = (*out.glob("adapters.safetensors"), *out.glob("model.safetensors"))
    return hashlib.sha256(file.read_bytes()).hexdigest()


def moved(model: nn.Module, size: float, seed: int = 0) -> None:
    """Shift every trainable weight at random."""
    rng = np.random.default_rng(seed)
    shift = lambda w: w + size * mx.array(rng.normal(size=w.shape).astype(np.float32))  # noqa: E731
    model.update(tree_map(shift, model.trainable_parameters()))


def even(prompt: str, answer: str, truth: int) -> float:
    """A reward that about half of an untrained model's answers get."""
    return float(len(answer) % 2 == 0)


def gradients(model: nn.Module, loss: Callable[..., Any], *given: Any) -> dict[str, np.ndarray]:
    """Of every trainable parameter, by its path."""
    _, found = nn.value_and_grad(model, loss)(model, *given)
    return {name: np.array(gradient) for name, gradient in tree_flatten(found)}


def log_softmax(logits: mx.array) -> np.ndarray:
    """Over the last axis, in 64 bits."""
    return special.log_softmax(np.array(logits).astype(np.float64), axis=-1)


def number(value: mx.array) -> float:
    return float(np.array(value))


def log_probs_by_hand(model: nn.Module, samples: Any) -> np.ndarray:
    """Of every sampled token `[prompt, answer, step]`: one whole forward an answer, no cache."""
    found = np.zeros(samples.tokens.shape)
    for row, column in np.ndindex(samples.tokens.shape[:2]):
        answer = samples.tokens[row, column][samples.mask[row, column]].tolist()
        prompt = list(samples.prompts[row])
        log_p = log_softmax(model(mx.array([prompt + answer])))[0]
        for step, token in enumerate(answer):
            found[row, column, step] = log_p[len(prompt) - 1 + step, token]
    return found
