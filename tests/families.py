"""A random-weight model of every family, built by mlx-lm's own class: shapes small, code real."""

from lazarus_bench.backend import mx
from lazarus_bench.models.anatomy import anatomy_of, part
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.random_model import randomise

SHAPE = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "intermediate_size": 48,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "rms_norm_eps": 1e-5,
    "vocab_size": 61,
    "max_position_embeddings": 64,
    "rope_theta": 10000.0,
}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2}
UNTIED = {"tie_word_embeddings": False}
CONFIGS = {
    "llama": UNTIED,
    "mistral": {},
    "qwen2": UNTIED,
    "qwen3": {"tie_word_embeddings": True},
    "granite": {
        "logits_scaling": 8.0,
        "attention_multiplier": 0.2,
        "embedding_multiplier": 12.0,
        "residual_multiplier": 0.22,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
    },
    "gemma2": {"final_logit_softcapping": 3.0, "query_pre_attn_scalar": 8.0},
    "olmo2": {},
    "olmoe": EXPERTS | UNTIED,
    "gpt_oss": {
        "num_local_experts": 4,
        "num_experts_per_tok": 2,
        "sliding_window": 4,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    },
}

MIXTURES = ("olmoe", "gpt_oss")


def made(family: str, **more: object) -> LoadedModel:
    """A random-weight model of `family`, built by mlx-lm's own class."""
    config = SHAPE | CONFIGS[family] | {"model_type": family} | more
    blank = LoadedModel(
        name=family, model=None, tokenizer=None, config=config, anatomy=anatomy_of(config)
    )
    loaded = randomise(blank)
    # The families start their output norms and embeddings small enough to hide a wrong scale.
    weight = part(loaded.model, loaded.anatomy.embedding)
    weight.weight = 3 * mx.random.normal(weight.weight.shape, key=mx.random.key(1))
    return loaded
