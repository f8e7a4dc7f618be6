"""Experiments: one by its name, and its settings held against what claims register.

A claim's recipe is part of what was registered, so a setting chooses among the experiment's claims
and changes none of them: those whose trainings have it are kept, and one that no training has is
refused with the values that there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lazarus_bench.claims.claim import Claim, recipes_of
from lazarus_bench.claims.claim_files import nearest
from lazarus_bench.claims.experiments import Experiment
from lazarus_bench.errors import UserError
from lazarus_bench.training import DualReward, Engram, Grpo, Recipe, Sft

TRAINED_SHARE = 0.9
"""The part of the writeups' problems that is trained on (A, *Training Data*)."""

Read = Callable[[Any], object]


def _field(name: str) -> Read:
    return lambda recipe: getattr(recipe, name)


def _alpha(recipe: Sft) -> float:
    return recipe.scale * recipe.rank


def _problems(recipe: Sft) -> int:
    return round(recipe.examples / TRAINED_SHARE)


def _steps(recipe: Sft) -> list[int]:
    return [step for step in recipe.checkpoints if step > 0]


_COMMON: Mapping[str, Read] = {
    "learning_rate": _field("learning_rate"),
    "lora.rank": _field("rank"),
}

KEYS: Mapping[type[Recipe], Mapping[str, Read]] = {
    Sft: {
        **_COMMON,
        "method": lambda _: "sft",
        "max_steps": _field("steps"),
        "steps": _steps,
        "problems": _problems,
        "batch_size": _field("batch"),
        "lora.alpha": _alpha,
        "lora.targets": _field("targets"),
        "full": _field("full"),
    },
    DualReward: {
        **_COMMON,
        "method": lambda _: "dual_reward",
        "max_steps": _field("steps"),
        "batch_size": _field("batch"),
        "classifier_weight": _field("weight"),
        "lora.alpha": lambda recipe: recipe.alpha or 2 * recipe.rank,
        "lora.targets": _field("targets"),
    },
    Grpo: {
        **_COMMON,
        "method": lambda recipe: recipe.kind,
        "iterations": _field("iterations"),
        "prompts_per_iteration": _field("prompts"),
        "group_size": _field("answers"),
        "kl_coef": _field("kl"),
        "clip": _field("clip"),
    },
    Engram: {
        **_COMMON,
        "method": lambda _: "engram",
        "epochs": _field("epochs"),
        "batch_size": _field("batch"),
        "lm_weight": _field("lm_weight"),
        "lora.alpha": _alpha,
    },
}
"""What a configuration calls the parameters of a recipe and of those that are made from it."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting as it was given: `given` is how, `value` is for `key` of recipes of a `kind`."""

    given: str
    kind: str
    key: str
    value: object


def experiment_named(name: str, experiments: Sequence[Experiment]) -> Experiment:
    """The one of `experiments` that is called `name`, or has it as an alias.

    Raises:
        UserError: there is none, with the nearest names.
    """
    for experiment in experiments:
        if name in (experiment.name, *experiment.aliases):
            return experiment
    raise UserError(
        f"no experiment is called {name}{nearest(name, [e.name for e in experiments])}: "
        f"`lazarus-bench experiment list` lists them"
    )


def trains(claim: Claim) -> bool:
    """Whether a claim reads anything that is trained for it."""
    return bool(_trained(claim))


def keys_of(kind: str) -> Mapping[str, Read]:
    """The keys of a recipe's kind."""
    return next((k for made, k in KEYS.items() if kind.startswith(made.kind)), {})


def settings_of(experiment: Experiment, config: Mapping[str, Any]) -> list[Setting]:
    """The settings in the sections of a configuration.

    Raises:
        UserError: there is no such section, or no such key in it.
    """
    found = []
    for section, content in config.items():
        kind = experiment.sections.get(section)
        if kind is None or not isinstance(content, Mapping):
            known = ", ".join(experiment.sections) or "none"
            raise UserError(
                f"{experiment.name} has no section {section!r} with settings: its sections are "
                f"{known}; leave the others out"
            )
        found += [_setting(section, kind, key, value) for key, value in _flat(content)]
    return found


def _flat(content: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, object]]:
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _setting(section: str, kind: str, key: str, value: object) -> Setting:
    known = keys_of(kind)
    if key not in known:
        raise UserError(
            f"{section}.{key} is no setting here: choose from {', '.join(known)}, or leave it out"
        )
    return Setting(given=f"{section}.{key}", kind=kind, key=key, value=value)


def having(claims: Iterable[Claim], settings: Iterable[Setting]) -> tuple[Claim, ...]:
    """Those of `claims` whose trainings have all `settings`, each asked of its own kind alone.

    Raises:
        UserError: no training of theirs has a setting, or none has all of them.
    """
    kept, settings = tuple(claims), tuple(settings)
    for setting in settings:
        values = [_value(r, setting) for claim in kept for r in _of_kind(claim, setting.kind)]
        if not any(_same(value, setting.value) for value in values):
            raise UserError(_refusal(setting, values))
    found = tuple(claim for claim in kept if _has(claim, settings))
    for kind in dict.fromkeys(setting.kind for setting in settings):
        if not any(_of_kind(claim, kind) for claim in found):
            together = ", ".join(f"{s.given} {s.value}" for s in settings if s.kind == kind)
            raise UserError(
                f"no registered training has all of {together}: leave one out, or train it by "
                f"itself with `lazarus-bench train`"
            )
    return found


def _has(claim: Claim, settings: tuple[Setting, ...]) -> bool:
    """Whether one of a claim's needs has every setting in each recipe that it is of."""
    chains = [recipes_of(need) for need in claim.trainings] or [()]
    return any(
        all(_same(_value(r, s), s.value) for s in settings for r in chain if r.kind == s.kind)
        for chain in chains
    )


def _trained(claim: Claim) -> tuple[Recipe, ...]:
    return tuple(recipe for need in claim.trainings for recipe in recipes_of(need))


def _of_kind(claim: Claim, kind: str) -> list[Recipe]:
    return [recipe for recipe in _trained(claim) if recipe.kind == kind]


def _value(recipe: Recipe, setting: Setting) -> object:
    return keys_of(setting.kind)[setting.key](recipe)


def _same(registered: object, given: object) -> bool:
    """Equal numbers are equal whatever their type; a number in quotes is none."""
    both = (int, float)
    if isinstance(registered, both) and isinstance(given, both):
        return abs(registered - given) <= 1e-9 * max(abs(registered), abs(given))
    return registered == given


def _refusal(setting: Setting, values: Iterable[object]) -> str:
    there = ", ".join(dict.fromkeys(str(value) for value in values)) or "nothing"
    return (
        f"{setting.given} {setting.value} is not what the claims register, which is {there}: a "
        f"training with other settings is another experiment; train it by itself with "
        f"`lazarus-bench train`, or register a claim of your own"
    )
