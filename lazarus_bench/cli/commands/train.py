"""Train a model with one of the recipes.

A training with the same model, seed and settings that is already in the store is reused, whoever
made it; an interrupted one is resumed.

Examples:
    lazarus-bench train dual-reward lab:llama --output adapters
    lazarus-bench train two-stage lab:llama --config config.yaml
    lazarus-bench train RECIPE --help

Exit codes:
    0  trained, now or before
    2  bad input: one sentence says what to fix, and nothing is trained
    130, 141  interrupted (the same command resumes), or the pipe was closed
"""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Callable, Container, Mapping
from types import GenericAlias
from typing import Annotated, Any

from cyclopts import App, Group, Parameter

from lazarus_bench.cli.application import actions
from lazarus_bench.cli.flags import Json, Line, StoreFolder, number, plot
from lazarus_bench.cli.train_settings import (
    Config,
    Flag,
    Settings,
    flags,
    read_config,
    recipes_of,
    training,
    trainings,
)
from lazarus_bench.errors import UserError
from lazarus_bench.models.precision import Dtype

_SETTINGS = Group("Settings", sort_key=3)


def run(
    name: str,
    model: Annotated[
        str | None,
        Parameter(
            metavar="MODEL",
            help="a Hugging Face id, a directory, or a lab name such as lab:llama (seed 0's "
            "artifact in the store); may be given in --config instead",
        ),
    ] = None,
    /,
    *,
    config: Annotated[
        str | None,
        Parameter(
            metavar="FILE.yaml",
            help="read settings from this file; flags on the command line override it",
        ),
    ] = None,
    output: Annotated[
        str | None,
        Parameter(
            metavar="DIR",
            help="copy the trained adapter or model to this folder, with its manifest and log "
            "(default: keep it in the store only); the folder must be empty or contain the "
            "same training",
        ),
    ] = None,
    seed: Annotated[
        int | None, number("seed of data, order and initial weights (default: 0)")
    ] = None,
    lab_seed: Annotated[
        int | None,
        number(
            "start from the lab model's base with this seed (default: 0, as in all "
            "commands; a claim's training with seed S starts from base S)"
        ),
    ] = None,
    dtype: Annotated[
        Dtype | None,
        Parameter(
            metavar="TYPE",
            help="train with base weights of this type: float32, bfloat16, float16, or auto, "
            "which is as stored, but float32 on a CPU where it fits (default: auto)",
        ),
    ] = None,
    plot: Annotated[str | None, plot("draw the training curves: loss and its parts")] = None,
    store: StoreFolder = None,
    as_json: Json = False,
    line: Line,
    **own: Any,
) -> int:
    """Train what a command line and its file ask for, or find it, and show how it went."""
    file = Config() if config is None else read_config(config, name)
    here = {
        "model": model,
        "output": output,
        "seed": seed,
        "lab_seed": lab_seed,
        "dtype": dtype,
        "plot": plot,
        "store": None if store is None else str(store),
    }
    common = {**file.common, **{key: value for key, value in here.items() if value is not None}}
    typed = _settings(name, own)
    if "model" not in common:
        raise UserError("no model was given: give one, such as lab:llama")
    from lazarus_bench.cli import trained

    trained.check_seeds(common)
    try:
        stages = recipes_of(name, file.settings, typed, common["model"])
    except UserError as error:
        sentence = _as_typed(name, own, str(error))
        raise UserError(_as_configured(name, config, file.settings, typed, sentence)) from None
    trained.train(name, stages, common, line, as_json=as_json)
    return 0


def _parameters(flag: Flag) -> dict[str, str]:
    """The names of the parameters of `train` that set it, each with its flag, the usual first."""
    first = flag.field.replace(".", "__") + "_"
    return {first + "_" * at: typed for at, typed in enumerate((flag.flag, *flag.habits))}


def _settings(name: str, own: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that were typed, by the fields of the flags."""
    found: dict[str, Any] = {}
    for flag in flags(name):
        given = {typed: own[key] for key, typed in _parameters(flag).items() if key in own}
        if len(given) > 1:
            raise UserError(f"{' and '.join(given)} set the same thing: give one of them")
        for value in given.values():
            found[flag.field] = _typed(flag, value)
    return found


def _as_typed(name: str, own: Mapping[str, Any], sentence: str) -> str:
    """A recipe's sentence on its settings, with the flags' names as they were typed."""
    called: dict[str, set[str]] = defaultdict(set)
    for flag in flags(name):
        for key, typed in _parameters(flag).items():
            if key in own:
                called[flag.flag].add(typed)
                called[re.sub("^--stage[0-9]-", "--", flag.flag)].add(typed)

    def spelt(found: re.Match[str]) -> str:
        names = called.get(found[0], set())
        return min(names) if len(names) == 1 else found[0]

    return re.sub(r"--[a-z][\w-]*", spelt, sentence)


def _as_configured(
    name: str, config: str | None, file: Settings, typed: Settings, sentence: str
) -> str:
    """The sentence with the file's key where it begins with a flag that only the file set."""
    begun = sentence.partition(" ")[0]
    for flag in flags(name):
        if flag.flag == begun and flag.field in file and flag.field not in typed:
            return f"{config}: {flag.key}{sentence.removeprefix(begun)}"
    return sentence


def _typed(flag: Flag, value: Any) -> Any:
    """A value as the spec has it; several integers are typed with commas between them."""
    if value is None and flag.default is not None:  # "none" is a value of every optional flag
        raise UserError(f"{flag.flag} none is no value: leave it out for the default")
    if not (flag.several and flag.type is int):
        return tuple(value) if flag.several else value
    try:
        return tuple(int(part) for part in value.split(",") if part)
    except ValueError:
        raise UserError(f"{flag.flag} {value!r} is not a list such as 0,100,300") from None


def actions_of(loaded: Container[str]) -> App:
    """`train` with its recipes; those in `loaded` are imported and have their flags."""
    app = actions()
    for name, first_line in trainings().items():
        app.command(_command(name) if name in loaded else App(help=first_line), name=name)
    return app


def _command(name: str) -> Callable[..., int]:
    """`run` for one training, with the flags of its recipe, and its help for a docstring."""

    def train(model: str | None = None, /, **given: Any) -> int:
        return run(name, model, **given)

    told = inspect.signature(run, eval_str=True).parameters.values()
    shared = [each for each in told if each.name not in ("name", "own")]
    own = [
        inspect.Parameter(
            key, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_hint(flag, typed)
        )
        for flag in flags(name)
        for key, typed in _parameters(flag).items()
    ]
    train.__signature__ = inspect.Signature([*shared, *own])  # type: ignore[attr-defined]
    train.__annotations__ = {each.name: each.annotation for each in (*shared, *own)}
    about = training(name)
    keys = ", ".join(sorted({key for flag in flags(name) for key in flag.keys}))
    examples = about.examples or (f"lazarus-bench train {name} MODEL",)
    also = f", and also: {keys}" if keys else ""
    parts = (
        inspect.cleandoc(about.about),
        "--config FILE.yaml takes the settings' names (learning_rate: 1e-4), model, seed and "
        f"output{also}. Levels may be nested (lora: {{rank: 8}}). A flag on the "
        "command line overrides the file.",
        "\n    ".join(["Examples:", *examples]),
        "Exit" + (__doc__ or "").partition("\nExit")[2],
    )
    train.__doc__ = "\n\n".join(parts)
    return train


def _hint(flag: Flag, typed: str) -> Any:
    """How a setting is read where it is `typed` so; the help lists its usual flag alone."""
    shown = typed == flag.flag
    about: dict[str, Any] = {"name": typed, "help": flag.told, "group": _SETTINGS, "show": shown}
    # Several integers are typed with commas between them.
    hint: Any = str if flag.several and flag.type is int else flag.type
    if flag.type is bool:
        about["negative"] = f"--no-{typed.removeprefix('--')}"
    else:
        about["metavar"] = flag.metavar
    if flag.several and flag.type is not int:
        hint = GenericAlias(list, (hint,))
    return Annotated[hint | None, Parameter(**about)]
