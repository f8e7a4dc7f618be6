"""The cost of fine-tuning: peak memory and speed of LoRA and of full training, in paired repeats.

Source: *Training Comparison*. A process has one allocator peak, so every training gets its own
process. The order within a pair alternates, so that a machine that slows down favours neither.
The numbers hold for one device, which `costs.json` names.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from lazarus_bench import backend
from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.training.recipe import Bound, Count, Recipe, Targets
from lazarus_bench.training.record import read_steps, write_whole
from lazarus_bench.training.sft import Sft

COSTS = "costs.json"

WARM_UP = 10
"""Steps excluded from the speed."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One training: peak bytes of mlx's allocator, and the median step's tokens fed a second."""

    peak_memory: int
    tokens_per_second: float


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Paired repeats of LoRA and full fine-tuning on `device`."""

    device: str
    lora: tuple[Cost, ...]
    full: tuple[Cost, ...]


@dataclass(frozen=True, kw_only=True)
class FinetuneCost(Recipe):
    """What SFT costs with LoRA and in full: peak memory and speed (source: *Training Comparison*).

    `repeats` pairs, each of two short trainings on the same data, in processes of their own and in
    alternating order. Data are drawn anew for each pair. Forty steps are enough: the peak comes
    with the first ones, and the speed is the median of those after the tenth.
    """

    kind = "finetune_cost"
    version = 4
    leaves = "record"
    ranked = False
    seeded = False

    targets: Targets = "all"
    rank: Count = 8
    batch: Count = 8
    steps: Annotated[int, Bound(least=20, because="the first ten warm up")] = 40
    repeats: Annotated[int, Bound(least=2, because="one pair shows no spread")] = 6

    @property
    def label(self) -> str:
        """What is measured."""
        return "cost of LoRA and full SFT"

    @property
    def lab_seconds(self) -> float:
        """Two processes a pair: some 2.5 s to start, and 36 ms a step."""
        return 2 * self.repeats * (2.5 + 0.036 * self.steps)

    def sft(self, *, full: bool) -> Sft:
        """The training that is measured, at the source's learning rate, which costs nothing."""
        return Sft(
            full=full,
            targets=self.targets,
            rank=self.rank,
            batch=self.batch,
            steps=self.steps,
            learning_rate=1e-5 if full else 1e-4,
            checkpoints=(),
        )

    def train(self, base: Path, out: Path, seed: int, show: bool | None = None) -> None:  # noqa: ARG002 - every recipe's
        """Measure and leave `costs.json` in `out`."""
        found: dict[bool, list[Cost]] = {False: [], True: []}
        for repeat in range(self.repeats):
            for full in (repeat % 2 == 1, repeat % 2 == 0):
                found[full].append(measured(self.sft(full=full), base, seed + repeat))
        lora, full_costs = tuple(found[False]), tuple(found[True])
        costs = Costs(device=backend.device_name(), lora=lora, full=full_costs)
        write_whole(out / COSTS, json.dumps(asdict(costs), indent=1) + "\n")


def measured(spec: Sft, base: Path, seed: int) -> Cost:
    """The cost of one training in its own process.

    Raises:
        UserError, NotApplicable: the training raised it.
        RuntimeError: the process ended without a result.
    """
    task = json.dumps({"spec": asdict(spec), "base": str(base), "seed": seed})
    command = [sys.executable, "-m", "lazarus_bench.training.finetune_cost", task]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout.splitlines()
    if done.returncode or not said:
        last = (done.stderr.splitlines() or ["it said nothing"])[-1]
        raise RuntimeError(f"{spec.label}: its process ended without a result: {last}")
    answer = json.loads(said[-1])
    if "refusal" in answer:
        refusals = {error.__name__: error for error in (UserError, NotApplicable)}
        raise refusals[answer["refusal"]](answer["reason"])
    return Cost(**answer)


def main(text: str) -> None:
    """Run one training in this process; print its cost, or why it was refused."""
    task = json.loads(text)
    spec = Sft(**task["spec"] | {"checkpoints": ()})
    backend.set_threads()
    try:
        with tempfile.TemporaryDirectory() as folder:
            spec.train(Path(task["base"]), Path(folder), task["seed"], show=False)
            peak = backend.peak_memory()
            speeds = [step.tokens / step.seconds for step in read_steps(Path(folder))[WARM_UP:]]
    except (UserError, NotApplicable) as error:
        print(json.dumps({"refusal": type(error).__name__, "reason": str(error)}))
    else:
        print(json.dumps({"peak_memory": peak, "tokens_per_second": statistics.median(speeds)}))


def read_costs(directory: Path) -> Costs:
    """The costs that a measurement left in `directory`."""
    row = json.loads((directory / COSTS).read_text(encoding="utf-8"))
    lora, full = (tuple(Cost(**cost) for cost in row[kind]) for kind in ("lora", "full"))
    return Costs(device=row["device"], lora=lora, full=full)


if __name__ == "__main__":
    main(sys.argv[1])
