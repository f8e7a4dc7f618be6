"""Model families: one record each, read off `mlx_lm/models/<model_type>.py`.

A record says where the family keeps its parts and how its routers weigh experts (`Anatomy`), and,
where the lab makes a small model of it, how (`LabModel`). `models.load` verifies the anatomy of
every model that it loads: the last layer projected through it must equal the model's own logits.

The families of installed packages come from the entry point `families` in the group
`lazarus_bench`. They are looked up by name and join none of the lists here, so that installing a
package changes no claim's subjects. No mlx here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from typing import Any

from lazarus_bench.errors import UserError
from lazarus_bench.models.anatomy import Anatomy
from lazarus_bench.reading import load_entry

Config = Mapping[str, Any]

LAYERS = 8
WIDTH = 96
HEADS = 3


@dataclass(frozen=True, kw_only=True)
class LabModel:
    """How the lab makes a small model of a family.

    All share one small shape, the llama's. `config` adds what makes the family itself, in
    proportion to 96 dimensions and 8 layers. `gain` is where the norms' weights start: at 1, or at
    0 where the gain is 1 + w.

    `steps` are those of the pretraining, `step_cost` the time of one in units of the llama's.
    Families beside the llama take fewer steps, so that a base is there in 60 to 75 s where the
    llama takes 88 s (on a slower day olmoe took 115 s, the llama 134 s), and learn less of the
    task: on development seed 100, of 200 held-out problems, granite answers 0.34, gemma2 0.38 and
    olmoe 0.19, the llama 0.36; the other three were not measured. For olmoe, 500 steps of two
    thirds as many documents cost about the same and gave 0.20.
    """

    architecture: str
    config: Config = field(default_factory=dict)
    gain: float = 1.0
    steps: int = 450
    step_cost: float = 1.0


_PLAIN = Anatomy()


@dataclass(frozen=True, kw_only=True)
class Family:
    """A model family: the `model_type` of its config.json and all that is known of it here.

    `configured` completes the anatomy by what a model's config.json says, such as a multiplier of
    the logits.
    """

    model_type: str
    anatomy: Anatomy = _PLAIN
    configured: Callable[[Anatomy, Config], Anatomy] | None = None
    lab: LabModel | None = None

    @property
    def lab_name(self) -> str:
        """NAME in `lab:NAME`."""
        return self.model_type.replace("_", "-")

    def anatomy_for(self, config: Config) -> Anatomy:
        """The anatomy of a model with this config.json.

        Raises:
            UserError: the config asks for what mlx-lm does not compute in this family.
        """
        usual = self.lab.config.get("hidden_act") if self.lab else None
        given = config.get("hidden_act", usual)
        if usual == "silu" and given not in ("silu", "swish"):
            raise UserError(
                f"config.json says hidden_act is {given!r}, and mlx-lm computes every "
                f"{self.model_type} with silu: choose a model of another family"
            )
        return self.configured(self.anatomy, config) if self.configured else self.anatomy


def _number(config: Config, key: str, default: float) -> float:
    value = config.get(key, default)
    if not isinstance(value, int | float) or not value:
        raise UserError(f"config.json says {key} is {value!r}: give the number the model had")
    return float(value)


def _divided(anatomy: Anatomy, config: Config) -> Anatomy:
    """Granite divides its logits by `logits_scaling`."""
    return replace(anatomy, logit_scale=1.0 / _number(config, "logits_scaling", default=1.0))


def _scaled(anatomy: Anatomy, config: Config) -> Anatomy:
    return replace(anatomy, logit_scale=_number(config, "logit_scale", default=0.0625))


def _softcapped(anatomy: Anatomy, config: Config) -> Anatomy:
    return replace(anatomy, softcap=_number(config, "final_logit_softcapping", default=30.0))


def _inside(wrapper: str, anatomy: Anatomy) -> Anatomy:
    """The record of a language model that a multimodal one keeps at `wrapper`."""
    paths = ("layers", "norm", "embedding", "unembedding")
    inside: dict[str, Any] = {each: f"{wrapper}.{getattr(anatomy, each)}" for each in paths}
    return replace(anatomy, **inside)


_MIXTURE = Anatomy(router="mlp.gate", routing="configured", mlp=())
_SPARSE_BLOCK = Anatomy(
    feed_forward="block_sparse_moe", router="block_sparse_moe.gate", routing="chosen", mlp=()
)
_USUAL = (
    "gemma",
    "gemma3_text",
    "internlm3",
    "olmo2",
    "olmo3",
    "qwen3",
    "seed_oss",
    "smollm3",
    "stablelm",
)
_FUSED_GATE = ("mlp.gate_up_proj", "mlp.down_proj")

_OURS = (
    # The lab's families, in the order in which claims name them.
    Family(
        model_type="llama",
        lab=LabModel(
            architecture="LlamaForCausalLM",
            config={"hidden_act": "silu", "attention_bias": False, "mlp_bias": False},
            steps=600,
        ),
    ),
    Family(
        model_type="granite",
        configured=_divided,
        # Granite 3.1 2B has 12, 0.22 = 1.4 / √40 layers, 1 / head dimensions and 8 at width 2,048;
        # a state of norm √d gives a token a logit of at most √d·|e| / scaling, so the smallest
        # width takes less.
        lab=LabModel(
            architecture="GraniteForCausalLM",
            config={
                "hidden_act": "silu",
                "attention_bias": False,
                "mlp_bias": False,
                "embedding_multiplier": 4.0,
                "residual_multiplier": 0.5,
                "attention_multiplier": HEADS / WIDTH,
                "logits_scaling": 2.0,
            },
        ),
    ),
    Family(
        model_type="qwen2",
        lab=LabModel(
            architecture="Qwen2ForCausalLM",
            config={"hidden_act": "silu", "num_key_value_heads": 1, "rope_theta": 1e6},
        ),
    ),
    Family(
        model_type="mistral",
        lab=LabModel(
            architecture="MistralForCausalLM",
            config={"hidden_act": "silu", "num_key_value_heads": 1, "sliding_window": None},
            step_cost=0.9,
        ),
    ),
    Family(
        model_type="gemma2",
        configured=_softcapped,
        lab=LabModel(
            architecture="Gemma2ForCausalLM",
            config={
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
            steps=360,
            step_cost=1.25,
        ),
    ),
    Family(
        model_type="olmoe",
        anatomy=_MIXTURE,
        lab=LabModel(
            architecture="OlmoeForCausalLM",
            config={
                "hidden_act": "silu",
                "attention_bias": False,
                "intermediate_size": WIDTH // 2,
                "num_experts": 8,
                "num_experts_per_tok": 2,
                "norm_topk_prob": False,
            },
            steps=360,
            step_cost=1.35,
        ),
    ),
    Family(
        model_type="gpt_oss",
        anatomy=Anatomy(router="mlp.router", routing="chosen", mlp=()),
        lab=LabModel(
            architecture="GptOssForCausalLM",
            config={
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
            steps=360,
            step_cost=1.35,
        ),
    ),
    # The others, those first that keep all in the usual places.
    *(Family(model_type=name) for name in _USUAL),
    Family(model_type="cohere", configured=_scaled),
    Family(model_type="cohere2", configured=_scaled),
    Family(model_type="gemma3", anatomy=_inside("language_model", _PLAIN)),
    Family(model_type="glm4", anatomy=Anatomy(mlp=_FUSED_GATE)),
    Family(
        model_type="gpt2",
        anatomy=Anatomy(
            layers="model.h",
            norm="model.ln_f",
            embedding="model.wte",
            attention="attn",
            vo=(),
            qk=(),
            fused_attention=("attn.c_attn", "attn.c_proj"),
            mlp=("mlp.c_fc", "mlp.c_proj"),
        ),
    ),
    Family(
        model_type="gpt_neox",
        anatomy=Anatomy(
            layers="model.h",
            norm="model.final_layer_norm",
            embedding="model.embed_in",
            unembedding="model.embed_out",
            attention="attention",
            vo=(),
            qk=(),
            fused_attention=("attention.query_key_value", "attention.dense"),
            mlp=("mlp.dense_h_to_4h", "mlp.dense_4h_to_h"),
        ),
    ),
    Family(
        model_type="granitemoe",
        anatomy=replace(_SPARSE_BLOCK, router="block_sparse_moe.router.layer"),
        configured=_divided,
    ),
    Family(
        model_type="llama4",
        anatomy=_inside(
            "language_model",
            Anatomy(
                feed_forward="feed_forward", router="feed_forward.router", routing="sigmoid", mlp=()
            ),
        ),
    ),
    Family(model_type="mixtral", anatomy=_SPARSE_BLOCK),
    Family(model_type="nemotron", anatomy=Anatomy(mlp=("mlp.up_proj", "mlp.down_proj"))),
    Family(
        model_type="phi",
        anatomy=Anatomy(
            norm="model.final_layernorm",
            vo=("self_attn.v_proj", "self_attn.dense"),
            mlp=("mlp.fc1", "mlp.fc2"),
        ),
    ),
    Family(
        model_type="phi3",
        anatomy=Anatomy(
            vo=(),
            qk=(),
            fused_attention=("self_attn.qkv_proj", "self_attn.o_proj"),
            mlp=_FUSED_GATE,
        ),
    ),
    Family(model_type="phimoe", anatomy=replace(_SPARSE_BLOCK, routing="sparsemixer")),
    Family(model_type="qwen2_moe", anatomy=_MIXTURE),
    Family(model_type="qwen3_moe", anatomy=_MIXTURE),
    Family(model_type="starcoder2", anatomy=Anatomy(mlp=("mlp.c_fc", "mlp.c_proj"))),
)

FAMILIES: Mapping[str, Family] = {family.model_type: family for family in _OURS}
"""Ours, by `model_type`."""

LAB: Mapping[str, Family] = {family.lab_name: family for family in _OURS if family.lab}
"""Those of ours that the lab makes, by the name in `lab:NAME`."""


def _installed() -> Iterator[Family]:
    """The families that installed packages bring.

    Raises:
        UserError: a package names something else, or a `model_type` that there is already.
    """
    seen = dict(FAMILIES)
    for entry in entry_points(group="lazarus_bench", name="families"):
        theirs = load_entry(entry)
        for family in theirs if isinstance(theirs, list | tuple) else (theirs,):
            if not isinstance(family, Family):
                raise UserError(
                    f"the entry point {entry.value} names {family!r}, which is no model family: "
                    f"name a lazarus_bench.models.families.Family, or a list of them"
                )
            if seen.setdefault(family.model_type, family) is not family:
                raise UserError(
                    f"the entry point {entry.value} has a family {family.model_type!r}, which "
                    f"there is already: leave it out"
                )
            yield family


def family_of(config: Config) -> Family:
    """The family that `config["model_type"]` names, ours or an installed package's.

    Raises:
        UserError: it is unknown.
    """
    name = str(config.get("model_type"))
    if name in FAMILIES:
        return FAMILIES[name]
    theirs = {family.model_type: family for family in _installed()}
    if name not in theirs:
        raise UserError(
            f"model family {name!r} is unknown: add a record to lazarus_bench/models/families.py, "
            f"or name one as the entry point `families` of a package of yours (known: "
            f"{', '.join(sorted({*FAMILIES, *theirs}))})"
        )
    return theirs[name]


def anatomy_of(config: Config) -> Anatomy:
    """The anatomy of a model with this config.json.

    Raises:
        UserError: its family is unknown, or a multiplier in it is no number.
    """
    return family_of(config).anatomy_for(config)


def lab_model(name: str) -> tuple[Family, LabModel]:
    """The family called `lab:NAME` and how the lab makes it, ours or an installed package's.

    Raises:
        UserError: the lab makes no such family.
    """
    known = dict(LAB)
    if name not in known:
        known |= {family.lab_name: family for family in _installed() if family.lab}
    if name not in known:
        raise UserError(f"lab family {name!r} is unknown: choose {', '.join(known)}")
    family = known[name]
    assert family.lab is not None
    return family, family.lab
