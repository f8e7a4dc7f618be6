"""Progress over a whole plan: what is done, what is running, and how long the rest will take."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from lazarus_bench.jobs.plan import duration
from lazarus_bench.jobs.spec import Job
from lazarus_bench.jobs.store import Store
from lazarus_bench.jobs.work import Failure, Result
from lazarus_bench.training.record import Latest, latest

STALE_SECONDS = 120.0
"""Silence of a training's log after which the training no longer counts as running."""


class Progress:
    """Counts finished jobs and predicts the rest from those of the same kind."""

    def __init__(
        self,
        todo: Sequence[Job],
        workers: int,
        store: Store,
        estimates: Mapping[str, float] | None = None,
    ) -> None:
        """Watch `todo` run on `workers` processes; `estimates` are seconds by digest."""
        self._waiting = {job.digest: job for job in todo}
        self._total = len(todo)
        self._workers = workers
        self._store = store
        self._estimates = dict(estimates or {})
        self._seconds: dict[str, list[float]] = defaultdict(list)

    def line(self, job: Job, result: Result) -> str:
        """One line for a job that has just finished."""
        del self._waiting[job.digest]
        done = f"[{self._total - len(self._waiting)}/{self._total}] {job.label} seed {job.seed}"
        if isinstance(result, Failure):
            return f"{done}: {result.reason}"
        self._seconds[job.recipe.kind].append(result.seconds)
        return f"{done}: {result.seconds:.0f} s{self._rest()}"

    def status(self) -> str:
        """What is running now, with loss and speed, and what is left."""
        done = self._total - len(self._waiting)
        running = [
            f"{job.label} seed {job.seed}: step {log.step}/{log.steps}, loss {log.loss:.3f}, "
            f"{log.tokens_per_second:,.0f} tok/s"
            for job, log in self._running()
        ]
        return " · ".join([f"{done}/{self._total} done", *running]) + self._rest()

    def _rest(self) -> str:
        left = self.seconds_left()
        return "" if left is None or not self._waiting else f", about {duration(left)} left"

    def _running(self) -> Iterator[tuple[Job, Latest]]:
        now = time.time()
        for job in self._waiting.values():
            log = latest(self._store.working(job))
            if log is not None and now - log.written < STALE_SECONDS:
                yield job, log

    def seconds_left(self) -> float | None:
        """Seconds of each waiting job, less what the running ones have done, over the workers.

        A job costs what its kind has taken in this run, else what the plan estimates. None while a
        waiting job has neither.
        """
        left = 0.0
        parts = {job.digest: log.step / log.steps for job, log in self._running()}
        for digest, job in self._waiting.items():
            seen = self._seconds.get(job.recipe.kind)
            cost = statistics.mean(seen) if seen else self._estimates.get(digest)
            if cost is None:
                return None
            left += cost * (1 - parts.get(digest, 0.0))
        return left / self._workers
