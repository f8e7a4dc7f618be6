"""Models that are known to carry an operation in a plane after one layer, or in none anywhere.

A prompt is one token, of an operand and an operation, and attention is silent, so each block's MLP
is a function of 60 states. It is fitted to take them, in turn, to codes in which operand and
operation cannot be told apart; to `operand + operation`, with the operations at the corners of a
triangle in a plane orthogonal to the operands; and to the answer's row of the unembedding. A model
without a variable has codes in the second place too, and answers as well.
"""

from dataclasses import dataclass

import numpy as np

from lazarus_bench.analysis.interchange import Swap
from lazarus_bench.backend import mx
from lazarus_bench.models import lab
from lazarus_bench.models.families import anatomy_of
from lazarus_bench.models.load import LoadedModel

OPERATIONS, WIDTH, LAYERS, CARRIER = 3, 16, 3, 1


@dataclass(frozen=True)
class Planted:
    """The model, and an orthonormal basis `[d, 2]` of the plane."""

    loaded: LoadedModel
    plane: np.ndarray


def planted(seed: int, operands: int = 20, hidden: int = 160, *, variable: bool = True) -> Planted:
    """A model of `operands` · 3 prompts, whose tokens are 3 · operand + operation."""
    rng, count = np.random.default_rng(seed), OPERATIONS * operands
    config = lab.config_of("llama") | {
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "intermediate_size": hidden,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": WIDTH // 2,
        "vocab_size": 2 * count,
        "tie_word_embeddings": False,
    }
    model = lab.build(config)
    basis = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0]
    turns = 2 * np.pi * np.arange(OPERATIONS) / OPERATIONS
    corners = 3 * np.stack([np.cos(turns), np.sin(turns)], axis=1) @ basis[:, :2].T
    own = rng.normal(size=(operands, WIDTH - 2)) @ basis[:, 2:].T
    carried = (own[:, None] + corners).reshape(count, WIDTH)
    asked, codes, said = rng.normal(size=(3, count, WIDTH))
    stages = [rng.normal(size=(count, WIDTH)), carried if variable else codes, said]
    model.model.embed_tokens.weight = single(np.concatenate([asked, asked]))
    model.lm_head.weight = single(np.concatenate([0 * said, said]))
    states = asked
    for block, wanted in zip(model.model.layers, stages, strict=True):
        block.self_attn.o_proj.weight = mx.zeros_like(block.self_attn.o_proj.weight)
        for part in (block.mlp.gate_proj, block.mlp.up_proj):
            part.weight = single(rng.normal(size=part.weight.shape) / 2)
        normed = block.post_attention_layernorm(single(states))
        gate = block.mlp.gate_proj(normed)
        active = np.array(gate * mx.sigmoid(gate) * block.mlp.up_proj(normed), dtype=np.float64)
        block.mlp.down_proj.weight = single((np.linalg.pinv(active) @ (wanted - states)).T)
        states = wanted
    loaded = LoadedModel(
        name="planted", model=model, tokenizer=None, config=config, anatomy=anatomy_of(config)
    )
    return Planted(loaded=loaded, plane=basis[:, :2])


def swaps(found: Planted, operands) -> list[Swap]:
    """Every swap of two operations of each of `operands`, answered by the source's own token."""
    answers = found.loaded.config["vocab_size"] // 2
    return [
        Swap(
            base=(3 * operand + one,),
            source=(3 * operand + other,),
            answer=(answers + 3 * operand + other,),
            group=(operand,),
        )
        for operand in operands
        for one in range(OPERATIONS)
        for other in range(OPERATIONS)
        if one != other
    ]


def single(values):
    return mx.array(np.asarray(values, dtype=np.float32))


def degrees(one, other) -> float:
    """The largest principal angle between two subspaces with orthonormal bases `[d, k]`."""
    cosines = np.linalg.svd(one.T @ other)[1]
    return float(np.degrees(np.arccos(np.clip(cosines.min(), -1, 1))))
