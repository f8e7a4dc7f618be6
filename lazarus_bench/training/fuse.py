"""Fuse: an adapter and its base become one whole model, by mlx-lm's own arithmetic.

Source: methods, *Two-stage*. LoRA adds scale · (A B)ᵀ to
each weight; the weights of a full fine-tuning simply replace the base's.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.models import precision
from lazarus_bench.models.files import TOKENIZER_FILES, read_config
from lazarus_bench.models.load import load
from lazarus_bench.training.recipe import Recipe, Stack, option

CARRIED = (
    *TOKENIZER_FILES,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "merges.txt",
    "chat_template.*",
    "generation_config.json",
)


@dataclass(frozen=True, kw_only=True)
class Fuse(Recipe):
    """The adapter below and its base become one whole model (source: *Two-Stage Training*).

    In float32 its logits are those of base and adapter up to rounding (3e-6 of the largest logit at
    most, measured). A quantised base is quantised again after the adapter is added: each weight is
    then within half a quantisation step of its exact sum, or within one step where mlx clips the
    end of a group (less than 1% of a lab model's weights). An adapter that moves the weights by
    less than that can lose most of its effect. Measured in 4 bits, groups of 32, on three lab bases
    and a random one, after trainings of 1 to 100 steps: the logits moved by 0.002 to 0.14 of their
    standard deviation (root mean square), which was 0.01 to 4.8 times what the adapter had moved
    them, above 0.5 after every one of up to 20 steps on a lab base. With `dequantise` the whole
    model is float from then on, and as exact as any.
    """

    kind = "fuse"
    version = 1
    leaves = "model"
    on_adapter = True
    ranked = False

    dequantise: bool = option(False)

    @property
    def lab_seconds(self) -> float:
        """Loading and saving."""
        return 0.5

    def train(self, base: Stack, out: Path, seed: int, show: bool | None = None) -> None:  # noqa: ARG002 - every recipe's
        """Leave the whole model in `out`, in Hugging Face layout."""
        from mlx_lm.utils import save_model

        loaded = load(base.model, base.adapter)
        fused = fuse(loaded.model, dequantise=self.dequantise)
        save_model(out, as_stored(fused, base.model))
        carry(base.model, out, dequantise=self.dequantise)


def fuse(model: nn.Module, *, dequantise: bool = False) -> nn.Module:
    """Add every low-rank adapter in `model` to its weight, in place.

    A quantised linear is quantised again after the addition, to half a step of its grid (to one
    where the end of a group is clipped), which a small adapter may not outlive; unless
    `dequantise`, which makes every quantised weight of the model float and the sum exact.
    """
    from mlx.utils import tree_unflatten
    from mlx_lm.utils import dequantize_model

    adapted = ((name, module) for name, module in model.named_modules() if hasattr(module, "fuse"))
    fused = [(name, module.fuse(dequantize=dequantise)) for name, module in adapted]
    if fused:
        model.update_modules(tree_unflatten(fused))
    return dequantize_model(model) if dequantise else model


def as_stored(model: nn.Module, base: Path) -> nn.Module:
    """The weights of `model` under the names and in the shapes that the files in `base` have.

    mlx-lm renames, transposes, stacks and splits some families' weights as it loads them
    (`Model.sanitize`), and other libraries know none of its names. So `sanitize` is given each
    weight's position in the files in place of its value; where a position ends up, there is the
    value that belongs to it. Tensors that mlx-lm ignores are carried over, and a base that mlx
    quantised has its names already.

    Raises:
        UserError: the family's weights are changed on loading, not just moved.
    """
    from mlx.utils import tree_flatten

    weights: dict[str, mx.array] = dict(tree_flatten(model.parameters()))
    stored: dict[str, mx.array] = {}
    for file in sorted(base.glob("model*.safetensors")):
        stored |= mx.load(str(file))  # type: ignore[arg-type]  # of safetensors a dictionary
    if dtype := precision.asked_for():
        stored = {name: _as_type(w, dtype) for name, w in stored.items()}
    quantised = any(name.endswith(".scales") for name in stored)  # by mlx, so the names are its own
    if quantised or all(n in stored and stored[n].shape == w.shape for n, w in weights.items()):
        return model
    ends = np.cumsum([w.size for w in stored.values()])
    numbered = {
        name: mx.arange(int(end) - w.size, int(end), dtype=mx.int64).reshape(w.shape)
        for (name, w), end in zip(stored.items(), ends, strict=True)
    }
    found = _scattered(weights, model.sanitize(numbered), int(ends[-1]))
    named = nn.Module()
    for (name, w), end in zip(stored.items(), ends, strict=True):
        bits, known = (part[int(end) - w.size : int(end)] for part in found)
        named[name] = _from_bits(bits, w) if known.all() else w
    again = model.sanitize(dict(named))
    if not all(name in again and mx.array_equal(again[name], w) for name, w in weights.items()):
        raise UserError(
            f"{base}: mlx-lm changes the values of its weights as it loads them, so a fused model "
            f"cannot be written in its layout: convert it with mlx_lm.convert first"
        )
    return named


def _as_type(weight: mx.array, dtype: str) -> mx.array:
    floating = mx.issubdtype(weight.dtype, mx.floating)
    return weight.astype(getattr(mx, dtype)) if floating else weight


def _scattered(
    weights: dict[str, mx.array], places: dict[str, mx.array], size: int
) -> tuple[np.ndarray, np.ndarray]:
    """The bits of every number in the files, and which of them the model holds; each `[size]`."""
    bits, known = np.zeros(size, np.uint32), np.zeros(size, bool)
    for name, weight in weights.items():
        where = np.array(places.pop(name)).reshape(-1) if name in places else np.zeros(0, int)
        if where.size == weight.size:
            bits[where] = np.array(weight.view(getattr(mx, f"uint{8 * weight.itemsize}"))).reshape(
                -1
            )
            known[where] = True
    return bits, known


def _from_bits(bits: np.ndarray, like: mx.array) -> mx.array:
    unsigned = mx.array(bits.astype(f"u{like.itemsize}"))
    return unsigned.view(like.dtype).reshape(like.shape)


def carry(base: Path, out: Path, *, dequantise: bool) -> None:
    """Copy what a model has besides weights: configuration, tokenizer, generation settings."""
    config = read_config(base)
    for key in ("quantization", "quantization_config") if dequantise else ():
        config.pop(key, None)
    if dtype := precision.asked_for():
        config.pop("dtype", None)  # the newer word for it
        config["torch_dtype"] = dtype
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    for pattern in CARRIED:
        for file in base.glob(pattern):
            shutil.copyfile(file, out / file.name)
