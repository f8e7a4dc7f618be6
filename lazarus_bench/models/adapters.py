"""Adapters in mlx-lm's own format: `mlx_lm.generate --adapter-path` and `mlx_lm.fuse` take them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lazarus_bench.backend import mx, nn
from lazarus_bench.models.anatomy import blocks, part
from lazarus_bench.models.load import LoadedModel


@dataclass(frozen=True, kw_only=True)
class Lora:
    """LoRA (Hu et al. 2021): W + scale · (A B)ᵀ on the block's modules `keys`, rank `rank`."""

    keys: tuple[str, ...]
    rank: int
    scale: float


def lora_parameters(loaded: LoadedModel, keys: tuple[str, ...], rank: int) -> int:
    """Trainable parameters of LoRA: rank · (inputs + outputs), over `keys` of every block."""
    total = 0
    for block in blocks(loaded.model, loaded.anatomy):
        for linear in (part(block, key) for key in keys):
            outputs, inputs = linear.weight.shape
            if isinstance(linear, nn.QuantizedLinear):
                inputs = inputs * 32 // linear.bits
            total += rank * (int(outputs) + int(inputs))
    return total


def matched_rank(loaded: LoadedModel, keys: tuple[str, ...], budget: int) -> int:
    """The rank on `keys` whose parameter count comes closest to `budget`; at least 1."""
    return max(1, round(budget / lora_parameters(loaded, keys, 1)))


def add_lora(loaded: LoadedModel, lora: Lora) -> None:
    """Freeze the model and let mlx-lm put trainable LoRA on `lora.keys` of every block."""
    from mlx_lm.tuner.utils import linear_to_lora_layers

    loaded.model.freeze()
    linear_to_lora_layers(loaded.model, loaded.depth, _parameters(lora))


@contextmanager
def without_adapter(model: nn.Module) -> Iterator[None]:
    """Within the block, LoRA adds nothing: the model is its frozen base."""
    adapted = [module for module in model.modules() if "lora_b" in module]
    scales = [module.scale for module in adapted]
    for module in adapted:
        module.scale = 0.0
    try:
        yield
    finally:
        for module, scale in zip(adapted, scales, strict=True):
            module.scale = scale


def unfreeze_blocks(loaded: LoadedModel) -> None:
    """Make every weight of every block trainable, embeddings and final norm frozen (`full`)."""
    loaded.model.freeze()
    for block in part(loaded.model, loaded.anatomy.layers):
        block.unfreeze()


def _parameters(lora: Lora) -> dict[str, object]:
    return {"rank": lora.rank, "scale": lora.scale, "dropout": 0.0, "keys": list(lora.keys)}


def save_adapter(loaded: LoadedModel, directory: Path, lora: Lora | None) -> None:
    """Write the trainable weights and `adapter_config.json` (`lora=None`: full fine-tuning)."""
    from mlx.utils import tree_flatten

    directory.mkdir(parents=True, exist_ok=True)
    config: dict[str, object] = {"fine_tune_type": "full", "num_layers": loaded.depth}
    if lora is not None:
        config |= {"fine_tune_type": "lora", "lora_parameters": _parameters(lora)}
    text = json.dumps(config, indent=1, sort_keys=True)
    (directory / "adapter_config.json").write_text(text + "\n", encoding="utf-8")
    weights = dict(tree_flatten(loaded.model.trainable_parameters()))
    mx.save_safetensors(str(directory / "adapters.safetensors"), weights)


def largest_weight(directory: Path) -> float:
    """The largest entry in size of the LoRA matrices B saved there, all of which started at 0.

    Raises:
        ValueError: no LoRA was saved there.
    """
    weights = mx.load(str(directory / "adapters.safetensors"))
    assert isinstance(weights, dict)
    moved = [w for name, w in weights.items() if name.endswith(".lora_b")]
    if not moved:
        raise ValueError(f"{directory} contains no LoRA")
    return max(float(np.abs(np.array(w)).max()) for w in moved)


def trainable_parameters(loaded: LoadedModel) -> int:
    """Number of parameters the optimizer may change."""
    from mlx.utils import tree_flatten

    weights: dict[str, mx.array] = dict(tree_flatten(loaded.model.trainable_parameters()))
    return sum(weight.size for weight in weights.values())
