"""Anatomy: where a family keeps its embedding, blocks, final norm, unembedding and routers.

A new model family is one more line in `FAMILIES`, read off `mlx_lm/models/<model_type>.py`.
`models.load` verifies every record against the model itself: the last layer projected through the
anatomy must equal the model's own logits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.exponentials import tanh

Config = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Anatomy:
    """Attribute paths of one family.

    `layers`, `norm`, `embedding` and `unembedding` are relative to the model; a model without the
    module that `unembedding` names ties it to the embedding. The other paths are relative to a
    block. `logit_scale` multiplies and `softcap` bounds the logits after the unembedding.

    What `attention` and `feed_forward` return is all that a block adds to the residual stream,
    through the family's own output norms and multipliers. `router` is the linear layer whose
    outputs `[..., experts]` choose among experts; blocks without it are dense.

    `vo`, `qk` and `mlp` are the linear layers that an adapter may be put on, and empty where a
    family has none of that kind in every block: one matrix that makes queries, keys and values
    belongs to neither `vo` nor `qk`, so it stands with the output projection in `fused_attention`,
    and experts are no dense `mlp`.
    """

    layers: str = "model.layers"
    norm: str = "model.norm"
    embedding: str = "model.embed_tokens"
    unembedding: str = "lm_head"
    logit_scale: float = 1.0
    softcap: float | None = None
    attention: str = "self_attn"
    feed_forward: str = "mlp"
    router: str | None = None
    vo: tuple[str, ...] = ("self_attn.v_proj", "self_attn.o_proj")
    qk: tuple[str, ...] = ("self_attn.q_proj", "self_attn.k_proj")
    fused_attention: tuple[str, ...] = ()
    mlp: tuple[str, ...] = ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")

    def target_keys(self, targets: str) -> tuple[str, ...]:
        """Module paths inside a block for the target set "vo", "qk", "mlp" or "all".

        Raises:
            UserError: the set is unknown, or this family has no such linear layers.
        """
        sets = {"vo": self.vo, "qk": self.qk, "mlp": self.mlp}
        sets["all"] = (*self.qk, *self.vo, *self.fused_attention, *self.mlp)
        if not sets.get(targets):
            known = ", ".join(name for name, keys in sets.items() if keys)
            raise UserError(f"adapter targets {targets!r} are not in this family: choose {known}")
        return sets[targets]


def _inside(wrapper: str, anatomy: Anatomy) -> Anatomy:
    """The record of a language model that a multimodal one keeps at `wrapper`."""
    return replace(
        anatomy,
        layers=f"{wrapper}.{anatomy.layers}",
        norm=f"{wrapper}.{anatomy.norm}",
        embedding=f"{wrapper}.{anatomy.embedding}",
        unembedding=f"{wrapper}.{anatomy.unembedding}",
    )


PLAIN = Anatomy()
MIXTURE = Anatomy(router="mlp.gate", mlp=())
SPARSE_BLOCK = Anatomy(feed_forward="block_sparse_moe", router="block_sparse_moe.gate", mlp=())
FUSED_GATE = ("mlp.gate_up_proj", "mlp.down_proj")
GPT2 = Anatomy(
    layers="model.h",
    norm="model.ln_f",
    embedding="model.wte",
    attention="attn",
    vo=(),
    qk=(),
    fused_attention=("attn.c_attn", "attn.c_proj"),
    mlp=("mlp.c_fc", "mlp.c_proj"),
)
GPT_NEOX = Anatomy(
    layers="model.h",
    norm="model.final_layer_norm",
    embedding="model.embed_in",
    unembedding="model.embed_out",
    attention="attention",
    vo=(),
    qk=(),
    fused_attention=("attention.query_key_value", "attention.dense"),
    mlp=("mlp.dense_h_to_4h", "mlp.dense_4h_to_h"),
)
PHI = Anatomy(
    norm="model.final_layernorm",
    vo=("self_attn.v_proj", "self_attn.dense"),
    mlp=("mlp.fc1", "mlp.fc2"),
)
PHI3 = Anatomy(
    vo=(), qk=(), fused_attention=("self_attn.qkv_proj", "self_attn.o_proj"), mlp=FUSED_GATE
)
LLAMA4 = _inside(
    "language_model", Anatomy(feed_forward="feed_forward", router="feed_forward.router", mlp=())
)


def _always(anatomy: Anatomy) -> Callable[[Config], Anatomy]:
    return lambda _: anatomy


def _number(config: Config, key: str, default: float) -> float:
    value = config.get(key, default)
    if not isinstance(value, int | float) or not value:
        raise UserError(f"config.json says {key} is {value!r}: give the number the model had")
    return float(value)


def _divided(anatomy: Anatomy) -> Callable[[Config], Anatomy]:
    """Granite divides its logits by `logits_scaling`."""
    return lambda config: replace(
        anatomy, logit_scale=1.0 / _number(config, "logits_scaling", default=1.0)
    )


def _scaled(config: Config) -> Anatomy:
    return Anatomy(logit_scale=_number(config, "logit_scale", default=0.0625))


def _softcapped(config: Config) -> Anatomy:
    return Anatomy(softcap=_number(config, "final_logit_softcapping", default=30.0))


FAMILIES: Mapping[str, Callable[[Config], Anatomy]] = {
    "cohere": _scaled,
    "cohere2": _scaled,
    "gemma": _always(PLAIN),
    "gemma2": _softcapped,
    "gemma3": _always(_inside("language_model", PLAIN)),
    "gemma3_text": _always(PLAIN),
    "glm4": _always(Anatomy(mlp=FUSED_GATE)),
    "gpt2": _always(GPT2),
    "gpt_neox": _always(GPT_NEOX),
    "gpt_oss": _always(Anatomy(router="mlp.router", mlp=())),
    "granite": _divided(PLAIN),
    "granitemoe": _divided(replace(SPARSE_BLOCK, router="block_sparse_moe.router.layer")),
    "internlm3": _always(PLAIN),
    "llama": _always(PLAIN),
    "llama4": _always(LLAMA4),
    "mistral": _always(PLAIN),
    "mixtral": _always(SPARSE_BLOCK),
    "nemotron": _always(Anatomy(mlp=("mlp.up_proj", "mlp.down_proj"))),
    "olmo2": _always(PLAIN),
    "olmo3": _always(PLAIN),
    "olmoe": _always(MIXTURE),
    "phi": _always(PHI),
    "phi3": _always(PHI3),
    "phimoe": _always(SPARSE_BLOCK),
    "qwen2": _always(PLAIN),
    "qwen2_moe": _always(MIXTURE),
    "qwen3": _always(PLAIN),
    "qwen3_moe": _always(MIXTURE),
    "seed_oss": _always(PLAIN),
    "smollm3": _always(PLAIN),
    "stablelm": _always(PLAIN),
    "starcoder2": _always(Anatomy(mlp=("mlp.c_fc", "mlp.c_proj"))),
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


def holder(model: nn.Module, path: str) -> tuple[nn.Module, str]:
    """The module that holds the attribute at a dotted path, and the attribute's name there."""
    above, _, name = path.rpartition(".")
    return (part(model, above) if above else model), name


def blocks(model: nn.Module, anatomy: Anatomy) -> list[nn.Module]:
    """The decoder layers, first to last."""
    return list(part(model, anatomy.layers))


def router(block: nn.Module, anatomy: Anatomy) -> nn.Module | None:
    """The linear layer of a block that chooses among its experts; None where the block is dense."""
    if anatomy.router is None:
        return None
    try:
        found: nn.Module = part(block, anatomy.router)
    except AttributeError:
        return None
    return found


def head(model: nn.Module, anatomy: Anatomy) -> tuple[nn.Module, bool]:
    """The module whose weight has a row a token, and whether it is the embedding itself."""
    owner, name = holder(model, anatomy.unembedding)
    tied = not hasattr(owner, name)
    return part(model, anatomy.embedding) if tied else getattr(owner, name), tied


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
    module, tied = head(model, anatomy)
    logits: mx.array = module.as_linear(normed) if tied else module(normed)
    logits = logits * anatomy.logit_scale if anatomy.logit_scale != 1.0 else logits
    if anatomy.softcap is None:
        return logits
    return tanh(logits / anatomy.softcap) * anatomy.softcap
