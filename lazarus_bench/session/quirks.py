"""What a run shows under a quirk beside what it shows without; each reading taken once a session.

A quirk of reading is switched on by `Run.with_quirk` alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from lazarus_bench.analysis.lens import Floats, total_variation
from lazarus_bench.analysis.operations import OperationLens
from lazarus_bench.analysis.probe import probe
from lazarus_bench.analysis.probe_prompts import ProbePrompts
from lazarus_bench.analysis.splits import HeldOut
from lazarus_bench.analysis.states import read_states
from lazarus_bench.analysis.substring import TaskSignal, task_signal
from lazarus_bench.analysis.tokens import prompt_tokens
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.quirks import Quirk
from lazarus_bench.models.untrained import WIDTH, untrained_llama
from lazarus_bench.tasks.arithmetic import Problem

Reading = TypeVar("Reading")


class QuirkReadings(ABC):
    """Readings for the claims on quirks; `Run` adds the model and the memory of what was read."""

    seed: int
    quirk: Quirk | None

    @property
    @abstractmethod
    def loaded(self) -> LoadedModel:
        """The model in memory, with its quirk."""

    @property
    @abstractmethod
    def plain(self) -> LoadedModel:
        """The same model in memory without a quirk."""

    @abstractmethod
    def lens(self, problems: Sequence[Problem]) -> OperationLens:
        """Lens readings of the prompts in symbols."""

    @abstractmethod
    def _kept(self, key: Any, read: Callable[[], Reading]) -> Reading:
        """The reading under `key`, taken where neither session nor store has it."""

    def lens_moved(self, problems: Sequence[Problem]) -> Floats:
        """Total variation distance of the lens under this run's quirk from the lens without.

        `[prompt, layer]`, of the prompts in symbols; 0 without a quirk.
        """

        def read() -> Floats:
            prompts = prompt_tokens(self.plain, [problem.symbols for problem in problems])
            return total_variation(self.loaded, self.plain, prompts)

        return self._kept(("lens moved", tuple(problems)), read)

    def task_signal(self, problems: Sequence[Problem]) -> TaskSignal:
        """A's signal: how strongly the lens names the operation, of the operations that A has."""
        key = ("task signal", tuple(problems))
        return self._kept(key, lambda: task_signal(self.loaded, self.lens(problems)))

    def untrained_accuracy(
        self, prompts: ProbePrompts, held_out: HeldOut, starts: int, width: int = WIDTH
    ) -> Floats:
        """Held-out accuracy of probes on untrained llamas with this run's tokenizer.

        Returns:
            `[start, layer]`; the starts of one run's seed are no other's.
        """

        def accuracy(start: int) -> Floats:
            own = self.plain
            seed, vocabulary = self.seed * starts + start, int(own.config["vocab_size"])
            untrained = untrained_llama(own.tokenizer, vocabulary, seed, width)
            return probe(read_states(untrained, prompts.texts), prompts, held_out).accuracy

        key = ("untrained accuracy", prompts, held_out, self.seed, starts, width)
        return self._kept(key, lambda: np.stack([accuracy(start) for start in range(starts)]))
