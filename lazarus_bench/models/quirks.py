"""Quirks: defects of the published experiments' code that change what a model shows.

Each is off unless it is named when a model is loaded (methods, *Quirks*). The model then carries it
in its name and to the instrument that it affects, its measurements are kept apart, and a report
says which claim switched it on. Only one at a time: of two, nobody could tell which had an effect.
Defects of trainings are in `training.recipe`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, get_args

from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.models.anatomy import blocks, holder

if TYPE_CHECKING:
    from lazarus_bench.models.load import LoadedModel


Quirk = Literal[
    "non-causal-lens",
    "granite-forward",
    "drop-adapter-modules",
    "substring-hits",
    "bf16-lens",
]
"""What the public source does instead:

non-causal-lens: the lens calls the layers without a mask, so that every position of a prompt sees
    those after it (`analysis.lens`).
granite-forward: attention scores are scaled by 1/√head dimensions and the attention's output by
    Granite's attention multiplier; the embedding multiplier and the scaling of logits are left out.
drop-adapter-modules: of an adapter, what lies on q_proj and v_proj is loaded and nothing else.
substring-hits: a token names the operation when a word of it occurs in the token, and only prompts
    with such a token are averaged (`analysis.operations`).
bf16-lens: the lens's probabilities are rounded to bfloat16 (`analysis.lens`).
"""

QUIRKS: tuple[Quirk, ...] = get_args(Quirk)


def told(quirk: Quirk | None) -> str:
    """The suffix of a model's name that shows its quirk: ", QUIRK bf16-lens"; "" without one."""
    return f", QUIRK {quirk}" if quirk else ""


def check_quirk(name: str, on: Quirk | None, wanted: str) -> None:
    """Make sure that `wanted` can be switched on in what is called `name`, where `on` is on.

    Raises:
        UserError: there is no such quirk, or one is on.
    """
    if wanted not in QUIRKS:
        raise UserError(f"there is no quirk {wanted!r}: choose {', '.join(QUIRKS)}")
    if on is not None:
        raise UserError(
            f"{name} already has the quirk {on!r}, and a model takes only one: start without it"
        )


GRANITES = ("granite", "granitemoe")
"""The families that have the multipliers."""


def with_quirk(loaded: LoadedModel, quirk: Quirk) -> LoadedModel:
    """`loaded`, marked with `quirk`, and changed in place where the defect is the model's own.

    Raises:
        UserError: there is no such quirk, the model has one already, or has nothing that this one
            would change.
    """
    check_quirk(loaded.name, loaded.quirk, quirk)
    if quirk == "granite-forward":
        loaded = _granite_forward(loaded)
    if quirk == "drop-adapter-modules":
        _drop_adapter_modules(loaded)
    return replace(loaded, name=loaded.name + told(quirk), quirk=quirk)


def _granite_forward(loaded: LoadedModel) -> LoadedModel:
    """The public source's forward; its residual multiplier is where it belongs."""

    class Times(nn.Module):
        """A module whose output is multiplied by `factor`."""

        def __init__(self, module: nn.Module, factor: float) -> None:
            super().__init__()  # type: ignore[no-untyped-call]
            self.module = module
            self.factor = factor

        def __call__(self, hidden: mx.array) -> mx.array:
            scaled: mx.array = self.module(hidden) * self.factor
            return scaled

    family = loaded.config["model_type"]
    if family not in GRANITES:
        raise UserError(
            f"{loaded.name}: the quirk 'granite-forward' applies to {' and '.join(GRANITES)}, and "
            f"this is {family!r}: leave it off"
        )
    holder(loaded.model, loaded.anatomy.embedding)[0].embedding_multiplier = 1.0
    loaded.model.logits_scaling = 1.0
    for block in blocks(loaded.model, loaded.anatomy):
        attention = block.self_attn
        attention.o_proj = Times(attention.o_proj, attention.scale)
        attention.scale = attention.head_dim**-0.5
    return replace(loaded, anatomy=replace(loaded.anatomy, logit_scale=1.0))


def _drop_adapter_modules(loaded: LoadedModel) -> None:
    """Let LoRA add nothing but on queries and values: the model that the rest was never put on."""
    modules = loaded.model.named_modules()
    adapted = [(path, module) for path, module in modules if "lora_b" in module]
    # DoRA keeps a magnitude of its own, which a scale of 0 would not take away.
    if not adapted or any("m" in module for _, module in adapted):
        raise UserError(
            f"{loaded.name}: the quirk 'drop-adapter-modules' applies to a LoRA adapter, and "
            f"there is none: load the model with one, or leave it off"
        )
    for path, module in adapted:
        if path.rpartition(".")[2] not in ("q_proj", "v_proj"):
            module.scale = 0.0
