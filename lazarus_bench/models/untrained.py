"""Untrained models: controls for a lens or a probe, and a small backbone to train."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from tokenizers import Tokenizer as Bpe
from tokenizers import pre_tokenizers, processors

from lazarus_bench import backend
from lazarus_bench.backend import mx, nn
from lazarus_bench.models.families import anatomy_of
from lazarus_bench.models.lab import build
from lazarus_bench.models.lab_tokenizer import BOS, byte_level_bpe, special_ids, token_id
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.prompts import Tokenizer
from lazarus_bench.models.quirks import with_quirk

SEED = 0

LAYERS, WIDTH = 16, 256
"""Llama-3.2-1B has 16 layers too, and width 2,048: here an eighth, as one takes half a second."""

SPREAD = 0.02
"""Standard deviation of a fresh llama's weights in transformers (`initializer_range`); GPT-2's."""


def randomise(loaded: LoadedModel, seed: int = SEED) -> LoadedModel:
    """The same architecture, tokenizer and dtype with weights as the family initialises them.

    A quirk of `loaded` is switched on in this model too.

    Raises:
        UserError: the quirk is a defect of an adapter.
    """
    backend.seed(seed)
    model = build(loaded.config)
    model.eval()
    mx.eval(model.parameters())
    fresh = replace(loaded, name=f"{loaded.name}, random weights", model=model, quirk=None)
    return fresh if loaded.quirk is None else with_quirk(fresh, loaded.quirk)


def _drawn(config: Mapping[str, Any], draw: Callable[[str, mx.array], mx.array]) -> nn.Module:
    """A model of `config` whose weights are `draw` of their paths and mlx's default values."""
    from mlx.utils import tree_map_with_path

    model = build(config)
    model.update(tree_map_with_path(draw, model.parameters()))
    return model


def untrained_llama(
    tokenizer: Tokenizer, vocabulary: int, seed: int, width: int = WIDTH, layers: int = LAYERS
) -> LoadedModel:
    """A llama that was never trained, for a tokenizer of `vocabulary` tokens; weights N(0, 0.02²).

    Its heads have 32 dimensions, four share a key; the MLP is four times as wide, embeddings are
    tied, norms' gains 1.
    """
    config = {
        "model_type": "llama",
        "hidden_size": width,
        "num_hidden_layers": layers,
        "intermediate_size": 4 * width,
        "num_attention_heads": width // 32,
        "num_key_value_heads": width // 32 // 4,
        "rms_norm_eps": 1e-5,
        "rope_theta": 500_000.0,
        "vocab_size": vocabulary,
        "tie_word_embeddings": True,
    }
    rng = np.random.default_rng((seed, 5))

    def draw(_: str, weight: mx.array) -> mx.array:
        if weight.ndim == 1:
            return weight
        return mx.array((rng.normal(size=weight.shape) * SPREAD).astype(np.float32))

    return LoadedModel(
        name=f"untrained llama of {layers} layers and width {width}, seed {seed}",
        model=_drawn(config, draw),
        tokenizer=tokenizer,
        config=config,
        anatomy=anatomy_of(config),
    )


def train_tokenizer(texts: Sequence[str], vocabulary: int) -> Bpe:
    """A byte-level BPE (GPT-2's pre-tokenisation) of at most `vocabulary` tokens.

    Every text begins with a begin-of-text token. Merges that occur only once are not taken, so data
    of few words have a smaller vocabulary.
    """
    split = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = byte_level_bpe(texts, vocabulary, 2, split)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, token_id(tokenizer, BOS))]
    )
    return tokenizer


def blank_config(
    tokenizer: Bpe, *, layers: int, width: int, heads: int, hidden: int, context: int
) -> dict[str, Any]:
    """The config.json of a llama with tied embeddings for `tokenizer`."""
    return {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": width,
        "num_hidden_layers": layers,
        "intermediate_size": hidden,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "head_dim": width // heads,
        "max_position_embeddings": context,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "vocab_size": tokenizer.get_vocab_size(),
        "torch_dtype": "float32",
        **special_ids(tokenizer),
    }


def draw_weights(config: Mapping[str, Any], seed: int) -> nn.Module:
    """The untrained llama of `config` and `seed`, bit-identical on every call.

    Matrices are Gaussian, those that write to the residual stream smaller with depth (GPT-2); the
    norms' gains are 1.
    """
    rng = np.random.default_rng((seed, 12))
    deep = SPREAD / (2 * int(config["num_hidden_layers"])) ** 0.5

    def draw(path: str, array: mx.array) -> mx.array:
        if array.ndim < 2:
            return mx.ones_like(array)
        scale = deep if path.endswith(("o_proj.weight", "down_proj.weight")) else SPREAD
        return mx.array((scale * rng.normal(size=array.shape)).astype(np.float32))

    model = _drawn(config, draw)
    mx.eval(model.parameters())
    return model
