"""The lab's families: what each adds to the one small shape that all lab models share.

Sizes are the llama's; what makes a family itself is kept, with values in proportion to 96
dimensions and 8 layers: qwen2's biases and shared keys, mistral's shared keys, granite's four
multipliers, gemma2's soft caps, scaled embedding, norms after each part and gains of 1 + w, the
experts of olmoe and of gpt-oss, and gpt-oss's sliding windows, attention sinks and unembedding of
its own. No mlx here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lazarus_bench.errors import UserError

LAYERS = 8
WIDTH = 96
HEADS = 3


@dataclass(frozen=True, kw_only=True)
class Family:
    """What a family's config.json adds to the shape that all lab models share.

    `gain` is where its norms' weights start: at 1, or at 0 where the gain is 1 + w.
    """

    model_type: str
    architecture: str
    specific: Mapping[str, Any] = field(default_factory=dict)
    gain: float = 1.0

    def config(self, vocabulary: int, special: Mapping[str, int]) -> dict[str, Any]:
        """The whole config.json; ``special`` holds the bos, eos and pad token ids."""
        return {
            "model_type": self.model_type,
            "architectures": [self.architecture],
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
            "vocab_size": vocabulary,
            "torch_dtype": "float32",
            **special,
            **self.specific,
        }


LLAMA = Family(
    model_type="llama",
    architecture="LlamaForCausalLM",
    specific={"hidden_act": "silu", "attention_bias": False, "mlp_bias": False},
)

GRANITE = Family(
    model_type="granite",
    architecture="GraniteForCausalLM",
    specific={
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "embedding_multiplier": 4.0,
        "residual_multiplier": 0.5,
        "attention_multiplier": HEADS / WIDTH,
        "logits_scaling": 2.0,
    },
)
"""Granite 3.1 2B has 12, 0.22 = 1.4 / √40 layers, 1 / head dimensions and 8 at width 2,048; a state
of norm √d gives a token a logit of at most √d·|e| / scaling, so the smallest width takes less."""

QWEN2 = Family(
    model_type="qwen2",
    architecture="Qwen2ForCausalLM",
    specific={"hidden_act": "silu", "num_key_value_heads": 1, "rope_theta": 1e6},
)

MISTRAL = Family(
    model_type="mistral",
    architecture="MistralForCausalLM",
    specific={"hidden_act": "silu", "num_key_value_heads": 1, "sliding_window": None},
)

GEMMA2 = Family(
    model_type="gemma2",
    architecture="Gemma2ForCausalLM",
    specific={
        "hidden_act": "gelu_pytorch_tanh",
        "hidden_activation": "gelu_pytorch_tanh",
        "attention_bias": False,
        "num_key_value_heads": 1,
        "query_pre_attn_scalar": WIDTH // HEADS,
        "attn_logit_softcapping": 50.0,
        "final_logit_softcapping": 30.0,
        "sliding_window": 4096,
    },
    gain=0.0,
)

OLMOE = Family(
    model_type="olmoe",
    architecture="OlmoeForCausalLM",
    specific={
        "hidden_act": "silu",
        "attention_bias": False,
        "intermediate_size": WIDTH // 2,
        "num_experts": 8,
        "num_experts_per_tok": 2,
        "norm_topk_prob": False,
    },
)

GPT_OSS = Family(
    model_type="gpt_oss",
    architecture="GptOssForCausalLM",
    specific={
        "hidden_act": "silu",
        "attention_bias": True,
        "intermediate_size": WIDTH // 2,
        "num_local_experts": 8,
        "num_experts_per_tok": 2,
        "swiglu_limit": 7.0,
        "sliding_window": 8,
        "layer_types": ["sliding_attention", "full_attention"] * (LAYERS // 2),
        "rope_scaling": {"rope_type": "default"},
        "num_key_value_heads": 1,
        "tie_word_embeddings": False,
    },
)

FAMILIES: Mapping[str, Family] = {
    "llama": LLAMA,
    "granite": GRANITE,
    "qwen2": QWEN2,
    "mistral": MISTRAL,
    "gemma2": GEMMA2,
    "olmoe": OLMOE,
    "gpt-oss": GPT_OSS,
}
"""By the name in `lab:NAME`."""


def family_named(name: str) -> Family:
    """The record of a family.

    Raises:
        UserError: there is no such lab family.
    """
    if name not in FAMILIES:
        raise UserError(f"lab family {name!r} is unknown: choose {', '.join(FAMILIES)}")
    return FAMILIES[name]
