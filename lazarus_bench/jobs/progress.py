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

LONG = 60.0
"""Seconds left from which a training's first step is worth a line."""

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
        self._begun: set[str] = set()

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
        running = [_at_work(job, log) for job, log in self._running()]
        return " · ".join([f"{done}/{self._total} done", *running]) + self._rest()

    def begun(self) -> list[str]:
        """A line for each long training that has taken its first step since the last call."""
        found = [(job, log) for job, log in self._running() if job.digest not in self._begun]
        self._begun |= {job.digest for job, _ in found}
        return [_at_work(job, log) for job, log in found if log.left >= LONG]

    def _rest(self) -> str:
        left = self.seconds_left()
        return "" if left is None or not self._waiting else f", about {duration(left)} left"

    def _running(self) -> Iterator[tuple[Job, Latest]]:
        now = time.time()
        for job in [*self._waiting.values()]:  # another thread may ask
            log = latest(self._store.working(job))
            if log is not None and now - log.written < max(STALE_SECONDS, 3 * log.seconds):
                yield job, log

    def seconds_left(self) -> float | None:
        """Seconds of each waiting job, less what the running ones have done, over the workers.

        A job costs what its kind has taken in this run, else what the plan estimates, else what one
        of its kind that runs will take at its rate. None while a waiting job has none of these.
        """
        left = 0.0
        running = {job.digest: (job.recipe.kind, log) for job, log in self._running()}
        rates = {kind: log.steps * log.seconds for kind, log in running.values()}
        for digest, job in [*self._waiting.items()]:
            kind = job.recipe.kind
            seen = self._seconds.get(kind)
            cost = statistics.mean(seen) if seen else self._estimates.get(digest, rates.get(kind))
            if cost is None:
                return None
            log = running[digest][1] if digest in running else None
            left += cost * (1 - log.step / log.steps) if log else cost
        return left / self._workers


def _at_work(job: Job, log: Latest) -> str:
    return (
        f"{job.label} seed {job.seed}: step {log.step}/{log.steps}, loss {log.loss:.3f}, "
        f"{log.tokens_per_second:,.0f} tok/s, {log.seconds:.3g} s a step, "
        f"its rest {duration(log.left)}"
    )
