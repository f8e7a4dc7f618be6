"""A random-weight model of every family, built by mlx-lm's own class: shapes small, code real."""

from pathlib import Path
from typing import Any

from lazarus_bench.backend import mx, nn
from lazarus_bench.models import lab
from lazarus_bench.models.anatomy import part
from lazarus_bench.models.families import anatomy_of
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.untrained import randomise

VOCABULARY = 61
SHAPE = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "intermediate_size": 48,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "rms_norm_eps": 1e-5,
    "layer_norm_eps": 1e-5,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 64,
    "rope_theta": 10000.0,
}
UNTIED = {"tie_word_embeddings": False}
TIED = {"tie_word_embeddings": True}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2}
LOCAL_EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2}
SLIDING = {"sliding_window": 4, "sliding_window_pattern": 2}
GRANITE = {
    "logits_scaling": 8.0,
    "attention_multiplier": 0.2,
    "embedding_multiplier": 12.0,
    "residual_multiplier": 0.22,
    "attention_bias": False,
}
LLAMA4 = {
    "attention_bias": False,
    "attention_chunk_size": 4,
    "interleave_moe_layer_step": 2,
    "intermediate_size_mlp": 56,
    "model_type": "llama4_text",
    # mlx-lm takes the mask of whole attention from the fourth block.
    "num_hidden_layers": 4,
    "num_experts_per_tok": 1,
    "num_local_experts": 4,
    "rope_scaling": None,
    "use_qk_norm": True,
}
CONFIGS: dict[str, dict[str, Any]] = {
    "cohere": {"logit_scale": 0.4, "use_qk_norm": True},
    "cohere2": {"logit_scale": 0.4, **SLIDING},
    "gemma": {},
    "gemma2": {
        "final_logit_softcapping": 3.0,
        "attn_logit_softcapping": 5.0,
        "query_pre_attn_scalar": 8.0,
    },
    "gemma3": {"text_config": SHAPE | SLIDING | {"model_type": "gemma3_text"}},
    "gemma3_text": SLIDING,
    "glm4": {"attention_bias": True, "partial_rotary_factor": 0.5},
    "gpt2": {
        "n_ctx": 64,
        "n_embd": 32,
        "n_head": 4,
        "n_layer": 3,
        "n_positions": 64,
        "layer_norm_epsilon": 1e-5,
        "num_key_value_heads": None,
    },
    "gpt_neox": {"rotary_emb_base": 10000, "rotary_pct": 0.5},
    "gpt_oss": {
        **LOCAL_EXPERTS,
        "sliding_window": 4,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    },
    "granite": {**GRANITE, "mlp_bias": False, **TIED},
    "granitemoe": {**GRANITE, **LOCAL_EXPERTS, **UNTIED},
    "internlm3": TIED,
    "llama": UNTIED,
    "llama4": {"text_config": SHAPE | LLAMA4},
    "mistral": {},
    "mixtral": LOCAL_EXPERTS,
    "nemotron": {"hidden_act": "relu2", "norm_eps": 1e-5},
    "olmo2": {},
    "olmo3": {
        "sliding_window": 4,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    },
    "olmoe": EXPERTS | UNTIED,
    "phi": {"partial_rotary_factor": 0.5},
    "phi3": UNTIED,
    "phimoe": LOCAL_EXPERTS,
    "qwen2": UNTIED,
    "qwen2_moe": {
        **EXPERTS,
        "moe_intermediate_size": 40,
        "shared_expert_intermediate_size": 24,
    },
    "qwen3": TIED,
    "qwen3_moe": {
        **EXPERTS,
        **UNTIED,
        "moe_intermediate_size": 40,
        "decoder_sparse_step": 1,
        "mlp_only_layers": [1],
        "norm_topk_prob": True,
    },
    "seed_oss": TIED,
    "smollm3": TIED,
    "stablelm": {"use_qkv_bias": True, "partial_rotary_factor": 0.5},
    "starcoder2": {"norm_epsilon": 1e-5},
}


def text_config(family: str) -> dict[str, Any]:
    """The shape of a family's language model."""
    config = SHAPE | CONFIGS[family]
    return config.get("text_config", config)


def made(family: str, **more: object) -> LoadedModel:
    """A random-weight model of `family`, built by mlx-lm's own class."""
    from mlx.utils import tree_flatten, tree_unflatten

    config = SHAPE | CONFIGS[family] | {"model_type": family} | more
    blank = LoadedModel(
        name=family, model=None, tokenizer=None, config=config, anatomy=anatomy_of(config)
    )
    loaded = randomise(blank)
    # Norms, biases and embeddings as families start them would hide a wrong norm or scale.
    moved = [
        (name, w + 0.3 * mx.random.normal(w.shape, key=mx.random.key(i)))
        for i, (name, w) in enumerate(tree_flatten(loaded.model.parameters()))
        if w.ndim == 1
    ]
    loaded.model.update(tree_unflatten(moved))
    embedding = part(loaded.model, loaded.anatomy.embedding)
    embedding.weight = 3 * mx.random.normal(embedding.weight.shape, key=mx.random.key(1))
    return loaded


def small_llama(directory: Path, width: int, layers: int, heads: int, bits: int = 0) -> Path:
    """An untrained lab llama in Hugging Face layout, in groups of 32 if it has `bits`."""
    config = lab.config_of("llama") | {
        "hidden_size": width,
        "intermediate_size": 96,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "head_dim": width // heads,
    }
    model = lab.initialise(config, 0)
    if bits:
        nn.quantize(model, group_size=32, bits=bits)
        config["quantization"] = {"group_size": 32, "bits": bits}
    lab.save(model, config, directory)
    return directory
