"""Flags and configuration keys of `lazarus-bench train`, derived from the recipes' fields."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from lazarus_bench.claims.subjects import BLANK
from lazarus_bench.errors import UserError

if TYPE_CHECKING:
    from lazarus_bench.training.recipe import Option, Recipe

Settings = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One training of a command.

    A configuration file may call it by `names`, the first one foremost; `folder` is its part of
    --output and the start of its flags, "" where it is the only stage. `preset` are settings that
    differ from the recipe's own, with their defaults in words in `usual` where a value tells too
    little; `without` are settings that are decided here.
    """

    recipe: type[Recipe]
    names: tuple[str, ...] = ()
    folder: str = ""
    preset: Settings = field(default_factory=dict)
    usual: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Training:
    """What `train NAME` does: its stages, each on the one before, and its help."""

    stages: tuple[Stage, ...]
    about: str
    examples: tuple[str, ...]
    names: tuple[str, ...]


_OWN: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "sft": ("Sft", ("sft", "lora")),
    "full": ("Sft", ("full", "full_finetune", "sft_full")),
    "dual-reward": ("DualReward", ("dual_reward",)),
    "grpo": ("Grpo", ("grpo",)),
    "grpo-dual": ("GrpoDual", ("grpo_dual", "grpo_dual_reward")),
    "two-stage": ("DualReward", ("two_stage", "two_stage_classifier")),
    "engram": ("Engram", ("engram", "dual_engram")),
    "jacobian-lens": ("JacobianLens", ("jacobian_lens",)),
    "tuned-lens": ("TunedLens", ("tuned_lens",)),
}
"""Our trainings: the recipe, and what a configuration file may call it."""

_ABOUT = {
    "full": """Fine-tune on `a op b = answer`, training every block.

    Supervised fine-tuning of every weight of every block; embeddings and the final norm are
    frozen.""",
    "two-stage": """Fine-tune, fuse, then train a light dual reward on the fused model.

    The adapter of `sft` is fused into the weights, and a light dual reward is trained on the fused
    model. --output gets stage1, fused and stage2; inspect the last with `lens DIR/fused ...
    --adapter DIR/stage2`.""",
}
_EXAMPLES = {
    "full": ("lazarus-bench train full lab:llama --output full_finetune",),
    "two-stage": (
        "lazarus-bench train two-stage lab:llama --output two_stage",
        "lazarus-bench train two-stage lab:llama --stage2-steps 200 --stage2-weight 0.8 \\",
        "    --stage2-learning-rate 1e-3",
    ),
}


def trainings() -> dict[str, str]:
    """What can be trained, each with the first line of its help: ours, then installed packages'.

    Our recipes are read and not imported, which takes a while.
    """
    docs = {name: _ABOUT.get(name) or _documented(own) for name, (own, _) in _OWN.items()}
    docs |= {name: recipe.__doc__ or name for name, recipe in _installed().items()}
    return {name: doc.partition("\n")[0] for name, doc in docs.items()}


def _documented(recipe: str) -> str:
    from lazarus_bench.training import HOMES

    file = Path(__file__).parents[1] / "training" / f"{HOMES[recipe]}.py"
    text = file.read_text(encoding="utf-8")
    found = re.search(rf'^class {recipe}\([^\n]*\n    r?"""(.*?)"""', text, re.M | re.S)
    return found[1] if found else recipe


def _installed() -> dict[str, type[Recipe]]:
    """The recipes of installed packages; ours are imported only where there is one."""
    if not importlib.metadata.entry_points(group="lazarus_bench", name="recipes"):
        return {}
    from lazarus_bench import training

    ours = f"{training.__name__}."
    known = training.known_recipes().items()
    return {kind.replace("_", "-"): r for kind, r in known if not r.__module__.startswith(ours)}


@cache
def training(name: str) -> Training:
    """What `train NAME` does, of the recipes that it trains alone."""
    from lazarus_bench import training as ours

    own, names = _OWN.get(name, ("", (name.replace("-", "_"),)))
    recipe: type[Recipe] = getattr(ours, own) if own else _installed()[name]
    stages: tuple[Stage, ...] = (Stage(recipe=recipe, names=names),)
    last = {"checkpoints": "0 and the last"}
    if name == "full":
        whole = Stage(
            recipe=recipe,
            names=names,
            preset={"full": True, "learning_rate": 1e-5, "usual_checkpoints": (0,)},
            usual=last,
            without=("targets", "rank", "alpha", "scale"),
        )
        stages = (whole,)
    elif name == "two-stage":
        first = Stage(
            recipe=ours.Sft,
            names=("sft", "lora"),
            folder="stage1",
            preset={"rank": 16, "scale": 2.0, "usual_checkpoints": (0,)},
            usual={**last, "alpha": "2 · rank", "scale": ""},
        )
        second = Stage(
            recipe=recipe,
            names=("dual_reward",),
            folder="stage2",
            preset={"rank": 8, "weight": 0.5, "learning_rate": 5e-5},
        )
        stages = (first, Stage(recipe=ours.Fuse, folder="fused"), second)
    return Training(
        stages=stages,
        about=_ABOUT.get(name) or recipe.__doc__ or recipe.kind,
        examples=_EXAMPLES.get(name) or recipe.examples_of_use,
        names=names,
    )


@dataclass(frozen=True, kw_only=True)
class Flag:
    """A setting as it is typed: `field` is its name in the settings.

    `type` is Python's of its value, or of each of `several`; integers have commas between them.
    """

    field: str
    type: Any
    several: bool
    default: Any
    option: Option
    key: str
    keys: tuple[str, ...]
    habits: tuple[str, ...]
    """Other flags for it, which the help does not list: `--lr` for `--learning-rate`."""

    @property
    def flag(self) -> str:
        """As it is typed."""
        return _as_flag(self.key)

    @property
    def metavar(self) -> str:
        """The value's placeholder in the help."""
        choices = () if self.several else get_args(self.type)
        usual = {int: "N,N" if self.several else "N", float: "X"}.get(self.type, "NAME")
        return "|".join(choices) or self.option.metavar or usual

    @property
    def told(self) -> str:
        """The help with the default."""
        shown = self.option.usual
        if shown is None and self.default not in (None, ()):
            shown = f"{self.default:g}" if isinstance(self.default, float) else str(self.default)
            shown = {"True": "on", "False": "off"}.get(shown, shown)
        return f"{self.option.help} (default: {shown})" if shown else self.option.help


def _as_flag(key: str) -> str:
    return f"--{key.replace('_', '-')}"


def _typed_as(hint: Any) -> tuple[Any, bool]:
    """The type of one value as it is typed, without bounds, and whether several may be given."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _typed_as(arguments[0])
    if origin is tuple:
        return _typed_as(arguments[0])[0], True
    if origin is None:
        return hint if hint in (int, float, bool) else str, False
    if origin is Literal:
        return hint, False
    return _typed_as(next(each for each in arguments if each is not NoneType))


@cache
def flags(name: str) -> tuple[Flag, ...]:
    """The flags of `train NAME`; of several stages --stage1-rank, in a file stage1: {rank: …}."""
    from lazarus_bench.training.recipe import options_of

    found = []
    for stage in training(name).stages:
        first = f"{stage.folder}." if stage.folder else ""
        for setting, (hint, default, option) in options_of(stage.recipe).items():
            if setting in stage.without or stage.folder == "fused":
                continue
            key, start = option.name or setting, f"{stage.folder}_" if stage.folder else ""
            others = (key, *option.aliases) if stage.folder else option.aliases
            usual = stage.usual.get(setting, None if setting in stage.preset else option.usual)
            kind, several = _typed_as(hint)
            flag = Flag(
                field=first + setting,
                type=kind,
                several=several,
                default=stage.preset.get(setting, default),
                option=replace(option, usual=usual),
                key=start + key,
                keys=tuple(first + other for other in others),
                habits=tuple(_as_flag(start + a) for a in option.aliases if "." not in a),
            )
            found.append(flag)
    return tuple(found)


def merged(first: Settings, second: Settings, recipe: type[Recipe]) -> dict[str, Any]:
    """The settings of both; the `second` win, also over another way of saying the same."""
    pairs = [(name, option.instead) for name, option in recipe.also.items() if option.instead]
    over = {one for pair in pairs for one in pair if set(pair) & set(second)}
    return {**{name: value for name, value in first.items() if name not in over}, **second}


def recipes_of(name: str, file: Settings, given: Settings, model: str) -> list[tuple[str, Recipe]]:
    """The trainings of `train NAME`, each on the one before, with the folder of --output for each.

    Settings of the command line (`given`) win over those of the `file`.
    """
    made = []
    for stage in training(name).stages:
        settings: dict[str, Any] = dict(stage.preset)
        for source in (file, given):
            start = f"{stage.folder}." if stage.folder else ""
            own = {key.removeprefix(start): v for key, v in source.items() if key.startswith(start)}
            settings = merged(settings, own, stage.recipe)
        try:
            made.append((stage.folder, stage.recipe.from_settings(settings, blank=model == BLANK)))
        except UserError as error:
            raise UserError(with_flags(name, str(error))) from error
    return made


_FIELD = re.compile(r"^(?P<spec>\w+)\.(?P<field>\w+) = (?:\((?P<several>[^)]*?),?\))?")
_TUPLE = re.compile(r"(?<=such as )\((.*?),?\)")
_PAIR = re.compile(r"^(?P<spec>\w+)\((?P<one>\w+)=[^,)]+, (?P<other>\w+)=[^)]+\)")


def with_flags(name: str, sentence: str) -> str:
    """A spec's sentence about its fields, with their flags in the fields' places."""

    def flag(spec: str, setting: str) -> str | None:
        stages = training(name).stages
        folder = next((s.folder for s in stages if s.recipe.__name__ == spec), "")
        wanted = (f"{folder}." if folder else "") + {"train": "examples"}.get(setting, setting)
        return next((each.flag for each in flags(name) if each.field == wanted), None)

    if pair := _PAIR.match(sentence):
        one, other = flag(pair["spec"], pair["one"]), flag(pair["spec"], pair["other"])
        return f"{one} with {other}{sentence[pair.end() :]}" if one and other else sentence
    found = _FIELD.match(sentence)
    own = found and flag(found["spec"], found["field"])
    if not (found and own):
        return sentence
    said = sentence[found.end() :].replace(" or None", ", or left out")
    said = _TUPLE.sub(lambda it: it[1].replace(" ", ""), said.replace("a tuple, each item", "each"))
    return f"{own} = {(found['several'] or '').replace(' ', '')}{said}"


COMMON: Mapping[str, tuple[str, ...]] = {
    "model": ("model_name", "model_id"),
    "seed": (),
    "lab_seed": (),
    "output": ("output_dir", "adapter_path"),
    "dtype": (),
    "plot": (),
    "store": (),
}
"""What every recipe takes in a configuration file, with its other names."""

_METHOD_KEYS = ("method", "recipe", "fine_tune_type")

_FIXED: Mapping[str, tuple[Any, str]] = {
    "train": (True, "this command trains"),
    "num_layers": (-1, "LoRA goes on every block"),
    "lora_layers": (-1, "LoRA goes on every block"),
    "lora_dropout": (0, "LoRA is trained without dropout"),
    "lora.dropout": (0, "LoRA is trained without dropout"),
    "lora_parameters.dropout": (0, "LoRA is trained without dropout"),
}
"""Keys of mlx-lm's that have one value here, with the reason."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What a file says: `common` by `COMMON`'s names, `settings` by the fields of the flags."""

    common: Settings = field(default_factory=dict)
    settings: Settings = field(default_factory=dict)


def read_config(named: str, recipe: str) -> Config:
    """The settings in a file, for `train RECIPE`."""
    from lazarus_bench.cli.inputs import read_yaml

    content = read_yaml(named)
    if content is not None and not isinstance(content, Mapping):
        raise UserError(f"--config {named} has no keys: write one per line, such as steps: 500")
    names: dict[str, str | Flag] = {
        key: name for name, others in COMMON.items() for key in (name, *others)
    }
    for flag in flags(recipe):
        names |= dict.fromkeys((flag.key, *flag.keys), flag)
    common: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    seen: dict[str, str] = {}
    for key, value in _flat(content or {}):
        if value is not None and _passed(named, recipe, key, value, names):
            continue
        if key not in names and not (value is None and _without_value(key, names)):
            raise UserError(
                f"{named}: the key {key} is unknown to `train {recipe}`: the nearest known one is "
                f"{_nearest(key, names)} (`lazarus-bench train {recipe} --help` lists them)"
            )
        if value is None:
            continue
        found = names[key]
        target = found if isinstance(found, str) else found.field
        if target in seen:
            raise UserError(
                f"{named} sets the same thing twice, as {seen[target]} and as {key}: leave one out"
            )
        seen[target] = key
        if not isinstance(found, str):
            settings[target] = _value(f"{named}: {key}", found, value)
        else:
            kind = int if found in ("seed", "lab_seed") else str
            common[target] = _fitting(f"{named}: {key}", kind, value)
    return Config(common=common, settings=settings)


def _flat(content: Mapping[Any, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Keys with dots between the levels, `-` as `_`; one with nothing below has None."""
    for key, value in content.items():
        name = above + str(key).replace("-", "_")
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{name}.")
        else:
            yield name, None if isinstance(value, Mapping) else value


def _passed(named: str, recipe: str, key: str, value: Any, names: Mapping[str, Any]) -> bool:
    """Whether a key says what holds anyway."""
    what = training(recipe)
    folder, _, last = key.rpartition(".")
    staged = {"": what.names} | {s.folder: s.names for s in what.stages if s.folder}
    if last in _METHOD_KEYS and staged.get(folder):
        if str(value).lower().replace("-", "_") in staged[folder]:
            return True
        raise UserError(
            f"{named}: {key}: {value} is not what `train {recipe}` does there: give "
            f"{staged[folder][0]}, or take another recipe ({', '.join(trainings())})"
        )
    first = key.partition(".")[0]
    short = key.removeprefix(f"{first}.") if first in staged else key
    if short not in _FIXED:
        return False
    only, why = _FIXED[short]
    if value != only or isinstance(value, bool) is not isinstance(only, bool):
        raise UserError(
            f"{named}: {key}: {value} cannot be honoured, as {why}: give {only} or leave it out; "
            f"the nearest known key is {_nearest(key, names)}"
        )
    return True


def _without_value(key: str, names: Mapping[str, Any]) -> bool:
    """Whether a key that is no setting's may stand there with no value."""
    last = key.rpartition(".")[2]
    sections = (name.startswith(f"{key}.") for name in names)
    return last in _METHOD_KEYS or any(sections) or any(key.endswith(name) for name in _FIXED)


def _nearest(key: str, names: Mapping[str, Any]) -> str:
    """The likest name, at the same level where one is like it at all."""
    from difflib import get_close_matches

    known = list(names)
    return (get_close_matches(key, known, 1) or get_close_matches(key, known, 1, 0.0))[0]


def _value(place: str, flag: Flag, value: Any) -> Any:
    """A value of the flag's kind, as the command line would give it."""
    if flag.several and not isinstance(value, list):
        value = [value]
    elif flag.type is float and isinstance(value, str):
        with suppress(ValueError):
            value = float(value)  # YAML 1.1 reads 1e-4, which has no point, as text
    elif flag.type not in (int, float, bool) and isinstance(value, bool):
        value = str(value).lower()  # YAML reads true as a truth value, where it is a word
    kind: Any = flag.type
    return _fitting(place, tuple[kind, ...] if flag.several else kind, value)


def _fitting(place: str, kind: Any, value: Any) -> Any:
    from lazarus_bench.codec import from_plain  # cattrs is slow to import, and help needs none

    try:
        return from_plain(value, kind, place)
    except ValueError as error:
        raise UserError(f"{error}: change it there, or leave it out") from error
