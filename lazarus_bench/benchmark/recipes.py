"""Speed and memory of every recipe on one model: training tok/s, and peaks of its own process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lazarus_bench.benchmark.alone import Weighed, weighed
from lazarus_bench.benchmark.document import Reading
from lazarus_bench.errors import NotApplicable
from lazarus_bench.judge.rounds import Interval, median
from lazarus_bench.models.files import read_config
from lazarus_bench.tasks.labelled_data import DataSource
from lazarus_bench.training import (
    DualReward,
    Engram,
    Grpo,
    GrpoDual,
    Instruct,
    Pretrain,
    Recipe,
    Sft,
)

GROUP = "recipe"

MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class Timed:
    """A recipe to be timed: its spec for so many steps, and which models it is for.

    `lab` recipes read the lab's own corpus, so they need its tokenizer.
    """

    spec: Callable[[int], Recipe]
    lab: bool = False


RECIPES: Mapping[str, Timed] = {
    "pretraining": Timed(spec=lambda n: Pretrain(steps=n), lab=True),
    "instruction tuning": Timed(spec=lambda n: Instruct(steps=n), lab=True),
    "SFT, LoRA": Timed(spec=lambda n: Sft(steps=n, examples=400, validation=8, checkpoints=())),
    "SFT, full": Timed(
        spec=lambda n: Sft(
            full=True, steps=n, examples=400, validation=8, checkpoints=(), learning_rate=1e-5
        )
    ),
    "dual reward": Timed(spec=lambda n: DualReward(steps=n, examples=400)),
    "GRPO": Timed(spec=lambda n: Grpo(iterations=n, examples=400)),
    "GRPO + dual reward": Timed(spec=lambda n: GrpoDual(iterations=n, examples=400)),
    "engram": Timed(spec=lambda n: Engram(data=DataSource(train=Engram.batch * n), epochs=1)),
}
"""Every recipe that takes steps, as claims use it but for the number of steps and of examples."""


def applies(recipe: Timed, *, lab: bool) -> bool:
    """Whether a recipe is for a model of the lab's tokenizer (`lab`) or of another."""
    return lab or not recipe.lab


def task_of(name: str, model: Path, steps: int) -> tuple[Recipe, Path | None]:
    """Recipe `name` for so many steps, and what it starts from, so that it is of the `model`.

    Raises:
        UserError: the model's configuration cannot be read.
    """
    recipe = RECIPES[name]
    spec = recipe.spec(steps)
    if not isinstance(spec, Pretrain):
        return spec, model
    family = str(read_config(model)["model_type"]).replace("_", "-")
    return replace(spec, family=family), None


def readings_of(name: str, found: Weighed) -> Iterator[Reading]:
    """What a training in its own process gives: speed, allocator's and process's peak."""
    yield Reading(
        group=GROUP,
        name=name,
        unit="training tok/s",
        found=median(found.rates),
        rounds=len(found.rates),
    )
    for unit, size in (
        ("MiB, allocator", found.allocated),
        ("MiB, process", found.resident),
        ("MiB, process beyond its modules", found.resident - found.before),
    ):
        value = max(size, 1) / MIB
        once = Interval(value=value, low=value, high=value)
        yield Reading(
            group=GROUP, name=name, unit=unit, found=once, rounds=1, bigger_is_better=False
        )


def measure_recipe(name: str, base: Path, steps: int) -> list[Reading]:
    """The readings of one recipe on the model in `base`.

    Raises:
        NotApplicable: the recipe is not for this model.
    """
    return list(readings_of(name, weighed(name, base, steps)))


def measure_recipes(
    base: Path, *, lab: bool, steps: int = 20
) -> tuple[list[Reading], dict[str, str]]:
    """The readings of all recipes that are for this model, and why others are left out.

    One whose process ends early, as for want of memory, costs the others nothing.
    """
    found: list[Reading] = []
    skipped: dict[str, str] = {}
    for name, recipe in RECIPES.items():
        if not applies(recipe, lab=lab):
            skipped[name] = "it reads the lab's corpus, which is for the lab's tokenizer"
            continue
        try:
            found += measure_recipe(name, base, steps)
        except (NotApplicable, RuntimeError) as error:
            skipped[name] = str(error)
    return found, skipped
