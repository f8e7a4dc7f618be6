"""Runs: what a claim's test sees of trained models, each measurement taken once.

An *instrument* is a plain function with a return annotation. Its first parameter says what it
measures, the others are what it is asked:

    def probe(states, prompts, held_out="pairs") -> Probe     residuals of `prompts.texts`
    def ablated(run, problems, layer) -> Behaviour            a run: for more than one model, or for
                                                              what another instrument measures of it
    def read_likelihood(loaded, problems) -> Likelihood       any other name: the model in memory

`run.read(instrument, ...)` measures once a session and keeps the result in the store, whoever wrote
the instrument (`session.memory` says under which digest). Ours also have short names
(`instruments.NAMES`): `run.lens(problems)` is `run.read(read_operations, problems)`.

`Runs` is the same over seeds, a sequence of `Run`: its measurements are stacked, seeds first, and
their arrays are `Samples` (`session.samples`), so that no claim loops over seeds.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar, overload

import numpy as np

from lazarus_bench.analysis.measured import Axes, States
from lazarus_bench.analysis.probe_prompts import ProbePrompts
from lazarus_bench.analysis.prompts import read_states
from lazarus_bench.jobs.sources import name_of
from lazarus_bench.models.adapters import largest_weight
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.quirks import Quirk, check_quirk, told
from lazarus_bench.session.codec import UnwritableError, canonical, returned_type
from lazarus_bench.session.instruments import instrument_named
from lazarus_bench.session.loaded import in_memory, middle_layer, number_of_blocks
from lazarus_bench.session.memory import Memory
from lazarus_bench.session.samples import Asked, Samples, axes_in, by_seed, stacked
from lazarus_bench.tasks.arithmetic import Problem
from lazarus_bench.tasks.labelled_data import DataSource, LabelledData, digest_of, read_data
from lazarus_bench.training import Engram, Recipe
from lazarus_bench.training.engram import read_training_texts
from lazarus_bench.training.finetune_cost import Costs, read_costs
from lazarus_bench.training.record import (
    PROBLEMS,
    Step,
    StepMetrics,
    read_metrics,
    read_problems,
    read_steps,
    read_thinned,
)
from lazarus_bench.training.sft import checkpoint_directory, read_validation

Result = TypeVar("Result")
Notice = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Run:
    """One model of one seed: a whole model, or one with an adapter from a training.

    `directory` is the model's, `adapter` what lies on top; `artifact` the training's (None for a
    given checkpoint) and `recipe` what was run there, `base` the run it started from; `memory`
    keeps measurements beyond the session. With a `quirk` it is measured as the defective code would
    have measured it, and `noticed` is called when one is switched on.
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
    _session: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def read(self, instrument: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """What `instrument` measures of this model: taken once a session, and kept in the store.

        Raises:
            TypeError: the arguments are not the instrument's.
        """
        subject, asked = _arguments(instrument, args, kwargs)

        def measure() -> Result:
            if subject == "run":
                return instrument(self, *args, **kwargs)
            if subject == "states":
                prompts = asked[next(iter(asked))]
                return instrument(self.states(prompts.texts), *args, **kwargs)
            return instrument(self.loaded, *args, **kwargs)

        name = name_of(instrument)
        try:
            # What needs a run may use its seed, which the model's files do not show.
            key = canonical([asked, self.seed if subject == "run" else None])
        except UnwritableError:
            name = None
        if name is None:
            return measure()
        memory = self.memory
        if memory is None:
            return self._once((name, key), measure)
        if self.quirk is not None:
            memory = memory.of(f"quirk {self.quirk}")
        return self._once((name, key), lambda: memory.recall(name, instrument, key, measure))

    def __getattr__(self, name: str) -> Any:
        """`run.NAME(...)` measures with our instrument of that short name."""
        return partial(self.read, instrument_named(name))

    def states(self, texts: Sequence[str]) -> States:
        """Residual after every block at the last position of each prompt `[prompt, layer, d]`.

        Large and quick to compute, so the store keeps what is made of them instead.
        """
        key = ("states", tuple(texts))
        return self._once(key, lambda: read_states(self.loaded, texts))

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
        """The same run, measured with a known defect: its name and its memory are not this one's.

        Raises:
            UserError: there is no such quirk, or this run has one; when it is measured, the model
                has nothing that the quirk would change.
        """
        check_quirk(self.name, self.quirk, quirk)
        if self.noticed is not None:
            self.noticed(quirk)
        return self._once(
            ("quirk", quirk),
            lambda: replace(self, name=self.name + told(quirk), quirk=quirk, _session={}),
        )

    @property
    def classifier_layer(self) -> int:
        """The classifier layer, ⌊0.55 · layers⌋, 0-based."""
        return self.read(middle_layer)

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return self.read(number_of_blocks)

    @property
    def before(self) -> Run:
        """The run this training started from.

        Raises:
            ValueError: this is a base itself.
        """
        if self.base is None:
            raise ValueError(f"{self.name} is a base; nothing came before it")
        return self.base

    def checkpoint(self, step: int) -> Run:
        """The same run after `step` steps (SFT)."""
        return self._once(
            ("checkpoint", step),
            lambda: Run(
                name=f"{self.name} step {step}",
                seed=self.seed,
                directory=self.directory,
                adapter=checkpoint_directory(self.made, step),
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
    def made(self) -> Path:
        """The artifact of the training.

        Raises:
            ValueError: this was not trained here.
        """
        if self.artifact is None:
            raise ValueError(f"{self.name} was not trained here, so it left no log")
        return self.artifact

    @property
    def made_by(self) -> Recipe:
        """The recipe that was run.

        Raises:
            ValueError: this was not trained here.
        """
        if self.recipe is None:
            raise ValueError(f"{self.name} was not trained here, so it has no recipe")
        return self.recipe

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every step in the training's log."""
        return self._once("steps", lambda: read_steps(self.made))

    @property
    def metrics(self) -> tuple[StepMetrics, ...]:
        """The training's log: the first step, then means over ten."""
        return self._once("metrics", lambda: read_metrics(self.made))

    def thinned(self, records: int) -> tuple[StepMetrics, ...]:
        """The training's log in at most `records` records, for a drawing."""
        return read_thinned(self.made, records)

    @property
    def validation(self) -> dict[int, float]:
        """Validation loss by step, nats per answer token (SFT)."""
        return read_validation(self.made)

    @property
    def largest_adapter_weight(self) -> float:
        """The largest entry in size of a LoRA's B, which starts at 0."""
        return self._once("adapter", lambda: largest_weight(self.made))

    @property
    def costs(self) -> Costs:
        """What was measured of LoRA and full fine-tuning (FinetuneCost)."""
        return read_costs(self.made)

    @property
    def trained_on(self) -> tuple[Problem, ...]:
        """The distinct problems the training saw."""
        return self._once("problems", lambda: read_problems(self.made))

    @property
    def trainings(self) -> tuple[Run, ...]:
        """This training and those below it, as far as they trained on problems."""
        own = self.artifact is not None and (self.artifact / PROBLEMS).exists()
        return ((self,) if own else ()) + (self.base.trainings if self.base else ())

    @property
    def data_source(self) -> DataSource:
        """The labelled data that it was trained on and is evaluated on.

        Raises:
            TypeError: it was trained by another recipe.
        """
        recipe = self.made_by
        if not isinstance(recipe, Engram):
            raise TypeError(f"{recipe.label} has no labelled data")
        return recipe.data

    @property
    def data(self) -> LabelledData:
        """The same, read."""
        return self._once("data", lambda: read_data(self.data_source))

    @property
    def can_be_resampled(self) -> bool:
        """Whether the classes have the examples that `cluster_draws` takes."""
        from lazarus_bench.analysis.engrams import LEAST_TO_RESAMPLE

        return min(judged for _, judged in self.data.balance) >= LEAST_TO_RESAMPLE

    @property
    def learnt_its_split(self) -> bool:
        """Whether it learnt the training split as it is today, which evaluation shares no text of.

        Generated examples change with the code that draws them, and an artifact does not.
        """
        return read_training_texts(self.made).digest == digest_of(self.data.train)

    def _once(self, key: Any, read: Callable[[], Result]) -> Result:
        if key not in self._session:
            self._session[key] = read()
        value: Result = self._session[key]
        return value


@cache
def _signature(instrument: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(instrument)


def _arguments(
    instrument: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """The name of an instrument's first parameter, and the values of the others by name."""
    bound = _signature(instrument).bind(None, *args, **kwargs)
    bound.apply_defaults()
    subject, *others = bound.arguments
    return subject, {name: bound.arguments[name] for name in others}


class Runs(Sequence[Run]):
    """The runs of one recipe on one subject, one a seed: read as one, seeds first."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self._runs = tuple(runs)

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> Runs: ...
    def __getitem__(self, index: int | slice) -> Run | Runs:
        return Runs(self._runs[index]) if isinstance(index, slice) else self._runs[index]

    def __add__(self, other: Iterable[Run]) -> Runs:
        return Runs((*self, *other))

    def read(self, instrument: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What `instrument` measures of every run: `Samples`, or a `Stack` of other results.

        Of an argument that is one of these, each run gets its own part.
        """
        found = [
            run.read(
                instrument,
                *by_seed(args, seed),
                **dict(zip(kwargs, by_seed([*kwargs.values()], seed), strict=True)),
            )
            for seed, run in enumerate(self)
        ]
        asked = Asked(
            runs=self._runs,
            problems=frozenset(_problem_keys((*args, *kwargs.values()))),
            questions=frozenset([_question(instrument, args, kwargs)]),
        )
        try:
            axes = axes_in(returned_type(instrument))
        except UnwritableError:
            axes = None
        return stacked(found, asked, axes)

    def __getattr__(self, name: str) -> Any:
        """`runs.NAME(...)` measures with our instrument of that short name."""
        return partial(self.read, instrument_named(name))

    def each(self, function: Callable[..., Any], *args: Any, axes: Axes | None = None) -> Any:
        """`function(run, *args)` of every run, stacked, for what only a loop can express.

        It is not kept, so let it measure by `run.read`; of an argument that is `Runs`, `Samples` or
        a `Stack` each run gets its own part.
        """
        parts = ([a[seed] if isinstance(a, Runs) else a for a in args] for seed in range(len(self)))
        found = [
            function(run, *by_seed(own, seed))
            for seed, (run, own) in enumerate(zip(self, parts, strict=True))
        ]
        question = f"{name_of(function) or repr(function)}{args!r}"
        asked = Asked(
            runs=self._runs,
            problems=frozenset(_problem_keys(args)),
            questions=frozenset([question]),
        )
        return stacked(found, asked, axes)

    def log(self, part: str, every_step: bool = False) -> Samples:
        """A logged number `[seed, record]`: of the first step, then means over ten steps.

        Args:
            part: "loss", or one of its named parts.
            every_step: the steps themselves, `[seed, step]`.
        """

        def of(run: Run) -> Any:
            records = run.steps if every_step else run.metrics
            return np.array([r.loss if part == "loss" else r.parts[part] for r in records])

        found: Samples = self.each(of, axes=Axes(("steps" if every_step else "records",)))
        return replace(found, asked=replace(found.asked, questions=frozenset([f"log {part}"])))

    @property
    def validation(self) -> Samples:
        """Validation loss of every checkpoint `[seed, checkpoint]`, nats per answer token (SFT)."""
        losses = [run.validation for run in self]
        values = np.array([[loss[step] for step in sorted(loss)] for loss in losses])
        asked = Asked(runs=self._runs, questions=frozenset(["validation loss"]))
        return Samples(values=values, axes=("seeds", "checkpoints"), asked=asked)

    @property
    def before(self) -> Runs:
        """What these trainings started from."""
        return Runs(run.before for run in self)

    def checkpoint(self, step: int) -> Runs:
        """The same runs after `step` steps (SFT)."""
        return Runs(run.checkpoint(step) for run in self)

    def randomised(self) -> Runs:
        """Randomly initialised models of the same configurations and seeds: a number's control."""
        return Runs(run.randomised() for run in self)

    def with_quirk(self, quirk: Quirk) -> Runs:
        """The same runs, measured with a known defect."""
        return Runs(run.with_quirk(quirk) for run in self)

    @property
    def classifier_layer(self) -> int:
        """The classifier layer, ⌊0.55 · layers⌋, 0-based."""
        return self[0].classifier_layer

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return self[0].depth


def _question(instrument: Callable[..., Any], args: Any, kwargs: Mapping[str, Any]) -> str:
    """The same text for the same question, whatever the runs and the instrument."""
    asked = _arguments(instrument, args, kwargs)[1]
    try:
        return canonical(asked)
    except UnwritableError:  # other for each seed
        return repr([*asked.values()])


def _problem_keys(arguments: Iterable[Any]) -> Iterator[Any]:
    """Keys of the problems among an instrument's arguments, and of probe prompts made of them."""
    for argument in arguments:
        if isinstance(argument, Problem):
            yield argument.key
        elif isinstance(argument, ProbePrompts):
            yield from argument.pairs
        elif isinstance(argument, tuple | list):
            yield from _problem_keys(argument)
