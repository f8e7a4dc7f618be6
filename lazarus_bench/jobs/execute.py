"""Carry out a plan: hand the jobs a store lacks to an executor, and report as they finish."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from lazarus_bench.jobs.executors import Executor, InProcess, Tick
from lazarus_bench.jobs.spec import Job, reads
from lazarus_bench.jobs.work import Place, Result

Finished = Callable[[Job, Result], None]


def choose(
    place: Place, jobs: int, workers: int, scheduler: str | None
) -> AbstractContextManager[Executor]:
    """The executor for so many jobs: a cluster where there is more than one worker to use."""
    if scheduler is None and min(workers, jobs) <= 1:
        return InProcess(place)
    from lazarus_bench.jobs.cluster import Cluster

    return Cluster(place, workers=min(workers, jobs), scheduler=scheduler)


def execute(
    todo: Iterable[Job], executor: Executor, finished: Finished, tick: Tick = lambda: None
) -> None:
    """Do `todo`, which the store lacks and which has bases first; longest chains come first.

    An interrupt keeps what was finished: artifacts appear in the store whole or not at all.
    """
    order = longest_first(list(todo))
    among = {job.digest for job in order}
    for job in order:
        executor.submit(job, *(base for base in reads(job) if base.digest in among))
    for job, result in executor.completed(tick):
        finished(job, result)


def longest_first(jobs: list[Job]) -> list[Job]:
    """Jobs with the longest chains on top of them first; bases stay before what stands on them."""
    height = {job.digest: 0 for job in jobs}
    for job in reversed(jobs):
        for base in reads(job):
            if base.digest in height:
                height[base.digest] = max(height[base.digest], height[job.digest] + 1)
    return sorted(jobs, key=lambda job: -height[job.digest])
