"""A model family in one record: Helium (Kyutai), which mlx-lm has and lazarus-bench does not."""

import sys
from pathlib import Path

from lazarus_bench.models.families import Family

FAMILY = Family(model_type="helium")
"""Blocks, norms and projections lie where the llama's do; its unembedding is always its own."""

TINY = {
    "model_type": "helium",
    "architectures": ["HeliumForCausalLM"],
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "intermediate_size": 96,
    "num_attention_heads": 3,
    "num_key_value_heads": 3,
    "head_dim": 16,
    "rms_norm_eps": 1e-6,
    "attention_bias": False,
    "mlp_bias": False,
    "max_position_embeddings": 256,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
}
"""A configuration small enough for a test; the rest is the lab's."""


def write(folder: Path) -> None:
    """Leave an untrained model of the family in `folder`, with the lab's tokenizer."""
    import mlx.core as mx
    from mlx_lm.models.helium import Model, ModelArgs

    from lazarus_bench.models import lab

    config = lab.config_of("llama") | TINY
    folder.mkdir(parents=True)
    mx.random.seed(0)
    lab.save(Model(ModelArgs.from_dict(config)), config, folder)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
