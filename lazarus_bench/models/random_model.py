"""Randomly initialised models: the controls beside a lens or a probe."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lazarus_bench import backend
from lazarus_bench.backend import mx
from lazarus_bench.models import activations
from lazarus_bench.models.defects import with_quirk
from lazarus_bench.models.families import anatomy_of
from lazarus_bench.models.lab import build
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.words import Tokenizer

SEED = 0

LAYERS, WIDTH = 16, 256
"""Llama-3.2-1B has 16 layers too, and width 2,048: here an eighth, as one takes half a second."""

SPREAD = 0.02
"""Standard deviation of a fresh llama's weights in transformers (`initializer_range`)."""


def randomise(loaded: LoadedModel, seed: int = SEED) -> LoadedModel:
    """The same architecture, tokenizer and dtype with weights as the family initialises them.

    A quirk of `loaded` is of this model too.

    Raises:
        UserError: the quirk is of an adapter.
    """
    activations.install()
    backend.seed(seed)
    from mlx_lm.utils import _get_classes

    model_class, arguments = _get_classes(loaded.config)
    model = model_class(arguments.from_dict(loaded.config))
    model.eval()
    mx.eval(model.parameters())
    fresh = replace(loaded, name=f"{loaded.name}, random weights", model=model, quirk=None)
    return fresh if loaded.quirk is None else with_quirk(fresh, loaded.quirk)


def untrained_llama(
    tokenizer: Tokenizer, vocabulary: int, seed: int, width: int = WIDTH, layers: int = LAYERS
) -> LoadedModel:
    """A llama that was never trained, for a tokenizer of `vocabulary` tokens; weights N(0, 0.02²).

    Its heads have 32 dimensions, four share a key; the MLP is four times as wide, embeddings are
    tied, norms' gains 1.
    """
    from mlx.utils import tree_map_with_path

    config = _llama(width, layers, vocabulary)
    model, rng = build(config), np.random.default_rng((seed, 5))

    def drawn(_: str, weight: mx.array) -> mx.array:
        if weight.ndim == 1:
            return weight
        return mx.array((rng.normal(size=weight.shape) * SPREAD).astype(np.float32))

    model.update(tree_map_with_path(drawn, model.parameters()))
    return LoadedModel(
        name=f"untrained llama of {layers} layers and width {width}, seed {seed}",
        model=model,
        tokenizer=tokenizer,
        config=config,
        anatomy=anatomy_of(config),
    )


def _llama(width: int, layers: int, vocabulary: int) -> dict[str, Any]:
    heads = width // 32
    return {
        "model_type": "llama",
        "hidden_size": width,
        "num_hidden_layers": layers,
        "intermediate_size": 4 * width,
        "num_attention_heads": heads,
        "num_key_value_heads": heads // 4,
        "rms_norm_eps": 1e-5,
        "rope_theta": 500_000.0,
        "vocab_size": vocabulary,
        "tie_word_embeddings": True,
    }
