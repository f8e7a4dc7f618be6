"""Experiments: one by its name, and its settings held against what claims register.

A claim's recipe is part of what was registered, so a setting chooses among the experiment's claims
and changes none of them: those whose trainings have it are kept, and one that no training has is
refused with the values that there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from lazarus_bench.claims.claim import Claim, recipes_of
from lazarus_bench.claims.claim_files import nearest
from lazarus_bench.claims.experiments import Experiment
from lazarus_bench.errors import UserError
from lazarus_bench.training import DualReward, Engram, Grpo, Recipe, Sft

TRAINED_SHARE = 0.9
"""The part of the writeups' problems that is trained on (A, *Training Data*)."""

Read = Callable[[Any], object]


def _scaled(recipe: Sft | Engram) -> float:
    return recipe.scale * recipe.rank


_COMMON: Mapping[str, Read] = {
    "learning_rate": attrgetter("learning_rate"),
    "lora.rank": attrgetter("rank"),
}

KEYS: Mapping[type[Recipe], Mapping[str, Read]] = {
    Sft: {
        **_COMMON,
        "method": lambda _: "sft",
        "max_steps": attrgetter("steps"),
        "steps": lambda recipe: [step for step in recipe.checkpoints if step > 0],
        "problems": lambda recipe: round(recipe.examples / TRAINED_SHARE),
        "batch_size": attrgetter("batch"),
        "lora.alpha": _scaled,
        "lora.targets": attrgetter("targets"),
        "full": attrgetter("full"),
    },
    DualReward: {
        **_COMMON,
        "method": lambda _: "dual_reward",
        "max_steps": attrgetter("steps"),
        "batch_size": attrgetter("batch"),
        "classifier_weight": attrgetter("weight"),
        "lora.alpha": lambda recipe: recipe.alpha or 2 * recipe.rank,
        "lora.targets": attrgetter("targets"),
    },
    Grpo: {
        **_COMMON,
        "method": attrgetter("kind"),
        "iterations": attrgetter("iterations"),
        "prompts_per_iteration": attrgetter("prompts"),
        "group_size": attrgetter("answers"),
        "kl_coef": attrgetter("kl"),
        "clip": attrgetter("clip"),
    },
    Engram: {
        **_COMMON,
        "method": lambda _: "engram",
        "epochs": attrgetter("epochs"),
        "batch_size": attrgetter("batch"),
        "lm_weight": attrgetter("lm_weight"),
        "lora.alpha": _scaled,
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

    def of(self, recipe: Recipe) -> object:
        """What `recipe` has for it."""
        return keys_of(self.kind)[self.key](recipe)


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
    return any(map(recipes_of, claim.trainings))


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
        known = keys_of(kind)
        for key, value in _flat(content):
            if key not in known:
                raise UserError(
                    f"{section}.{key} is no setting here: choose from {', '.join(known)}, or leave "
                    f"it out"
                )
            found.append(Setting(given=f"{section}.{key}", kind=kind, key=key, value=value))
    return found


def _flat(content: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, object]]:
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def having(claims: Iterable[Claim], settings: Iterable[Setting]) -> tuple[Claim, ...]:
    """Those of `claims` whose trainings have all `settings`, each asked of its own kind alone.

    Raises:
        UserError: no training of theirs has a setting, or none has all of them.
    """
    kept, settings = tuple(claims), tuple(settings)
    for setting in settings:
        values = [setting.of(r) for claim in kept for r in _of_kind(claim, setting.kind)]
        if not any(_same(value, setting.value) for value in values):
            there = ", ".join(dict.fromkeys(map(str, values))) or "nothing"
            raise UserError(
                f"{setting.given} {setting.value} is not what the claims register, which is "
                f"{there}: a training with other settings is another experiment; train it by "
                f"itself with `lazarus-bench train`, or register a claim of your own"
            )
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
        all(_same(s.of(r), s.value) for s in settings for r in chain if r.kind == s.kind)
        for chain in chains
    )


def _of_kind(claim: Claim, kind: str) -> list[Recipe]:
    return [r for need in claim.trainings for r in recipes_of(need) if r.kind == kind]


def _same(registered: object, given: object) -> bool:
    """Equal numbers are equal whatever their type; a number in quotes is none."""
    both = (int, float)
    if isinstance(registered, both) and isinstance(given, both):
        return abs(registered - given) <= 1e-9 * max(abs(registered), abs(given))
    return registered == given
