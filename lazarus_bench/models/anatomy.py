"""Anatomy: where a family keeps its embedding, blocks, final norm and unembedding.

A new model family is one more line in `FAMILIES`. `models.load` verifies every record against the
model itself: the last layer projected through the anatomy must equal the model's own logits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError

Config = Mapping[str, Any]

ATTENTION = {
    "vo": ("self_attn.v_proj", "self_attn.o_proj"),
    "qk": ("self_attn.q_proj", "self_attn.k_proj"),
}
GATED_MLP = ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")


@dataclass(frozen=True, kw_only=True)
class Anatomy:
    """Attribute paths of one family, relative to the model; `targets` relative to a block.

    `logit_scale` multiplies and `softcap` bounds the logits after the unembedding. `targets` names
    the linear layers that an adapter may be put on: "vo", "qk", "mlp" (absent where the family has
    no dense one).
    """

    layers: str = "model.layers"
    norm: str = "model.norm"
    embedding: str = "model.embed_tokens"
    unembedding: str = "lm_head"
    logit_scale: float = 1.0
    softcap: float | None = None
    vo: tuple[str, ...] = ATTENTION["vo"]
    qk: tuple[str, ...] = ATTENTION["qk"]
    mlp: tuple[str, ...] = GATED_MLP

    def target_keys(self, targets: str) -> tuple[str, ...]:
        """Module paths inside a block for the target set "vo", "qk", "mlp" or "all".

        Raises:
            UserError: the set is unknown, or this family has no such linear layers.
        """
        sets = {"vo": self.vo, "qk": self.qk, "mlp": self.mlp}
        sets["all"] = (*self.qk, *self.vo, *self.mlp)
        if not sets.get(targets):
            known = ", ".join(name for name, keys in sets.items() if keys)
            raise UserError(f"adapter targets {targets!r} are not in this family: choose {known}")
        return sets[targets]


def _plain(_: Config) -> Anatomy:
    return Anatomy()


def _mixture(_: Config) -> Anatomy:
    return Anatomy(mlp=())


def _granite(config: Config) -> Anatomy:
    return Anatomy(logit_scale=1.0 / float(config.get("logits_scaling", 1.0)))


def _gemma2(config: Config) -> Anatomy:
    return Anatomy(softcap=float(config.get("final_logit_softcapping", 30.0)))


FAMILIES: Mapping[str, Callable[[Config], Anatomy]] = {
    "llama": _plain,
    "mistral": _plain,
    "qwen2": _plain,
    "qwen3": _plain,
    "granite": _granite,
    "gemma2": _gemma2,
    "olmo2": _plain,
    "olmoe": _mixture,
    "gpt_oss": _mixture,
}


def anatomy_of(config: Config) -> Anatomy:
    """The anatomy of the family that `config["model_type"]` names.

    Raises:
        UserError: the family is unknown here.
    """
    family = str(config.get("model_type"))
    if family not in FAMILIES:
        raise UserError(
            f"model family {family!r} has no anatomy yet: add one line to FAMILIES in "
            f"lazarus_bench/models/anatomy.py (known: {', '.join(sorted(FAMILIES))})"
        )
    return FAMILIES[family](config)


def part(model: nn.Module, path: str) -> Any:
    """The attribute of `model` at a dotted path."""
    return reduce(getattr, path.split("."), model)


def blocks(model: nn.Module, anatomy: Anatomy) -> list[nn.Module]:
    """The decoder layers, first to last."""
    return list(part(model, anatomy.layers))


def unembed(model: nn.Module, anatomy: Anatomy, hidden: mx.array) -> mx.array:
    """Project residual states to logits: norm, unembedding, scale, and the family's softcap.

    Args:
        model: the loaded model.
        anatomy: its family's record.
        hidden: residual stream after any block, `[..., d]`.

    Returns:
        `[..., vocabulary]`, in the model's dtype (methods, *Lens*).
    """
    normed = part(model, anatomy.norm)(hidden)
    logits: mx.array
    if hasattr(model, anatomy.unembedding):
        logits = part(model, anatomy.unembedding)(normed)
    else:
        logits = part(model, anatomy.embedding).as_linear(normed)
    logits = logits * anatomy.logit_scale if anatomy.logit_scale != 1.0 else logits
    if anatomy.softcap is None:
        return logits
    return mx.tanh(logits / anatomy.softcap) * anatomy.softcap
