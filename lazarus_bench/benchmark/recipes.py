"""Speed and memory of every recipe on one model, each trained in a process of its own.

A process has one peak of resident memory, so each training that is to be weighed gets its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lazarus_bench.benchmark.document import Reading
from lazarus_bench.benchmark.meters import peak_since_start
from lazarus_bench.codec import from_plain, to_plain
from lazarus_bench.errors import NotApplicable, UserError
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

SETTLING = 3
"""First steps that do not count."""

REFUSALS = {error.__name__: error for error in (UserError, NotApplicable)}


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


def applies(name: str, *, lab: bool) -> bool:
    """Whether recipe `name` fits a model of the lab's tokenizer (`lab`) or of another."""
    return lab or name not in OF_THE_LAB


def task_of(name: str, model: Path, steps: int) -> tuple[Recipe, Path | None]:
    """Recipe `name` for so many steps, and the base from which it makes a model like `model`.

    UserError if the model's configuration cannot be read.
    """
    spec = RECIPES[name](steps)
    if not isinstance(spec, Pretrain):
        return spec, model
    family = str(read_config(model)["model_type"]).replace("_", "-")
    return replace(spec, family=family), None


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """Tokens a second of every step that counts, and peaks in bytes.

    `allocated` is mlx's allocator's; `resident` the whole process's, `before` the same when all
    modules were loaded and nothing was read yet.
    """

    rates: tuple[float, ...]
    allocated: int
    resident: int
    before: int


def begin(name: str, base: Path, steps: int) -> subprocess.Popen[str]:
    """Start the process of recipe `name`, one of `RECIPES`, on the model in `base`."""
    task = json.dumps({"name": name, "base": str(base), "steps": steps})
    command = [sys.executable, "-m", "lazarus_bench.benchmark.recipes", task]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(name: str, process: subprocess.Popen[str]) -> Weighed:
    """Wait for the process and read its result.

    Raises:
        UserError, NotApplicable: the recipe does.
        RuntimeError: it ended without a result.
    """
    said, complained = process.communicate()
    lines = said.splitlines()
    if process.returncode or not lines:
        last = (complained.splitlines() or ["it said nothing"])[-1]
        raise RuntimeError(
            f"{name}: its process ended with {process.returncode} and no result: {last}"
        )
    answer = json.loads(lines[-1])
    if "refusal" in answer:
        raise REFUSALS[answer["refusal"]](answer["reason"])
    return from_plain(answer, Weighed)


def weighed(name: str, base: Path, steps: int) -> Weighed:
    """Both, one after the other; an interrupt ends the training too."""
    process = begin(name, base, steps)
    try:
        return end(name, process)
    finally:
        process.kill()


def readings_of(name: str, found: Weighed) -> Iterator[Reading]:
    """Speed, the allocator's peak and the process's peak of a training in its own process."""
    yield Reading.of(GROUP, name, "training tok/s", found.rates)
    for unit, size in (
        ("MiB, allocator", found.allocated),
        ("MiB, process", found.resident),
        ("MiB, process beyond its modules", found.resident - found.before),
    ):
        yield Reading.of(GROUP, name, unit, [max(size, 1) / MIB], more=False)


def measure_recipes(
    base: Path, *, lab: bool, steps: int = 20
) -> tuple[list[Reading], dict[str, str]]:
    """The readings of all recipes that fit this model, and why others are left out.

    One whose process ends early, as for want of memory, costs the others nothing.
    """
    found: list[Reading] = []
    skipped: dict[str, str] = {}
    for name in RECIPES:
        if not applies(name, lab=lab):
            skipped[name] = "it reads the lab's corpus, which is for the lab's tokenizer"
            continue
        try:
            found += readings_of(name, weighed(name, base, steps))
        except (NotApplicable, RuntimeError) as error:
            skipped[name] = str(error)
    return found, skipped


def main(text: str) -> None:
    """Train the recipe of the task in `text` in this process, and print what was measured."""
    import mlx_lm  # noqa: F401 - loaded by every recipe, so not a part of what one adds

    from lazarus_bench import backend
    from lazarus_bench.cores import on_own_core
    from lazarus_bench.training.record import read_steps

    task = json.loads(text)
    backend.set_threads()
    try:
        spec, base = task_of(task["name"], Path(task["base"]), task["steps"] + SETTLING)
        before = peak_since_start()
        with tempfile.TemporaryDirectory() as folder, on_own_core():
            spec.train(base, Path(folder), 100, show=False)
            taken = read_steps(Path(folder))[SETTLING:]
    except (UserError, NotApplicable) as error:
        print(json.dumps({"refusal": type(error).__name__, "reason": str(error)}))
        return
    found = Weighed(
        rates=tuple(step.tokens / step.seconds for step in taken),
        allocated=backend.peak_memory(),
        resident=peak_since_start(),
        before=before,
    )
    print(json.dumps(to_plain(found)))


if __name__ == "__main__":
    main(sys.argv[1])
