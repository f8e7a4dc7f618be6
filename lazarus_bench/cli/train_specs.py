"""Settings of a command line or a file as the specs that `training` knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lazarus_bench.cli.spec_sentences import with_flags
from lazarus_bench.cli.train_flags import STAGE_1, STAGE_2
from lazarus_bench.errors import UserError
from lazarus_bench.jobs.subjects import BLANK
from lazarus_bench.tasks.labelled_data import GENERATED, DataSource, source_at
from lazarus_bench.tasks.labelled_files import CORPORA
from lazarus_bench.tasks.text_rows import source_of
from lazarus_bench.training import DualReward, Engram, Fuse, Grpo, GrpoDual, Recipe, Sft, SftTexts
from lazarus_bench.training.engram import (
    LAB_SENTIMENT,
    LAB_TOPICS,
    from_scratch,
    with_adapter,
)

Settings = Mapping[str, Any]

STAGE_SCALE = 2.0
"""alpha / rank in both stages of writeup D: 32 / 16 and 16 / 8."""

FULL_RATE = 1e-5
"""Writeup B, *Train with Full Fine-tune*."""

OTHERS = (("alpha", "scale"), ("weight", "answer_weight"))
"""Two ways of saying one thing."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One training of a command and the folder of --output that it goes into; "" is that itself."""

    folder: str
    recipe: Recipe


def merged(file: Settings, flags: Settings) -> dict[str, Any]:
    """The settings of both; a flag wins over the file, also over its other way of saying it."""
    kept = dict(file)
    for name in flags:
        stage, dot, field = name.rpartition(".")
        for pair in OTHERS:
            if field in pair:
                for other in pair:
                    kept.pop(f"{stage}{dot}{other}", None)
    return {**kept, **flags}


def stages_of(recipe: str, settings: Settings, model: str) -> tuple[Stage, ...]:
    """The trainings of `train RECIPE`, each on the one before.

    Raises:
        UserError: a setting cannot be honoured; it is called by its flag.
    """
    try:
        return _stages(recipe, settings, model)
    except UserError as error:
        raise UserError(with_flags(recipe, str(error))) from error


def _stages(recipe: str, settings: Settings, model: str) -> tuple[Stage, ...]:
    if recipe == "two-stage":
        first = {"rank": STAGE_1["rank"], **_of_stage("stage1", settings)}
        if "alpha" not in first:
            first.setdefault("scale", STAGE_SCALE)
        second = {**STAGE_2, **_of_stage("stage2", settings)}
        return (
            Stage(folder="stage1", recipe=_sft(first, first_checkpoints=(0,))),
            Stage(folder="fused", recipe=Fuse()),
            Stage(folder="stage2", recipe=_dual(second)),
        )
    return (Stage(folder="", recipe=_single(recipe, settings, model)),)


def _single(recipe: str, settings: Settings, model: str) -> Recipe:
    match recipe:
        case "sft":
            return _sft(settings, first_checkpoints=Sft.checkpoints)
        case "full":
            whole = {"learning_rate": FULL_RATE, **settings, "full": True}
            return _sft(whole, first_checkpoints=(0,))
        case "dual-reward":
            return _dual(settings)
        case "grpo":
            return Grpo(**_lora(settings, Grpo))
        case "grpo-dual":
            return GrpoDual(**_lora(settings, GrpoDual))
        case _:
            return _engram(settings, blank=model == BLANK)


def _of_stage(stage: str, settings: Settings) -> dict[str, Any]:
    start = f"{stage}."
    return {k.removeprefix(start): v for k, v in settings.items() if k.startswith(start)}


def _sft(settings: Settings, first_checkpoints: Sequence[int]) -> Sft:
    given = _scaled(settings, Sft.rank)
    steps = given.get("steps", Sft.steps)
    if "checkpoints" not in given:
        usual = [step for step in first_checkpoints if step <= steps]
        given["checkpoints"] = tuple(sorted({*usual, max(steps, 0)}))
    return _on_texts(given) if "texts" in given else Sft(**given)


def _on_texts(settings: Settings) -> SftTexts:
    """The same on the user's own rows, all of them unless fewer are asked for."""
    given = dict(settings)
    named = given.pop("texts")
    source, rows = source_of(named)
    for name, split in (("examples", rows.train), ("validation", rows.valid)):
        if name not in given:
            given[name] = max(len(split), 1)
        elif given[name] > len(split):
            raise UserError(
                f"--{name} {given[name]}: {named} has {len(split)} such rows: give no more, or "
                f"leave it out"
            )
    if "mask_prompt" in given and not any(row.prompt or row.messages for row in rows.train):
        raise UserError(f"--mask-prompt: the rows of {named} have no prompt: leave it out")
    return SftTexts(**given, texts=source)


def _dual(settings: Settings) -> DualReward:
    given = _weighted(settings)
    alpha, rank = given.get("alpha"), given.get("rank", DualReward.rank)
    if alpha is not None and alpha == 2 * rank:
        del given["alpha"]  # the spec's own default, so that equal trainings share a digest
    return DualReward(**given)


def _weighted(settings: Settings) -> dict[str, Any]:
    """Turn the weight of the answer loss into that of the classification loss."""
    given = dict(settings)
    answer = given.pop("answer_weight", None)
    if answer is None:
        return given
    if not 0 <= answer <= 1:
        raise UserError(f"--answer-weight {answer:g} is no share of the loss: give 0 to 1")
    weight = round(1 - answer, 12)
    if given.setdefault("weight", weight) != weight:
        raise UserError(
            f"the weights {given['weight']:g} and {answer:g} of the two losses do not sum to 1: "
            f"give one of them"
        )
    return given


def _scaled(settings: Settings, rank: int) -> dict[str, Any]:
    """Turn alpha into the scale alpha / rank."""
    given = dict(settings)
    alpha = given.pop("alpha", None)
    if alpha is None:
        return given
    if "scale" in given:
        raise UserError(
            f"--alpha {alpha:g} and --scale {given['scale']:g} are two ways of saying one thing: "
            f"give one of them"
        )
    given["scale"] = alpha / max(given.get("rank", rank), 1)
    return given


_OF_LORA = ("targets", "rank", "alpha", "scale", "bits")


def _lora(
    settings: Settings, kind: type[Grpo] | type[Engram], *, full: bool = True, blank: bool = False
) -> dict[str, Any]:
    """Settings with a scale; those of LoRA are refused where every weight is trained."""
    idle = [name for name in _OF_LORA if name in settings]
    if settings.get("full", full) and idle:
        instead = "" if blank else "give --no-full as well, or "
        raise UserError(
            f"--{idle[0]} is of LoRA, and every weight is trained here: {instead}leave it out"
        )
    return _scaled(settings, kind.rank)


def _engram(settings: Settings, *, blank: bool) -> Engram:
    given = dict(settings)
    data = _data(given.pop("data", "sentiment"))
    base = _engram_base(data, blank=blank)
    wanted = {
        split: count
        for split, name in (("train", "examples"), ("validation", "validation"))
        if (count := given.pop(name, None)) is not None
    }
    given = _lora(given, Engram, full=base.full, blank=blank)
    if base.full and given.get("full") is False and blank:
        raise UserError(f"--no-full leaves {BLANK} as it was drawn: train every weight of it")
    return replace(base, data=replace(base.data, **wanted), **given)


def _engram_base(data: DataSource, *, blank: bool) -> Engram:
    """What a claim would train where it starts from the same."""
    if not blank:
        return with_adapter(data)
    own = {model.data.name: model for model in (LAB_SENTIMENT, LAB_TOPICS)}
    return own.get(data.name) or from_scratch(data)


def _data(named: str) -> DataSource:
    name, _, folder = named.partition("=")
    if name in GENERATED and not folder:
        own = next(m for m in (LAB_SENTIMENT, LAB_TOPICS) if m.data.name == name)
        return own.data
    if name in CORPORA and folder:
        return source_at(name, folder)
    known = ", ".join([*GENERATED, *(f"{name}=DIR" for name in CORPORA)])
    raise UserError(f"--data {named} is unknown: choose {known}")
