"""Speed and memory of every recipe on one model, each trained in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from lazarus_bench.benchmark.document import Reading
from lazarus_bench.errors import NotApplicable
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
from lazarus_bench.training.apart import weighed

GROUP = "recipe"
MIB = 2**20

SETTLING = 3
"""First steps that do not count."""

RECIPES: Mapping[str, Callable[[int], Recipe]] = {
    "pretraining": lambda n: Pretrain(steps=n),
    "instruction tuning": lambda n: Instruct(steps=n),
    "SFT, LoRA": lambda n: Sft(steps=n, examples=400, validation=8, checkpoints=()),
    "SFT, full": lambda n: Sft(
        full=True, steps=n, examples=400, validation=8, checkpoints=(), learning_rate=1e-5
    ),
    "dual reward": lambda n: DualReward(steps=n, examples=400),
    "GRPO": lambda n: Grpo(iterations=n, examples=400),
    "GRPO + dual reward": lambda n: GrpoDual(iterations=n, examples=400),
    "engram": lambda n: Engram(data=DataSource(train=Engram.batch * n), epochs=1),
}
"""Every recipe that takes steps, as claims use it but for the number of steps and of examples."""

OF_THE_LAB = ("pretraining", "instruction tuning")
"""Recipes that read the lab's own corpus, so they need its tokenizer."""


def task_of(name: str, model: Path, steps: int, *, lab: bool) -> tuple[Recipe, Path | None]:
    """Recipe `name` for so many steps, and the base from which it makes a model like `model`.

    Raises:
        NotApplicable: it reads the lab's corpus, and the model's tokenizer is another (not `lab`).
        UserError: the model's configuration cannot be read.
    """
    if name in OF_THE_LAB and not lab:
        raise NotApplicable("it reads the lab's corpus, which is for the lab's tokenizer")
    spec = RECIPES[name](steps)
    if not isinstance(spec, Pretrain):
        return spec, model
    family = str(read_config(model)["model_type"]).replace("_", "-")
    return replace(spec, family=family), None


def measure_recipe(name: str, base: Path, *, lab: bool, steps: int) -> Iterator[Reading]:
    """Speed, the allocator's peak and the process's peak of recipe `name` on the model in `base`.

    Raises:
        NotApplicable, UserError: as `task_of`, or the recipe does.
        ProcessError: its process fell.
    """
    spec, start = task_of(name, base, steps + SETTLING, lab=lab)
    found = weighed(name, spec, start, 100)
    yield Reading.of(GROUP, name, "training tok/s", found.rates[SETTLING:])
    for unit, size in (
        ("MiB, allocator", found.allocated),
        ("MiB, process", found.resident),
        ("MiB, process beyond its modules", found.resident - found.before),
    ):
        yield Reading.of(GROUP, name, unit, [max(size, 1) / MIB], more=False)
