"""--config FILE.yaml: a configuration of the writeups' or of mlx-lm's, as settings of a recipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from lazarus_bench.cli.config_file import read_yaml
from lazarus_bench.cli.train_flags import FLAGS
from lazarus_bench.cli.train_setting import Flag
from lazarus_bench.errors import UserError

COMMON: Mapping[str, tuple[str, ...]] = {
    "model": ("model_name", "model_id"),
    "seed": (),
    "lab_seed": (),
    "output": ("output_dir", "adapter_path"),
    "plot": (),
}
"""What every recipe takes, with its other names."""

METHODS: Mapping[str, tuple[str, ...]] = {
    "sft": ("sft", "lora"),
    "full": ("full", "full_finetune", "sft_full"),
    "dual-reward": ("dual_reward",),
    "grpo": ("grpo",),
    "grpo-dual": ("grpo_dual", "grpo_dual_reward"),
    "two-stage": ("two_stage", "two_stage_classifier"),
    "engram": ("engram", "dual_engram"),
}
"""What a file may call each recipe, where it says which it is for."""

_METHOD_KEYS = ("method", "recipe", "fine_tune_type")
_STAGES = {"stage1": "sft", "stage2": "dual-reward"}

_FIXED: Mapping[str, tuple[Any, str]] = {
    "train": (True, "this command trains"),
    "num_layers": (-1, "LoRA goes on every block"),
    "lora_layers": (-1, "LoRA goes on every block"),
    "lora_dropout": (0, "LoRA is trained without dropout"),
    "lora.dropout": (0, "LoRA is trained without dropout"),
    "lora_parameters.dropout": (0, "LoRA is trained without dropout"),
}
"""Keys that have one value here, with the reason."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What a file says: `common` by `COMMON`'s names, `settings` by the fields of the flags."""

    common: Mapping[str, Any]
    settings: Mapping[str, Any]


def read_config(named: str, recipe: str) -> Config:
    """The settings in a file, for `recipe`.

    Raises:
        UserError: it cannot be read, has a key that nothing knows or a value that cannot be
            honoured, or says one thing twice.
    """
    common: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    names = _names(recipe)
    seen: dict[str, str] = {}
    for key, value in _flat(_read(named)):
        if value is not None and _passed(named, recipe, key, value):
            continue
        if key not in names and not (value is None and _without_value(key, names)):
            raise UserError(_unknown(named, recipe, key, names))
        if value is None:
            continue
        found = names[key]
        target = found if isinstance(found, str) else found.field
        if target in seen:
            raise UserError(
                f"{named} says the same twice, as {seen[target]} and as {key}: leave one out"
            )
        seen[target] = key
        if isinstance(found, str):
            common[found] = _common(named, key, found, value)
        else:
            settings[found.field] = _value(named, key, found, value)
    return Config(common=common, settings=settings)


def _names(recipe: str) -> dict[str, str | Flag]:
    """Everything that a key may be: a name of `COMMON`, or a flag."""
    names: dict[str, str | Flag] = {}
    for name, others in COMMON.items():
        names |= dict.fromkeys((name, *others), name)
    for flag in FLAGS[recipe]:
        names |= dict.fromkeys((flag.key, *flag.keys), flag)
    return names


def _read(named: str) -> Mapping[Any, Any]:
    content = read_yaml(named)
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        raise UserError(f"--config {named} has no keys: write one a line, such as steps: 500")
    return content


def _flat(content: Mapping[Any, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Keys with dots between the levels, `-` as `_`; one with nothing below has None."""
    for key, value in content.items():
        name = above + str(key).replace("-", "_")
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{name}.")
        elif isinstance(value, Mapping):
            yield name, None
        else:
            yield name, value


def _passed(named: str, recipe: str, key: str, value: Any) -> bool:
    """Whether a key says what holds anyway.

    Raises:
        UserError: it says something else.
    """
    stage, _, last = key.rpartition(".")
    asked = _STAGES.get(stage, recipe) if recipe == "two-stage" else recipe
    if last in _METHOD_KEYS and stage in ("", *_STAGES):
        if str(value).lower().replace("-", "_") in METHODS[asked]:
            return True
        raise UserError(
            f"{named}: {key}: {value} is not what `train {recipe}` does there: give "
            f"{METHODS[asked][0]}, or take another recipe ({', '.join(FLAGS)})"
        )
    short = key.removeprefix("stage1.").removeprefix("stage2.") if recipe == "two-stage" else key
    if short not in _FIXED:
        return False
    only, why = _FIXED[short]
    if value != only or isinstance(value, bool) is not isinstance(only, bool):
        raise UserError(
            f"{named}: {key}: {value} cannot be honoured, as {why}: give {only} or leave it out; "
            f"the nearest known key is {_nearest(key, _names(recipe))}"
        )
    return True


def _without_value(key: str, names: Mapping[str, Any]) -> bool:
    """Whether a key that is no setting's may stand there with no value."""
    last = key.rpartition(".")[2]
    sections = (name.startswith(f"{key}.") for name in names)
    return last in _METHOD_KEYS or any(sections) or any(key.endswith(name) for name in _FIXED)


def _unknown(named: str, recipe: str, key: str, names: Mapping[str, Any]) -> str:
    return (
        f"{named}: the key {key} is unknown to `train {recipe}`: the nearest known one is "
        f"{_nearest(key, names)} (`lazarus-bench train {recipe} --help` lists them)"
    )


def _nearest(key: str, names: Mapping[str, Any]) -> str:
    """The likest name, at the same level where one is like it at all."""
    for cutoff in (0.6, 0.0):
        found = get_close_matches(key, list(names), n=1, cutoff=cutoff)
        if found:
            return found[0]
    return next(iter(names))


def _common(named: str, key: str, what: str, value: Any) -> Any:
    if what in ("seed", "lab_seed"):
        return _integer(named, key, value)
    if not isinstance(value, str):
        raise UserError(f"{named}: {key}: {value!r} must be text")
    return value


def _value(named: str, key: str, flag: Flag, value: Any) -> Any:
    """A value of the flag's kind, as the command line would give it."""
    if flag.many:
        several = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        return [_text(named, key, flag, item) for item in several]
    match flag.kind:
        case "integer":
            return _integer(named, key, value)
        case "number":
            return _number(named, key, value)
        case "switch":
            if not isinstance(value, bool):
                raise UserError(f"{named}: {key}: {value!r} must be true or false")
            return value
        case "integers":
            several = value if isinstance(value, list) else [value]
            return tuple(_integer(named, key, item) for item in several)
        case "text":
            return _text(named, key, flag, value)


def _integer(named: str, key: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise UserError(f"{named}: {key}: {value!r} must be an integer")
    return value


def _number(named: str, key: str, value: Any) -> float:
    try:
        # YAML 1.1 reads 1e-4, which has no point, as text.
        # A truth value is an integer to Python; dates and lists are none to anybody.
        known = isinstance(value, int | float | str) and not isinstance(value, bool)
        return float(value if known else "no")
    except ValueError:
        raise UserError(f"{named}: {key}: {value!r} must be a number") from None


def _text(named: str, key: str, flag: Flag, value: Any) -> str:
    # YAML reads true as a truth value, where it is a word.
    word: object = str(value).lower() if isinstance(value, bool) else value
    if not isinstance(word, str):
        raise UserError(f"{named}: {key}: {value!r} must be text")
    if flag.choices and word not in flag.choices:
        raise UserError(f"{named}: {key}: {word} is unknown: choose {', '.join(flag.choices)}")
    return word
