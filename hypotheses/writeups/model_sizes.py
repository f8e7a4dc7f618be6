"""Published configurations of Llama-3.2-1B and Qwen2.5-7B, and the parameter counts of each.

Sources: `config.json` of meta-llama/Llama-3.2-1B and of Qwen/Qwen2.5-7B; writeup E, *Architecture
Details*, for what is put on the second, whose queries, keys and values have biases that LoRA leaves
alone. No weights are needed to count: a linear map of shape (out, in) has out · in parameters, its
low-rank adapter r · (in + out) (Hu et al. 2021, "LoRA", section 4.1), and a block adds two norm
vectors.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True)
class LlamaConfig:
    """The sizes of a Llama model whose linear maps have no biases; all counts are of parameters."""

    hidden_size: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate_size: int
    vocabulary: int
    tied: bool

    @property
    def linears(self) -> Mapping[str, tuple[int, int]]:
        """The seven linear maps of one block: name to (inputs, outputs)."""
        queries, values = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return MappingProxyType(
            {
                "q_proj": (self.hidden_size, queries),
                "k_proj": (self.hidden_size, values),
                "v_proj": (self.hidden_size, values),
                "o_proj": (queries, self.hidden_size),
                "gate_proj": (self.hidden_size, self.intermediate_size),
                "up_proj": (self.hidden_size, self.intermediate_size),
                "down_proj": (self.intermediate_size, self.hidden_size),
            }
        )


LLAMA_3_2_1B = LlamaConfig(
    hidden_size=2048,
    layers=16,
    heads=32,
    kv_heads=8,
    head_dim=64,
    intermediate_size=8192,
    vocabulary=128_256,
    tied=True,
)

VO = ("v_proj", "o_proj")
QK = ("q_proj", "k_proj")
MLP = ("gate_proj", "up_proj", "down_proj")
ALL_LINEARS = (*QK, *VO, *MLP)


def lora_parameters(config: LlamaConfig, targets: Iterable[str], rank: int) -> int:
    """Trainable parameters of LoRA adapters on `targets` in every layer: r · Σ (in + out).

    Raises:
        KeyError: A target is none of the seven linear maps.
    """
    per_layer = sum(sum(config.linears[target]) for target in targets)
    return rank * per_layer * config.layers


def block_parameters(config: LlamaConfig) -> int:
    """Parameters of all decoder blocks: seven linear maps and two norm vectors each."""
    linears = sum(inputs * outputs for inputs, outputs in config.linears.values())
    return (linears + 2 * config.hidden_size) * config.layers


def total_parameters(config: LlamaConfig) -> int:
    """Parameters of the whole model: blocks, final norm, embedding and, if untied, the head."""
    embeddings = config.vocabulary * config.hidden_size * (1 if config.tied else 2)
    return block_parameters(config) + config.hidden_size + embeddings


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
