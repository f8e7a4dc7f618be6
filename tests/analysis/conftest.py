"""Models in which one part is known to do what an instrument looks for."""

import numpy as np
import pytest

from lazarus_bench.analysis.prompts import last_states
from lazarus_bench.backend import mx
from lazarus_bench.models.anatomy import blocks
from lazarus_bench.models.load import load
from lazarus_bench.tasks.arithmetic import Operation, Problem

WRITER = 2


@pytest.fixture(scope="session")
def fifty_six():
    """Problems of each operation whose answer is 56."""
    operands = ((7, 8), (50, 6), (60, 4), (112, 2))
    order = (Operation.MULTIPLY, Operation.ADD, Operation.SUBTRACT, Operation.DIVIDE)
    return [Problem(a=a, operation=o, b=b) for (a, b), o in zip(operands, order, strict=True)]


@pytest.fixture(scope="session")
def states_of():
    """The states of problems in symbols `[prompt, layer, d]`."""

    def read(loaded, problems):
        return last_states(loaded, [loaded.encode(problem.symbols) for problem in problems])

    return read


@pytest.fixture(scope="session")
def writer(tiny, fifty_six):
    """A model in which the MLP of one layer writes "56", then the end, and nothing else writes.

    Attention being silent, each token sees itself alone: the last prompt token asks for the answer,
    and the answer for the end.
    """
    loaded = load(tiny)
    model = loaded.model
    for block in blocks(model, loaded.anatomy):
        block.self_attn.o_proj.weight = mx.zeros_like(block.self_attn.o_proj.weight)
        block.mlp.down_proj.weight = mx.zeros_like(block.mlp.down_proj.weight)
    *_, last = loaded.encode(fifty_six[0].symbols)
    said = loaded.encode(fifty_six[0].symbols + "56")[-1]
    end = min(loaded.tokenizer.eos_token_ids)
    embedding = model.model.embed_tokens
    embedding.weight[end] = 3 * embedding.weight[end]
    block = blocks(model, loaded.anatomy)[WRITER]
    normed = block.post_attention_layernorm(embedding(mx.array([last, said])))
    mlp = block.mlp
    active = np.array(mlp.up_proj(normed) * (g := mlp.gate_proj(normed)) * mx.sigmoid(g))
    wanted = 50 * np.array(embedding.weight[mx.array([said, end])])
    mlp.down_proj.weight = mx.array(wanted.T @ np.linalg.pinv(active.T))
    return loaded
