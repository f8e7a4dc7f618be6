"""A flag of a training: the field that it sets, and what configuration files call it."""

from __future__ import annotations

from dataclasses import dataclass
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


def steps(default: int) -> Flag:
    """How many steps."""
    return Flag(field="steps", help="optimizer steps", default=default, keys=("max_steps", "iters"))


def batch(default: int, of: str = "examples a step") -> Flag:
    """How much a step sees."""
    return Flag(field="batch", help=of, default=default, keys=("batch_size",))


def rate(default: float) -> Flag:
    """The learning rate."""
    return Flag(
        field="learning_rate",
        help="Adam's learning rate",
        kind="number",
        default=default,
        keys=("lr",),
        metavar="X",
    )


EXAMPLES = Flag(
    field="examples",
    help="training problems drawn",
    default=4500,
    keys=("num_samples", "train_samples"),
)
QUIRK = Flag(
    field="quirks",
    help="switch a defect of the public source on (docs/quirks.md); may be repeated",
    kind="text",
    choices=QUIRKS,
    metavar="NAME",
    name="quirk",
    many=True,
    keys=("quirks",),
)
LAYER = Flag(
    field="layer",
    help="the layer whose lens is trained, from 0",
    default="⌊0.55 · layers⌋",
    keys=("classifier_layer",),
    name="layer",
)


def weight(default: float) -> Flag:
    """What the classification loss counts."""
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


def lora(rank: int, scale: str, targets: str, scaled: bool = True) -> tuple[Flag, ...]:
    """Targets, rank and alpha of LoRA, and the scale where the spec has one."""
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
