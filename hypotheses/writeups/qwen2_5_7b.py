"""The published configuration of Qwen2.5-7B, and parameter counts that follow from it.

Source: `config.json` of Qwen/Qwen2.5-7B; writeup E, *Architecture Details*, for what is put on it.
No weights are needed to count. Queries, keys and values have biases, which LoRA leaves alone.
"""

from .llama_3_2_1b import (
    ALL_LINEARS,
    LlamaConfig,
    lora_parameters,
    total_parameters,
)

QWEN_2_5_7B = LlamaConfig(
    hidden_size=3584,
    layers=28,
    heads=28,
    kv_heads=4,
    head_dim=128,
    intermediate_size=18944,
    vocabulary=152_064,
    tied=False,
)

RANK = 16
CLASSIFIER = 256
ENGRAM = 128
"""Widths of the classification head's hidden layer and of the bottleneck."""


def _linear(inputs: int, outputs: int) -> int:
    """Parameters of a linear map with a bias."""
    return inputs * outputs + outputs


def adapter_parameters() -> int:
    """Parameters of LoRA of rank 16 on the seven linear maps of every block."""
    return lora_parameters(QWEN_2_5_7B, ALL_LINEARS, rank=RANK)


def head_parameters(classes: int) -> int:
    """Parameters of the classification head: d → 256 → `classes`."""
    return _linear(QWEN_2_5_7B.hidden_size, CLASSIFIER) + _linear(CLASSIFIER, classes)


def engram_parameters() -> int:
    """Parameters of the compressor, 256 → 128, and of the projector, 128 → d."""
    return _linear(CLASSIFIER, ENGRAM) + _linear(ENGRAM, QWEN_2_5_7B.hidden_size)


def model_parameters() -> int:
    """Parameters of Qwen2.5-7B itself: 7.62 billion, as its model card has them."""
    sizes = QWEN_2_5_7B.linears
    biases = sum(sizes[name][1] for name in ("q_proj", "k_proj", "v_proj"))
    return total_parameters(QWEN_2_5_7B) + biases * QWEN_2_5_7B.layers
