"""Fuse: an adapter and its base become one whole model, by mlx-lm's own arithmetic.

Source: writeup D, *Approach: Two-Stage Training*; methods, *Two-stage*. LoRA adds scale · (A B)ᵀ to
each weight; the weights of a full fine-tuning simply replace the base's.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from lazarus_bench.backend import nn
from lazarus_bench.models.files import TOKENIZER_FILES, read_config
from lazarus_bench.models.load import load
from lazarus_bench.training.specs import Fuse, Stack

CARRIED = (
    *TOKENIZER_FILES,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "merges.txt",
    "chat_template.*",
    "generation_config.json",
)
QUANTISED = ("quantization", "quantization_config")


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


def carry(base: Path, out: Path, *, dequantise: bool) -> None:
    """Copy what a model has besides weights: configuration, tokenizer, generation settings."""
    config = read_config(base)
    kept = {k: v for k, v in config.items() if not (dequantise and k in QUANTISED)}
    (out / "config.json").write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    for pattern in CARRIED:
        for file in base.glob(pattern):
            shutil.copyfile(file, out / file.name)


def run(spec: Fuse, base: Stack, out: Path, seed: int, show: bool | None = None) -> None:  # noqa: ARG001 - every recipe's
    """Leave the whole model in `out`, in Hugging Face layout."""
    from mlx_lm.utils import save_model

    loaded = load(base.model, base.adapter)
    save_model(out, fuse(loaded.model, dequantise=spec.dequantise))
    carry(base.model, out, dequantise=spec.dequantise)
