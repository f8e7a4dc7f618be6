"""Executors: what carries out the jobs that a store lacks.

`InProcess` is here; processes and machines that share the jobs are in `cluster`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from lazarus_bench.jobs.spec import Job, reads
from lazarus_bench.jobs.work import Place, Result, failed, run_job

POLL_SECONDS = 0.5
"""How often an executor with nothing to do looks again."""

Tick = Callable[[], None]
Finished = Callable[[Job, Result], None]


class Executor(AbstractContextManager["Executor"], Protocol):
    """Takes jobs, bases first, and hands back results as they come.

    Used as a context; leaving it stops what is still running, which stays in the store and is
    continued by the next run. Whichever executor did a job, its artifact is the same.
    """

    workers: int
    """Trainings at a time, for the time that is left."""

    def submit(self, job: Job, *dependencies: Job) -> None:
        """Take `job`, to be done after `dependencies`, which were submitted before it."""
        ...

    def completed(self, tick: Tick) -> Iterator[tuple[Job, Result]]:
        """Every submitted job with its result, in the order they finish; `tick` while waiting."""
        ...


class InProcess(AbstractContextManager["InProcess"]):
    """One job after the other in this process: the choice on one accelerator.

    A job that is already running in another process is left until nothing else can be done, so that
    two sessions on one store share the work.
    """

    workers = 1

    def __init__(self, place: Place) -> None:
        """Do jobs at `place`."""
        self._place = place
        self._waiting: list[tuple[Job, tuple[Job, ...]]] = []
        self._results: dict[str, Result] = {}

    def submit(self, job: Job, *dependencies: Job) -> None:
        """Take `job`, to be done after `dependencies`."""
        self._waiting.append((job, dependencies))

    def completed(self, tick: Tick) -> Iterator[tuple[Job, Result]]:
        """Do the jobs, one as each result is asked for."""
        from lazarus_bench import backend

        backend.set_threads()
        while self._waiting:
            done = self._next()
            if done is None:
                tick()
                time.sleep(POLL_SECONDS)
                continue
            job, result = done
            self._results[job.digest] = result
            yield job, result

    def _next(self) -> tuple[Job, Result] | None:
        """Do the first job that is ready and not another process's; None when there is none."""
        for at, (job, dependencies) in enumerate(self._waiting):
            bases = [self._results.get(base.digest) for base in dependencies]
            if None in bases:
                continue
            result = failed(bases) or run_job(job, self._place, wait=False)
            if result is not None:
                del self._waiting[at]
                return job, result
        return None

    def __exit__(self, *exception: object) -> None:
        """Nothing has to be stopped."""


def automatic_workers(ranks: int = 1) -> int:
    """Trainings at a time: a process a core on a CPU, one in all on an accelerator they share."""
    from lazarus_bench import backend

    if backend.on_accelerator():
        return 1
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, cores // ranks)


def choose(place: Place, jobs: int, workers: int, scheduler: str | None) -> Executor:
    """The executor for so many jobs: a cluster where there is more than one worker to use."""
    if scheduler is None and min(workers, jobs) <= 1:
        return InProcess(place)
    from lazarus_bench.jobs.cluster import Cluster

    return Cluster(place, workers=min(workers, jobs), scheduler=scheduler)


def execute(
    todo: Iterable[Job], executor: Executor, finished: Finished, tick: Tick = lambda: None
) -> None:
    """Run `todo`, which the store lacks, bases before what is built on them.

    The longest chains start first. An interrupt keeps what was finished: artifacts appear in the
    store whole or not at all.
    """
    order = longest_first(list(todo))
    among = {job.digest for job in order}
    for job in order:
        executor.submit(job, *(base for base in reads(job) if base.digest in among))
    for job, result in executor.completed(tick):
        finished(job, result)


def longest_first(jobs: list[Job]) -> list[Job]:
    """Jobs with the longest chains built on them first; bases stay before what starts from them."""
    height = {job.digest: 0 for job in jobs}
    for job in reversed(jobs):
        for base in reads(job):
            if base.digest in height:
                height[base.digest] = max(height[base.digest], height[job.digest] + 1)
    return sorted(jobs, key=lambda job: -height[job.digest])
