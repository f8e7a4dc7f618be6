"""Lenses that others published, as torch files: read where torch is installed, weights only.

Two formats. A Jacobian lens of the reference implementation (and of TransformerLens) is one file
with `J`, a `[d, d]` matrix for each layer, 0-based and after the block. A tuned lens of the package
`tuned-lens` is a folder with `params.pt` and `config.json`; translator i is added to the residual
before block i, which is after block i − 1, so translator 0, of the embedding, has no place here.

Neither says which weights it was fitted for: the width and the number of layers must do.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.models.files import read_json
from lazarus_bench.models.lenses import FittedLens

PARAMS, CONFIG = "params.pt", "config.json"


def is_published(path: Path) -> bool:
    """Whether `path` is such a file or folder."""
    return path.is_file() or (path / PARAMS).is_file()


def read_published(path: Path) -> FittedLens:
    """The lens in a file of the Jacobian format, or in a folder of the tuned one.

    Raises:
        UserError: torch is not installed, or the file is damaged or of neither format.
    """
    if path.is_file():
        found = _tensors(path)
        matrices = found.get("J")
        if not isinstance(matrices, Mapping) or not matrices:
            raise UserError(f"{path} holds no matrices J, as a Jacobian lens does: name another")
        weights = {int(layer): _array(path, matrix) for layer, matrix in matrices.items()}
        about = {"published": path.name, "text": {"prompts": int(found.get("n_prompts", 0))}}
        return _checked(path, FittedLens(kind="jacobian", weights=weights, biases={}, about=about))
    found = _tensors(path / PARAMS)
    config = read_json(path / CONFIG)
    named = config.get("base_model_name_or_path") if isinstance(config, dict) else None
    matrices = {at: _array(path, t) for at, t in _after_blocks(found, "weight").items()}
    lens = FittedLens(
        kind="tuned",
        weights={layer: mx.eye(m.shape[0]) + m for layer, m in matrices.items() if m.ndim == 2},
        biases={at: _array(path, t) for at, t in _after_blocks(found, "bias").items()},
        about={"published": path.name, "fitted_for": str(named)},
    )
    return _checked(path, lens)


def _after_blocks(found: Mapping[str, Any], part: str) -> dict[int, Any]:
    """The tensors called `i.part` for i from 1, by the block that they stand after."""
    named = {name.removesuffix(f".{part}"): t for name, t in found.items() if name.endswith(part)}
    return {int(at) - 1: t for at, t in named.items() if at.isdecimal() and int(at) > 0}


def _tensors(file: Path) -> Mapping[str, Any]:
    try:
        import torch
    except ImportError as error:
        raise UserError(
            f"{file} is a torch file, and torch is not installed: install it with `pip install "
            f"torch`, or fit a lens here with `lazarus-bench train`"
        ) from error
    try:
        found = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{file} holds more than weights, or is damaged ({said:.80})") from error
    if not isinstance(found, Mapping):
        raise UserError(f"{file} holds no lens: name another file")
    return found


def _array(path: Path, tensor: Any) -> mx.array:
    try:
        return mx.array(np.asarray(tensor.float().numpy(), dtype=np.float32))
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(f"{path} holds {tensor!r:.40} for a matrix: copy it again") from error


def _checked(path: Path, lens: FittedLens) -> FittedLens:
    """`lens`, which has layers of one width and finite numbers."""
    shapes = {tuple(weight.shape) for weight in lens.weights.values()}
    shapes |= {(*bias.shape, *bias.shape) for bias in lens.biases.values()}
    square = all(len(shape) == 2 and shape[0] == shape[1] for shape in shapes)
    every = (*lens.weights.values(), *lens.biases.values())
    if len(shapes) != 1 or not square or not all(bool(mx.isfinite(t).all()) for t in every):
        raise UserError(f"{path} holds no square matrices of one width: copy it again")
    return lens
