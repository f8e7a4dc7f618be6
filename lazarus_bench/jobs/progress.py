"""Progress over a whole plan: what is done, and how long the rest will take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from lazarus_bench.jobs.execute import Failure, Result
from lazarus_bench.jobs.spec import Job


class Progress:
    """Counts finished jobs and extrapolates from those of the same kind."""

    def __init__(self, todo: Sequence[Job], workers: int) -> None:
        """Watch `todo` run on `workers` processes."""
        self._waiting = {job.digest: job for job in todo}
        self._total = len(todo)
        self._workers = workers
        self._seconds: dict[str, list[float]] = defaultdict(list)

    def line(self, job: Job, result: Result) -> str:
        """One line for a job that has just finished."""
        del self._waiting[job.digest]
        done = f"[{self._total - len(self._waiting)}/{self._total}] {job.label} seed {job.seed}"
        if isinstance(result, Failure):
            return f"{done}: {result.reason}"
        self._seconds[job.recipe.kind].append(result.seconds)
        left = self.seconds_left()
        rest = "" if left is None or not self._waiting else f", about {left:.0f} s left"
        return f"{done}: {result.seconds:.0f} s{rest}"

    def seconds_left(self) -> float | None:
        """Mean time of each waiting job's kind, shared by the workers.

        None while a kind is waiting of which none has finished: a pretraining says nothing about a
        fine-tuning.
        """
        kinds = [job.recipe.kind for job in self._waiting.values()]
        if any(kind not in self._seconds for kind in kinds):
            return None
        means = [sum(self._seconds[kind]) / len(self._seconds[kind]) for kind in kinds]
        return sum(means) / self._workers
