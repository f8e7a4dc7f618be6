"""Runs: what a claim's test sees of trained models, a `Run` a seed, measured as one.

The measurements are stacked, seeds first, and their arrays are `Samples` (`session.samples`), so
that no claim loops over seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, overload

import numpy as np

from lazarus_bench.analysis.measured import Axes
from lazarus_bench.analysis.probe_prompts import ProbePrompts
from lazarus_bench.jobs.sources import name_of
from lazarus_bench.models.quirks import Quirk
from lazarus_bench.session.codec import UnwritableError, canonical, returned_type
from lazarus_bench.session.run import Run, arguments, instrument_named
from lazarus_bench.session.samples import Asked, PerSeed, Samples, axes_in, called_by_seed, stacked
from lazarus_bench.tasks.arithmetic import Problem
from lazarus_bench.tasks.text_rows import OwnProblem


class Runs(PerSeed, Sequence[Run]):
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
        found = called_by_seed((partial(run.read, instrument) for run in self), args, kwargs)
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
        found = called_by_seed((partial(function, run) for run in self), args, {})
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
    asked = arguments(instrument, args, kwargs)[1]
    try:
        return canonical(asked)
    except UnwritableError:  # other for each seed
        return repr([*asked.values()])


def _problem_keys(arguments: Iterable[Any]) -> Iterator[Any]:
    """Keys of the problems among an instrument's arguments, and of probe prompts made of them."""
    for argument in arguments:
        if isinstance(argument, Problem | OwnProblem):
            yield argument.key
        elif isinstance(argument, ProbePrompts):
            yield from argument.pairs
        elif isinstance(argument, tuple | list):
            yield from _problem_keys(argument)
