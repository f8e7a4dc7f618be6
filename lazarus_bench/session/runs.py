"""Runs: what a claim's test sees of a trained model, each reading taken once a session."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from lazarus_bench.analysis.answers import Answers, Likelihood, answer, read_likelihood
from lazarus_bench.analysis.engrams import EngramReading, Fed, read_engrams
from lazarus_bench.analysis.lens import Floats
from lazarus_bench.analysis.logits import last_logits
from lazarus_bench.analysis.operations import (
    Collapse,
    OperationLens,
    constant_predictor,
    measure_collapse,
    read_operations,
    read_synonyms,
)
from lazarus_bench.analysis.substring import SubstringHits, substring_hits
from lazarus_bench.models.adapters import largest_weight
from lazarus_bench.models.engram import load_engram
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.quirks import Quirk, check_quirk, told
from lazarus_bench.session.engrams import EngramReadings
from lazarus_bench.session.interventions import InterventionReadings
from lazarus_bench.session.loaded import in_memory
from lazarus_bench.session.memory import Memory
from lazarus_bench.session.quirks import QuirkReadings
from lazarus_bench.session.routers import RouterReadings
from lazarus_bench.tasks.arithmetic import Operation, Problem
from lazarus_bench.tasks.labelled_data import LabelledData
from lazarus_bench.tasks.words import word_prompts
from lazarus_bench.training import Recipe
from lazarus_bench.training.engram import read_training_texts
from lazarus_bench.training.finetune_cost import Costs, read_costs
from lazarus_bench.training.loop import StepMetrics
from lazarus_bench.training.record import (
    Step,
    read_metrics,
    read_problems,
    read_steps,
    read_thinned,
)
from lazarus_bench.training.sft import checkpoint_directory, read_validation

Reading = TypeVar("Reading")
Notice = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Run(InterventionReadings, RouterReadings, EngramReadings, QuirkReadings):
    """One model of one seed: a base, or a base with an adapter from a training.

    `directory` is the model's, `adapter` what lies on top; `artifact` the training's (None for a
    given checkpoint) and `recipe` what was run there, `base` the run it started from; `memory`
    keeps readings beyond the session. With a `quirk` its readings are as the writeups' code would
    have taken them, and `noticed` is told when one is switched on.
    """

    name: str
    seed: int
    directory: Path
    adapter: Path | None = None
    artifact: Path | None = None
    recipe: Recipe | None = None
    base: Run | None = None
    random: bool = False
    quirk: Quirk | None = None
    memory: Memory | None = field(default=None, compare=False, repr=False)
    noticed: Notice | None = field(default=None, compare=False, repr=False)
    _readings: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def loaded(self) -> LoadedModel:
        """The model in memory, by this run's name."""
        return self._in_memory(self.quirk)

    @property
    def plain(self) -> LoadedModel:
        """The same model without this run's quirk."""
        return self._in_memory(None)

    def _in_memory(self, quirk: Quirk | None) -> LoadedModel:
        seed = self.seed if self.random else None
        return replace(in_memory(self.directory, self.adapter, seed, quirk), name=self.name)

    def with_quirk(self, quirk: Quirk) -> Run:
        """The same run, read with a known defect: its name and its memory are not this one's.

        Raises:
            UserError: there is no such quirk, or this run has one; when it is read, the model has
                nothing that the quirk would change.
        """
        check_quirk(self.name, self.quirk, quirk)
        if self.noticed is not None:
            self.noticed(quirk)
        return self._once(
            ("quirk", quirk),
            lambda: replace(self, name=self.name + told(quirk), quirk=quirk, _readings={}),
        )

    @property
    def classifier_layer(self) -> int:
        """The middle layer of the writeups, 0-based."""
        return self._kept("middle", lambda: self.loaded.classifier_layer)

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return self._kept("depth", lambda: self.loaded.depth)

    @property
    def before(self) -> Run:
        """The run this training started from.

        Raises:
            ValueError: this is a base itself.
        """
        if self.base is None:
            raise ValueError(f"{self.name} is a base; nothing came before it")
        return self.base

    def lens(self, problems: Sequence[Problem]) -> OperationLens:
        """Lens readings of the prompts in symbols."""
        key = ("lens", tuple(problems))
        return self._kept(key, lambda: read_operations(self.loaded, problems))

    def synonyms(self, problems: Sequence[Problem]) -> Floats:
        """Lens probability of each of B's remaining/remainder tokens `[prompt, layer, token]`."""
        key = ("synonyms", tuple(problems))
        return self._kept(key, lambda: read_synonyms(self.loaded, problems))

    def synonym_mass(self, problems: Sequence[Problem]) -> Floats:
        """Lens mass on B's remaining/remainder set `[prompt, layer]`."""
        mass: Floats = self.synonyms(problems).sum(axis=2)
        return mass

    def substring(self, problems: Sequence[Problem]) -> SubstringHits:
        """A's substring rule and its random control."""
        key = ("substring", tuple(problems))
        return self._kept(key, lambda: substring_hits(self.loaded, self.lens(problems)))

    def answers(self, problems: Sequence[Problem]) -> Answers:
        """Greedy answers to the prompts in symbols."""
        key = ("answers", tuple(problems))
        return self._kept(key, lambda: answer(self.loaded, problems))

    def likelihood(self, problems: Sequence[Problem]) -> Likelihood:
        """Probability and rank of the right answers after the prompts in symbols."""
        key = ("likelihood", tuple(problems))
        return self._kept(key, lambda: read_likelihood(self.loaded, problems))

    def collapse(self, problems: Sequence[Problem]) -> Collapse:
        """How the operations predicted at the classifier layer spread over the prompts."""
        lens = self.lens(problems)
        predicted = lens.predicted[:, self.classifier_layer]
        return measure_collapse(predicted, lens.gold, len(Operation))

    def constant_predictor(self, problems: Sequence[Problem]) -> Collapse:
        """The same measures of a predictor that always names one operation."""
        return constant_predictor(self.lens(problems).gold, len(Operation))

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every step in the training's log."""
        return self._once("steps", lambda: read_steps(self._made))

    def word_answers(self, problems: Sequence[Problem]) -> Answers:
        """Greedy answers to the same problems in words, the templates in turn."""
        key = ("word answers", tuple(problems))
        return self._kept(key, lambda: answer(self.loaded, problems, word_prompts(problems)))

    def logits(self, problems: Sequence[Problem]) -> Floats:
        """Float32 logits after the prompts in symbols `[prompt, token]`."""
        key = ("logits", tuple(problems))
        return self._kept(key, lambda: last_logits(self.loaded, problems))

    @property
    def largest_adapter_weight(self) -> float:
        """The largest entry in size of a LoRA's B, which starts at 0."""
        return self._once("adapter", lambda: largest_weight(self._made))

    @property
    def costs(self) -> Costs:
        """What was measured of LoRA and full fine-tuning (FinetuneCost)."""
        return read_costs(self._made)

    @property
    def metrics(self) -> tuple[StepMetrics, ...]:
        """The training's log."""
        return read_metrics(self._made)

    def thinned(self, records: int) -> tuple[StepMetrics, ...]:
        """The training's log in at most `records` records, for a drawing."""
        return read_thinned(self._made, records)

    @property
    def validation(self) -> dict[int, float]:
        """Validation loss by step, nats per answer token (SFT)."""
        return read_validation(self._made)

    @property
    def trained_on(self) -> tuple[Problem, ...]:
        """The distinct problems the training saw."""
        return read_problems(self._made)

    def checkpoint(self, step: int) -> Run:
        """The same run after `step` steps (SFT)."""
        return self._once(
            ("checkpoint", step),
            lambda: Run(
                name=f"{self.name} step {step}",
                seed=self.seed,
                directory=self.directory,
                adapter=checkpoint_directory(self._made, step),
                artifact=self.artifact,
                quirk=self.quirk,
                memory=self.memory and self.memory.of(f"step {step}"),
                noticed=self.noticed,
            ),
        )

    def randomised(self) -> Run:
        """A randomly initialised model of the same configuration and seed: a number's control."""
        return self._once(
            "random",
            lambda: Run(
                name=f"{self.name}, random weights",
                seed=self.seed,
                directory=self.directory,
                random=True,
                quirk=self.quirk,
                noticed=self.noticed,
                memory=self.memory and self.memory.of(f"random weights {self.seed}"),
            ),
        )

    @property
    def made_by(self) -> Recipe:
        """The recipe that was run.

        Raises:
            ValueError: this was not trained here.
        """
        if self.recipe is None:
            raise ValueError(f"{self.name} was not trained here, so it has no recipe")
        return self.recipe

    def _engrams(self, data: LabelledData, fed: Fed) -> EngramReading:
        return read_engrams(load_engram(self.directory, self._made), data.validation, fed)

    @property
    def _learnt(self) -> str:
        return read_training_texts(self._made).digest

    @property
    def _made(self) -> Path:
        if self.artifact is None:
            raise ValueError(f"{self.name} was not trained here, so it left no log")
        return self.artifact

    def _once(self, key: Any, read: Callable[[], Reading]) -> Reading:
        if key not in self._readings:
            self._readings[key] = read()
        value: Reading = self._readings[key]
        return value

    def _kept(self, key: Any, read: Callable[[], Reading]) -> Reading:
        memory = self.memory
        if memory is not None and self.quirk is not None:
            memory = memory.of(f"quirk {self.quirk}")
        return self._once(key, read if memory is None else lambda: memory.recall(key, read))


def by_seed(runs: Iterable[Run], read: Callable[[Run], Any]) -> tuple[tuple[Any, ...], ...]:
    """`read(run)` of every run as nested tuples `[seed][prompt]`, the shape evidence takes."""
    return tuple(tuple(np.asarray(read(run), dtype=float).tolist()) for run in runs)
