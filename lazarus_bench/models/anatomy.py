"""Anatomy: where a model keeps its embedding, blocks, final norm, unembedding and routers.

Each family's is in its record (`models.families`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal

from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.exp import tanh

RoutingRule = Literal["chosen", "configured", "sigmoid", "sparsemixer"]
"""How a router weighs the experts that it chooses, from mlx-lm's own forward.

chosen: a softmax over the chosen logits. configured: a softmax over all, renormalised over the
chosen where the layer's `norm_topk_prob` says so. sigmoid: each chosen logit's sigmoid.
sparsemixer: SparseMixer's softmax over the logits that come close to each choice. """


@dataclass(frozen=True, kw_only=True)
class Anatomy:
    """Attribute paths of one family.

    `layers`, `norm`, `embedding` and `unembedding` are relative to the model; a model without the
    module that `unembedding` names ties it to the embedding. The other paths are relative to a
    block. `logit_scale` multiplies and `softcap` bounds the logits after the unembedding.

    What `attention` and `feed_forward` return is all that a block adds to the residual stream,
    through the family's own output norms and multipliers. `router` is the linear layer whose
    outputs `[..., experts]` choose among experts, and `routing` how it weighs them; blocks without
    a router are dense.

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
    routing: RoutingRule | None = None
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
    """Project residual states `[..., d]` to logits `[..., vocabulary]` (methods, *Lens*).

    Norm, unembedding, scale and the family's softcap, in the model's dtype.
    """
    normed = part(model, anatomy.norm)(hidden)
    module, tied = head(model, anatomy)
    logits: mx.array = module.as_linear(normed) if tied else module(normed)
    logits = logits * anatomy.logit_scale if anatomy.logit_scale != 1.0 else logits
    if anatomy.softcap is None:
        return logits
    return tanh(logits / anatomy.softcap) * anatomy.softcap
