"""What a training can be given: each flag with the field that it sets and the writeups' names.

No recipe is imported, for the help must not wait; a test holds the defaults against the specs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

TARGETS = ("vo", "qk", "mlp", "all")
QUIRKS = (
    "unshifted-labels",
    "class-at-answer-end",
    "sgd",
    "unbounded-kl",
    "clip-to-reference",
    "eval-in-train",
)
"""`training.quirks.QUIRKS`, which takes numpy to import."""

Kind = Literal["integer", "number", "text", "switch", "integers"]


@dataclass(frozen=True, kw_only=True)
class Flag:
    """One flag of a recipe.

    Attributes:
        field: the spec's field, or a word that `train_specs` makes fields of.
        help: what it sets.
        kind: what its value is; integers stand with commas between them.
        default: the spec's, in words where it is not a plain value.
        keys: names in a configuration file besides its own, dots between the levels.
        choices: what it may be.
        metavar: what the help calls its value.
        name: the flag's name without dashes, of its field where it is empty.
        many: it may be repeated.
    """

    field: str
    help: str
    kind: Kind = "integer"
    default: Any = None
    keys: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    metavar: str = "N"
    name: str = ""
    many: bool = False

    @property
    def flag(self) -> str:
        """As it is typed."""
        return f"--{self.key.replace('_', '-')}"

    @property
    def key(self) -> str:
        """As a configuration file has it."""
        return self.name or self.field

    @property
    def told(self) -> str:
        """The help with the default."""
        if self.default is None:
            return self.help
        plain = isinstance(self.default, int | float) and not isinstance(self.default, bool)
        shown = f"{self.default:g}" if plain else _words(self.default)
        return f"{self.help} (default: {shown})"


def _words(default: Any) -> str:
    if isinstance(default, bool):
        return "on" if default else "off"
    return ",".join(map(str, default)) if isinstance(default, tuple) else str(default)


def _steps(default: int) -> Flag:
    return Flag(field="steps", help="optimizer steps", default=default, keys=("max_steps", "iters"))


def _batch(default: int, of: str = "examples a step") -> Flag:
    return Flag(field="batch", help=of, default=default, keys=("batch_size",))


def _rate(default: float) -> Flag:
    return Flag(
        field="learning_rate",
        help="Adam's learning rate",
        kind="number",
        default=default,
        keys=("lr",),
        metavar="X",
    )


_EXAMPLES = Flag(
    field="examples",
    help="training problems drawn",
    default=4500,
    keys=("num_samples", "train_samples"),
)
_QUIRK = Flag(
    field="quirks",
    help="switch a defect of the public source on (docs/quirks.md); may be repeated",
    kind="text",
    choices=QUIRKS,
    metavar="NAME",
    name="quirk",
    many=True,
    keys=("quirks",),
)
_LAYER = Flag(
    field="layer",
    help="the layer whose lens is trained, from 0",
    default="⌊0.55 · layers⌋",
    keys=("classifier_layer",),
    name="layer",
)


def _weight(default: float) -> Flag:
    return Flag(
        field="weight",
        help="of the classification loss, 0 to 1",
        kind="number",
        default=default,
        keys=("cls_weight", "classifier_weight"),
        metavar="W",
    )


ANSWER_WEIGHT = Flag(
    field="answer_weight",
    help="1 minus the weight of the classification loss; give either",
    kind="number",
    keys=("ans_weight",),
    metavar="W",
)


def _lora(rank: int, scale: str, targets: str, scaled: bool = True) -> tuple[Flag, ...]:
    flags = (
        Flag(
            field="targets",
            help="which linears of every block get LoRA: attention's values and outputs, queries "
            "and keys, the MLP's, or all",
            kind="text",
            default=targets,
            choices=TARGETS,
            metavar="|".join(TARGETS),
        ),
        Flag(
            field="rank",
            help="rank of LoRA",
            default=rank,
            keys=("lora_rank", "lora.rank", "lora_parameters.rank"),
        ),
        Flag(
            field="alpha",
            help="LoRA is scaled by alpha / rank",
            kind="number",
            default=scale,
            keys=("lora_alpha", "lora.alpha", "lora_parameters.alpha"),
            metavar="X",
        ),
    )
    scale_flag = Flag(
        field="scale",
        help="what LoRA is scaled by, in place of --alpha",
        kind="number",
        keys=("lora_scale", "lora.scale", "lora_parameters.scale"),
        metavar="X",
    )
    return (*flags, scale_flag) if scaled else flags


_TUNED = (
    Flag(
        field="validation",
        help="held-out problems of the validation loss; with --data as --examples",
        default=200,
        keys=("val_samples", "valid_samples"),
    ),
    Flag(
        field="checkpoints",
        help="steps after which the adapter and the validation loss are kept",
        kind="integers",
        default="0,100,300,500 as far as they come, and the last",
        metavar="N,N",
    ),
    Flag(
        field="mask_prompt",
        help="score the answer alone, not the prompt's tokens",
        kind="switch",
        default=True,
    ),
    _QUIRK,
)

TEXTS = Flag(
    field="texts",
    help="train on a file of your own, or a folder with train.jsonl and valid.jsonl, in place of "
    "generated arithmetic: rows of prompt and completion, of text or of messages (docs/train.md)",
    kind="text",
    name="data",
    metavar="FILE.jsonl|DIR",
)

_OWN_EXAMPLES = replace(
    _EXAMPLES, help="training problems drawn; with --data, rows that are read (all of them)"
)

SFT = (
    TEXTS,
    _steps(500),
    _batch(8),
    _rate(1e-4),
    *_lora(8, "20 · rank", "all"),
    _OWN_EXAMPLES,
    *_TUNED,
)
FULL = (
    TEXTS,
    _steps(500),
    _batch(8),
    _rate(1e-5),
    _OWN_EXAMPLES,
    *(
        replace(flag, default="0 and the last") if flag.field == "checkpoints" else flag
        for flag in _TUNED
    ),
)
DUAL = (
    _weight(0.4),
    ANSWER_WEIGHT,
    _LAYER,
    _steps(500),
    _batch(16),
    _rate(1e-3),
    *_lora(16, "2 · rank", "vo", scaled=False),
    _EXAMPLES,
    _QUIRK,
)

_REINFORCED = (
    Flag(
        field="answers",
        help="sampled answers to a prompt",
        default=8,
        keys=("group_size", "num_generations"),
    ),
    _rate(3e-4),
    Flag(
        field="clip",
        help="the ratio to the sampling policy is clipped to 1 ± this",
        kind="number",
        default=0.2,
        keys=("clip_epsilon", "epsilon"),
        metavar="X",
    ),
    Flag(
        field="kl",
        help="weight of the divergence from the base",
        kind="number",
        default=0.04,
        keys=("kl_coef", "kl_coeff", "kl_coefficient", "beta"),
        metavar="X",
    ),
    Flag(
        field="answer_tokens",
        help="most tokens of a sampled answer",
        default=6,
        keys=("max_tokens", "max_completion_length"),
    ),
    Flag(
        field="reward",
        help="right-integer, none, or module:function of your own",
        kind="text",
        default="right-integer",
        metavar="NAME",
    ),
    Flag(
        field="full",
        help="train every block; --no-full trains LoRA",
        kind="switch",
        default=True,
    ),
    *_lora(16, "2 · rank", "all"),
    _EXAMPLES,
    _QUIRK,
)


def _prompts(default: int) -> Flag:
    return Flag(
        field="prompts",
        help="prompts an iteration",
        default=default,
        keys=("batch_size", "prompts_per_iteration"),
    )


def _iterations(default: int) -> Flag:
    return Flag(
        field="iterations",
        help="iterations: answers are sampled, then one step is taken",
        default=default,
        keys=("num_iterations", "max_steps", "steps", "iters"),
    )


GRPO = (_prompts(64), _iterations(140), *_REINFORCED)
GRPO_DUAL = (
    _prompts(8),
    _iterations(100),
    _weight(0.4),
    _LAYER,
    Flag(
        field="balanced",
        help="each operation equally often in a batch",
        kind="switch",
        default=False,
        keys=("balanced_sampling",),
    ),
    Flag(
        field="entropy",
        help="weight of the entropy bonus in the classification loss",
        kind="number",
        default=0.0,
        keys=("entropy_bonus", "diversity_weight"),
        metavar="X",
    ),
    Flag(
        field="shared_target",
        help="the first prompt's operation is the whole batch's target, as the writeup began",
        kind="switch",
        default=False,
    ),
    *_REINFORCED,
)


def staged(stage: str, flags: Sequence[Flag], defaults: Mapping[str, Any]) -> tuple[Flag, ...]:
    """The flags of one stage: `--stage1-rank`, in a file `stage1: {rank: ...}`."""
    return tuple(
        replace(
            flag,
            field=f"{stage}.{flag.field}",
            name=f"{stage}_{flag.key}",
            keys=tuple(f"{stage}.{key}" for key in (flag.key, *flag.keys)),
            default=defaults.get(flag.field, flag.default),
        )
        for flag in flags
    )


STAGE_1 = {"rank": 16}
STAGE_2 = {"rank": 8, "weight": 0.5, "learning_rate": 5e-5}
"""Writeup D, *Config Used*; the learning rate of stage 1, which it leaves open, is that of sft."""

_TOLD_1 = {**STAGE_1, "alpha": "2 · rank", "checkpoints": "0 and the last"}
TWO_STAGE = (*staged("stage1", SFT, _TOLD_1), *staged("stage2", DUAL, STAGE_2))

ENGRAM = (
    Flag(
        field="data",
        help="sentiment or topics, which are generated, or sst2=DIR or ag_news=DIR (docs/data.md)",
        kind="text",
        default="sentiment",
        keys=("dataset",),
        metavar="NAME",
    ),
    Flag(
        field="examples",
        help="training examples at most; generated ones are drawn",
        default="4000, 20,000 of a file; on lab:blank 120 of sentiment, 40 of topics",
    ),
    Flag(
        field="validation",
        help="evaluation examples at most",
        default="500, 10,000 of a file",
    ),
    Flag(
        field="engram",
        help="feed the compressed state back as a prefix (model 3 of the writeup)",
        kind="switch",
        default=True,
    ),
    Flag(
        field="lm_weight",
        help="of the next token's loss, 0 to 1; 0 without an engram is the writeup's model 1",
        kind="number",
        default=0.5,
        metavar="W",
    ),
    Flag(
        field="labels",
        help="true, or shuffled for the control",
        kind="text",
        default="true",
        choices=("true", "shuffled"),
        metavar="true|shuffled",
    ),
    Flag(
        field="epochs",
        help="passes over the examples; 0 leaves the untrained control",
        default="3; on lab:blank 24 of sentiment, 30 of topics",
        keys=("num_epochs",),
    ),
    _batch(16, "texts a step; 32 on lab:blank with a file"),
    Flag(
        field="learning_rate",
        help="AdamW's learning rate",
        kind="number",
        default="2e-4; on lab:blank 1e-3",
        keys=("lr",),
        metavar="X",
    ),
    Flag(
        field="warm_up",
        help="share of the steps in which the rate rises",
        kind="number",
        default=0.1,
        keys=("warmup_ratio",),
        metavar="X",
    ),
    Flag(field="weight_decay", help="of matrices", kind="number", default=0.01, metavar="X"),
    Flag(
        field="full",
        help="train every weight in place of LoRA",
        kind="switch",
        default="off; on lab:blank on",
    ),
    *(flag for flag in _lora(16, "2 · rank", "all") if flag.field != "targets"),
    Flag(
        field="bits",
        help="quantise the blocks' linears to 2, 3, 4, 5, 6 or 8 bits below LoRA",
        default="none",
    ),
    Flag(field="classifier_width", help="of the classifier's hidden layer", default=256),
    Flag(
        field="engram_width",
        help="of the bottleneck",
        default=128,
        keys=("bottleneck", "engram_dim"),
    ),
    Flag(field="dropout", help="in the classifier", kind="number", default=0.1, metavar="X"),
    Flag(
        field="max_length",
        help="tokens of a text that are read",
        default="128; all on lab:blank with generated data",
    ),
)

FLAGS: Mapping[str, tuple[Flag, ...]] = {
    "sft": SFT,
    "full": FULL,
    "dual-reward": DUAL,
    "grpo": GRPO,
    "grpo-dual": GRPO_DUAL,
    "two-stage": TWO_STAGE,
    "engram": ENGRAM,
}
