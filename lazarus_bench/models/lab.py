"""The lab's models: small models of real families, made from scratch with mlx-lm's own classes.

A family is one record in `models.families`. `initialise` draws the weights of a seed and `save`
writes the Hugging Face layout, which `mlx_lm.load` reads like any other model, and so does
transformers except for mixtures, whose experts stand stacked as mlx-lm converts them. Pretraining
is a recipe (`training/pretrain.py`).

Number tokens do not start from noise but from waves of the number and of its logarithm: large
models come to hold numbers on such helices (Kantamneni & Tegmark 2025, "Language models use
trigonometry to do addition"), and no minute of pretraining finds them. In short trials on
development seeds they doubled the accuracy on held-out operand pairs, and products were never right
without them. The operation words start from noise like every other word.

Word tokens start so long that they end about as long as the numbers (both |e| near 1 at width 96,
development seed 101), and norm gains are not decayed: a state of norm g·√d gives token e a logit of
at most g·√d·|e|, and a probability near 1 takes well over log(vocabulary) = 7. With the short words
and shrunken gains of a first version no training whatever could have put half of the probability on
a word; that was seen in a trial run of the dual-reward claims on seeds 0 and 1 (gold probability
0.17). The remedy was chosen on development seeds 100 and 101.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from lazarus_bench.backend import mx, nn
from lazarus_bench.exp import install_sigmoid
from lazarus_bench.models import lab_tokenizer
from lazarus_bench.models.anatomy import part
from lazarus_bench.models.families import HEADS, LAYERS, WIDTH, anatomy_of, family_of, lab_model


def config_of(name: str) -> dict[str, Any]:
    """The config.json of the lab model of family `name`, for the lab's tokenizer.

    Raises:
        UserError: the lab makes no such family.
    """
    family, made = lab_model(name)
    tokenizer = lab_tokenizer.tokenizer()
    return {
        "model_type": family.model_type,
        "architectures": [made.architecture],
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "intermediate_size": 2 * WIDTH,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "head_dim": WIDTH // HEADS,
        "max_position_embeddings": 128,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "vocab_size": tokenizer.get_vocab_size(),
        "torch_dtype": "float32",
        **lab_tokenizer.special_ids(tokenizer),
        **made.config,
    }


def build(config: Mapping[str, Any]) -> nn.Module:
    """A model of mlx-lm's own class for `config`, with mlx's default weights."""
    install_sigmoid()
    from mlx_lm.utils import _get_classes

    model_class, arguments = _get_classes(config=dict(config))
    model: nn.Module = model_class(arguments.from_dict(dict(config)))
    return model


def count_parameters(config: Mapping[str, Any]) -> int:
    """How many numbers a model of `config` has; none of them is drawn."""
    from mlx.utils import tree_flatten

    weights: dict[str, mx.array] = dict(tree_flatten(build(config).parameters()))
    return sum(array.size for array in weights.values())


def number_waves(numbers: np.ndarray, width: int, rng: np.random.Generator) -> np.ndarray:
    """Features that turn sums into rotations: waves of the number and of its logarithm.

    Of non-negative `numbers` `[count]`, turned at random in `width` dimensions: `[count, width]`,
    each row's norm the square root of the number of waves.
    """
    periods = np.array([2, 5, 10, 20, 50, 100, 200, 400])
    log_periods = 6.0 / 2 ** np.arange(6)
    turns = [numbers[:, None] / periods, np.log(np.maximum(numbers, 1))[:, None] / log_periods]
    phase = 2 * np.pi * np.concatenate(turns, axis=1)
    waves = np.concatenate([np.cos(phase), np.sin(phase)], axis=1)
    rotation, _ = np.linalg.qr(rng.normal(size=(width, waves.shape[1])))
    return np.asarray(waves @ rotation.T)


WAVE_SCALE = 0.6
NOISE = 0.05
WORD_NOISE = 0.2
"""Start of the embeddings of tokens with letters; symbols keep the short start.

On development seed 101, with gains still decayed, starts of 0.4 on all tokens or on words alone
brought held-out sums from 0.48 down to 0.25 and 0.28; with gains undecayed, 0.2 on words kept 0.47.
"""


def initialise(config: Mapping[str, Any], seed: int) -> nn.Module:
    """A model of `config` with the weights of `seed`; bit-identical on every call.

    Matrices are Gaussian, biases and attention sinks 0, norms' gains 1, and the number tokens'
    embeddings carry `number_waves`. An unembedding of its own starts as a copy of the embedding: a
    model with tied embeddings has the waves there too.
    """
    from mlx.utils import tree_map_with_path

    model, anatomy, made = build(config), anatomy_of(config), family_of(config).lab
    rng = np.random.default_rng((seed, 0))
    gain = made.gain if made else 1.0

    def start(path: str, array: mx.array) -> mx.array:
        if path.endswith("bias"):
            return mx.zeros_like(array)
        if array.ndim < 2:
            # Vectors that are no gain, such as attention sinks, stay as they are.
            return mx.full(array.shape, gain) if path.endswith("norm.weight") else array
        writes = path.endswith(("o_proj.weight", "down_proj.weight"))
        # What writes to the residual stream is smaller with depth (GPT-2).
        scale = NOISE / (2 * LAYERS) ** 0.5 if writes else NOISE
        return mx.array((rng.normal(size=array.shape) * scale).astype(np.float32))

    model.update(tree_map_with_path(start, model.parameters()))
    embedding = part(model, anatomy.embedding)
    tokenizer, numbers = lab_tokenizer.tokenizer(), np.array(lab_tokenizer.numbers())
    ids = [lab_tokenizer.token_id(tokenizer, str(n)) for n in numbers]
    weight = np.array(embedding.weight)
    weight[ids] += WAVE_SCALE * number_waves(numbers, weight.shape[1], rng)
    words = lab_tokenizer.word_ids(tokenizer)
    weight[words] = WORD_NOISE * rng.normal(size=(len(words), weight.shape[1]))
    embedding.weight = mx.array(weight)
    if hasattr(model, anatomy.unembedding):
        part(model, anatomy.unembedding).weight = mx.array(embedding.weight)
    mx.eval(model.parameters())
    return model


def save(
    model: nn.Module, config: Mapping[str, Any], directory: Path, tokenizer: Tokenizer | None = None
) -> None:
    """Write a model in the Hugging Face layout.

    With the lab's tokenizer unless another is given; then without generation_config.json, since a
    backbone of somebody's data generates nothing.
    """
    from mlx.utils import tree_flatten

    weights = dict(tree_flatten(model.parameters()))
    mx.save_safetensors(str(directory / "model.safetensors"), weights, metadata={"format": "mlx"})
    files = {"config.json": dict(config)}
    if tokenizer is None:
        tokens = {key: config[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id")}
        files["generation_config.json"] = {**tokens, "do_sample": False}
    for name, content in files.items():
        (directory / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    text = tokenizer.to_str(pretty=True) if tokenizer else None
    lab_tokenizer.save(directory, text, config["max_position_embeddings"])
