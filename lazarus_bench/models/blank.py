"""An untrained llama for given texts, and a byte-level BPE learnt from them.

The same layout as any other model's, so that `models.load.load` reads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from lazarus_bench.backend import mx, nn
from lazarus_bench.models import lab
from lazarus_bench.models.lab_tokenizer import BOS, EOS, PAD, token_id

START = 0.02
"""Standard deviation of every matrix (GPT-2)."""


def train_tokenizer(texts: Sequence[str], vocabulary: int) -> Tokenizer:
    """A byte-level BPE (GPT-2's pre-tokenisation) of at most `vocabulary` tokens.

    Every text begins with a begin-of-text token. Merges that occur only once are not taken, so data
    of few words have a smaller vocabulary.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        show_progress=False,
        special_tokens=[BOS, EOS, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, token_id(tokenizer, BOS))]
    )
    return tokenizer


def blank_config(
    tokenizer: Tokenizer, *, layers: int, width: int, heads: int, hidden: int, context: int
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
        "bos_token_id": token_id(tokenizer, BOS),
        "eos_token_id": token_id(tokenizer, EOS),
        "pad_token_id": token_id(tokenizer, PAD),
    }


def draw_weights(config: Mapping[str, Any], seed: int) -> nn.Module:
    """The untrained llama of `config` and `seed`, bit-identical on every call.

    Matrices are Gaussian, those that write to the residual stream smaller with depth (GPT-2); the
    norms' gains are 1.
    """
    from mlx.utils import tree_map_with_path

    rng = np.random.default_rng((seed, 12))
    deep = START / (2 * int(config["num_hidden_layers"])) ** 0.5

    def start(path: str, array: mx.array) -> mx.array:
        if array.ndim < 2:
            return mx.ones_like(array)
        scale = deep if path.endswith(("o_proj.weight", "down_proj.weight")) else START
        return mx.array((scale * rng.normal(size=array.shape)).astype(np.float32))

    model = lab.build(config)
    model.update(tree_map_with_path(start, model.parameters()))
    mx.eval(model.parameters())
    return model


def save_blank(
    model: nn.Module, config: Mapping[str, Any], tokenizer: Tokenizer, directory: Path
) -> None:
    """Write weights, configuration and tokenizer in the Hugging Face layout."""
    from mlx.utils import tree_flatten

    weights = dict(tree_flatten(model.parameters()))
    mx.save_safetensors(str(directory / "model.safetensors"), weights, metadata={"format": "mlx"})
    about = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS,
        "eos_token": EOS,
        "pad_token": PAD,
        "clean_up_tokenization_spaces": False,
        "model_max_length": config["max_position_embeddings"],
    }
    for name, content in (("config.json", dict(config)), ("tokenizer_config.json", about)):
        (directory / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    (directory / "tokenizer.json").write_text(tokenizer.to_str(pretty=True), encoding="utf-8")
