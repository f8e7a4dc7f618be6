"""What a training on a user's own model would cost, by one step of it that is taken and timed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lazarus_bench import backend
from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.jobs.spec import Checkpoint, Job
from lazarus_bench.jobs.work import checkpoint_directory
from lazarus_bench.models.precision import weights_as
from lazarus_bench.training.footprint import training_peak
from lazarus_bench.training.loop import FirstStep, first_step_only

_STEPS = ("steps", "iterations", "epochs")
"""A recipe with none of these fields takes no steps."""


@dataclass(frozen=True, kw_only=True)
class Timer:
    """Takes one step of each kind of recipe on each given model, and says so by `say`.

    Recipes of one kind are told apart by what they cost on a lab model. A model that stands in
    between, as a fused one, is as large as the given one.
    """

    say: Callable[[str], None]
    _found: dict[tuple[str, str, str | None], float | None] = field(default_factory=dict)

    def __call__(self, job: Job) -> float | None:
        """Seconds that `job` takes; None where no step of it can be timed."""
        root = job.root
        steps = any(hasattr(job.recipe, name) for name in _STEPS)
        if root is None or job.recipe.on_adapter or not steps:
            return job.recipe.lab_seconds
        key = job.recipe.kind, root.fingerprint, job.dtype
        if key not in self._found:
            seconds, usual = self._timed(job, root), job.recipe.lab_seconds
            self._found[key] = seconds and usual and seconds / usual
        factor, usual = self._found[key], job.recipe.lab_seconds
        return factor and usual and factor * usual

    def _timed(self, job: Job, root: Checkpoint) -> float | None:
        try:
            directory = checkpoint_directory(root)
            if training_peak(job.recipe, directory, job.dtype) > backend.memory_limit():
                return None
            self.say(f"timing one step of {job.recipe.label} on {root.name}")
            with tempfile.TemporaryDirectory() as out, weights_as(job.dtype), first_step_only():
                job.recipe.train(directory, Path(out), job.seed, False)
        except FirstStep as step:
            return step.seconds * step.steps
        except (UserError, NotApplicable):
            return None
        return None
