"""Executors: what carries out the jobs that a store lacks.

`InProcess` is here; processes and machines that share the jobs are in `cluster`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from lazarus_bench.jobs.spec import Job, reads
from lazarus_bench.jobs.work import Place, Result, Tick, failed, run_job

POLL_SECONDS = 0.5
"""How often an executor with nothing to do looks again."""


class Executor(AbstractContextManager["Executor"], Protocol):
    """Runs jobs and hands back results as they come.

    Used as a context; leaving it stops what is still running, which stays in the store and is
    continued by the next run. Whichever executor did a job, its artifact is the same.
    """

    workers: int
    """Trainings at a time, for the time that is left."""

    def run(self, jobs: list[Job], tick: Tick) -> Iterator[tuple[Job, Result]]:
        """Each of `jobs`, bases first, with its result as it finishes; `tick` while waiting."""
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

    def run(self, jobs: list[Job], tick: Tick) -> Iterator[tuple[Job, Result]]:
        """Do the jobs, one as each result is asked for."""
        from lazarus_bench import backend

        backend.set_threads()
        waiting = {job.digest: job for job in jobs}
        results: dict[str, Result] = {}
        while waiting:
            for digest, job in waiting.items():
                bases = [base.digest for base in reads(job)]
                if any(base in waiting for base in bases):
                    continue
                result = failed(map(results.get, bases)) or run_job(job, self._place, wait=False)
                if result is not None:
                    results[digest] = result
                    del waiting[digest]
                    yield job, result
                    break
            else:
                tick()
                time.sleep(POLL_SECONDS)

    def __exit__(self, *exception: object) -> None:
        """Nothing has to be stopped."""


def automatic_workers(ranks: int = 1, each: int = 0) -> int:
    """Trainings at a time: a process a core on a CPU, one in all on an accelerator they share.

    They are fewer where processes of `each` bytes would need more memory than there is.
    """
    from lazarus_bench import backend

    if backend.on_accelerator():
        return 1
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    room = backend.memory_limit() // (each * ranks) if each else cores
    return max(1, min(cores // ranks, room))


def choose(place: Place, jobs: int, workers: int, scheduler: str | None) -> Executor:
    """The executor for so many jobs: a cluster where there is more than one worker to use."""
    if scheduler is None and min(workers, jobs) <= 1:
        return InProcess(place)
    from lazarus_bench.jobs.cluster import Cluster

    return Cluster(place, workers=min(workers, jobs), scheduler=scheduler)


def execute(
    todo: list[Job],
    executor: Executor,
    finished: Callable[[Job, Result], None],
    tick: Tick = lambda: None,
) -> None:
    """Run `todo`, which the store lacks, bases before what is built on them.

    The longest chains start first. An interrupt keeps what was finished: artifacts appear in the
    store whole or not at all.
    """
    for job, result in executor.run(longest_first(todo), tick):
        finished(job, result)


def longest_first(jobs: list[Job]) -> list[Job]:
    """Jobs with the longest chains built on them first; bases stay before what starts from them."""
    height = {job.digest: 0 for job in jobs}
    for job in reversed(jobs):
        for base in reads(job):
            if base.digest in height:
                height[base.digest] = max(height[base.digest], height[job.digest] + 1)
    return sorted(jobs, key=lambda job: -height[job.digest])
