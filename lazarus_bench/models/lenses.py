"""Fitted lenses: what moves a layer's residual to where the model's own unembedding reads it.

A Jacobian lens is J_l h, a tuned one A_l h + b_l (`training/jacobian_lens.py` and
`training/tuned_lens.py` fit them). A lens lies in two files of its artifact: `lens.safetensors` has
the tensors `LAYER.weight` `[d, d]` and `LAYER.bias` `[d]`, float32, and `lens.json` says of what it
was fitted and for which model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from lazarus_bench import reading
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.models.files import header, weights_digest

FILE, ABOUT = "lens.safetensors", "lens.json"

Kind = Literal["jacobian", "tuned"]
KINDS: tuple[Kind, ...] = get_args(Kind)

Null = Literal["shuffled", "spectrum"]
"""A lens that should show nothing:

shuffled: each layer is read with another layer's matrix and bias, none with its own.
spectrum: each matrix keeps its singular values and gets random singular vectors.
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedLens:
    """Weights `[d, d]` and biases `[d]` by layer, float32; `about` is what `lens.json` says.

    A layer with a bias alone keeps its residual's directions. The last layer is read as it is where
    it was not fitted.
    """

    kind: Kind
    weights: Mapping[int, mx.array]
    biases: Mapping[int, mx.array]
    about: Mapping[str, Any]

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers that were fitted, ascending."""
        return tuple(sorted({*self.weights, *self.biases}))

    def __call__(self, layer: int, hidden: mx.array) -> mx.array:
        """The residual `[..., d]` after `layer`, moved; in its own dtype."""
        moved = hidden.astype(mx.float32)
        if layer in self.weights:
            moved = moved @ self.weights[layer].T
        if layer in self.biases:
            moved = moved + self.biases[layer]
        return moved.astype(hidden.dtype)

    def null(self, null: Null, seed: int, depth: int) -> FittedLens:
        """The same lens without what was fitted; the last of `depth` layers stays as it is.

        Raises:
            UserError: there are no two layers to exchange, or no matrices to draw anew.
        """
        rng = np.random.default_rng((seed, 29))
        if null == "spectrum":
            own = [layer for layer in sorted(self.weights) if layer < depth - 1]
            if not own:
                raise UserError("a lens without matrices has no spectrum: fit one that has some")
            drawn = {layer: _same_spectrum(self.weights[layer], rng) for layer in own}
            return replace(self, weights={**self.weights, **drawn})
        own = [layer for layer in self.layers if layer < depth - 1]
        if len(own) < 2:
            raise UserError("a lens of fewer than two layers cannot be shuffled: fit more layers")
        # A cycle through all of them leaves none in its place.
        order = [int(layer) for layer in rng.permutation(own)]
        swaps = dict(zip(order, (*order[1:], order[0]), strict=True))
        weights, biases = (
            {layer: held[swaps.get(layer, layer)] for layer in held}
            for held in (self.weights, self.biases)
        )
        return replace(self, weights=weights, biases=biases)

    def save(self, directory: Path) -> None:
        """Write both files."""
        tensors = {f"{layer}.weight": weight for layer, weight in self.weights.items()}
        tensors |= {f"{layer}.bias": bias for layer, bias in self.biases.items()}
        mx.save_safetensors(str(directory / FILE), tensors)
        text = json.dumps({"kind": self.kind, **self.about}, indent=1) + "\n"
        (directory / ABOUT).write_text(text, encoding="utf-8")


def _same_spectrum(matrix: mx.array, rng: np.random.Generator) -> mx.array:
    """U S Vᵀ with the singular values of `matrix` and U, V drawn uniformly (Haar)."""
    size = matrix.shape[0]
    scale = np.linalg.svd(np.array(matrix, dtype=np.float64), compute_uv=False)
    left, right = (_orthogonal(size, rng) for _ in range(2))
    return mx.array(((left * scale) @ right.T).astype(np.float32))


def _orthogonal(size: int, rng: np.random.Generator) -> np.ndarray:
    q, r = np.linalg.qr(rng.normal(size=(size, size)))
    return np.asarray(q * np.sign(np.diag(r)))


def is_lens(directory: Path) -> bool:
    """Whether a fitted lens lies in `directory`."""
    return (directory / ABOUT).is_file()


def read_fitted(directory: Path, model: Path) -> FittedLens:
    """The lens in `directory`, which was fitted for the model in `model`.

    Raises:
        UserError: there is none, it is damaged, or it was fitted for another model.
    """
    about = _about(directory)
    if about["model"] != weights_digest(model):
        raise UserError(
            f"the lens {directory} was fitted for another model than {model}: fit one for this "
            f"model, or name the model that it is for"
        )
    weights: dict[int, mx.array] = {}
    biases: dict[int, mx.array] = {}
    for name, tensor in _tensors(directory).items():
        layer, _, part = name.partition(".")
        (weights if part == "weight" else biases)[int(layer)] = tensor
    return FittedLens(kind=about.pop("kind"), weights=weights, biases=biases, about=about)


def _about(directory: Path) -> dict[str, Any]:
    file = directory / ABOUT
    try:
        about = reading.read_json(file)
    except OSError as error:
        raise UserError(
            f"{directory} is no fitted lens ({ABOUT}: {error.strerror}): give the folder that "
            f"`lazarus-bench train jacobian-lens` or `tuned-lens` wrote"
        ) from error
    except ValueError as error:
        raise UserError(f"{file} is not valid JSON ({error}): fit the lens again") from error
    known = isinstance(about, dict) and about.get("kind") in KINDS
    if not known or not isinstance(about.get("model"), str):
        raise UserError(f"{file} names no lens and its model: fit the lens again")
    return dict(about)


def _tensors(directory: Path) -> dict[str, mx.array]:
    """The lens's tensors, each named and shaped as one is, and finite."""
    file = directory / FILE
    width = 0
    for name, kind, size in header(file):
        layer, _, part = name.partition(".")
        if not (layer.isdecimal() and part in ("weight", "bias") and kind == "F32" and size):
            raise UserError(f"{file} holds {name} as {kind}, which no lens has: fit the lens again")
        side = round(size**0.5) if part == "weight" else size
        width = width or side
        if side != width or (part == "weight" and side * side != size):
            raise UserError(f"{file} holds {name} of another size: fit the lens again")
    loaded = mx.load(str(file))
    assert isinstance(loaded, dict)
    if not loaded or not all(bool(mx.isfinite(tensor).all()) for tensor in loaded.values()):
        raise UserError(f"{file} holds no lens of finite numbers: fit the lens again")
    return loaded
