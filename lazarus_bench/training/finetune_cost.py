"""The cost of fine-tuning: peak memory and speed of LoRA and of full training, in paired repeats.

Source: *Training Comparison*. A process has one allocator peak, so every training gets its own
process. The order within a pair alternates, so that a machine that slows down favours neither.
The numbers hold for one device, which `costs.json` names.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from lazarus_bench import backend
from lazarus_bench.models.files import read_json
from lazarus_bench.training.apart import weighed
from lazarus_bench.training.recipe import Bound, Count, Recipe, Targets
from lazarus_bench.training.record import write_whole
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
        ProcessError: the process ended without a result.
    """
    found = weighed(spec.label, spec, base, seed)
    speed = statistics.median(found.rates[WARM_UP:])
    return Cost(peak_memory=found.allocated, tokens_per_second=speed)


def read_costs(directory: Path) -> Costs:
    """The costs that a measurement left in `directory`."""
    row = read_json(directory / COSTS)
    lora, full = (tuple(Cost(**cost) for cost in row[kind]) for kind in ("lora", "full"))
    return Costs(device=row["device"], lora=lora, full=full)
