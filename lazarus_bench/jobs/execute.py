"""Run the jobs a store lacks: in this process, or one worker process a core."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.jobs.spec import Checkpoint, Job, with_dependencies
from lazarus_bench.jobs.store import Artifact, Store


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a job has no artifact; `applicable` is False when it cannot be asked of this model."""

    reason: str
    applicable: bool


Result = Artifact | Failure
Finished = Callable[[Job, Result], None]


def base_directory(job: Job, store: Store) -> Path | None:
    """Where the model lies that `job` starts from."""
    from lazarus_bench.models.files import resolve

    if job.base is None:
        return None
    if isinstance(job.base, Checkpoint):
        return resolve(job.base.source)
    return store.path(job.base)


def automatic_workers() -> int:
    """One process a core on a CPU, one in all on an accelerator, which trainings would share."""
    from lazarus_bench import backend

    if backend.on_accelerator():
        return 1
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def run_job(job: Job, root: Path, show: bool | None = None) -> Result:
    """Make the artifact of `job`, whose base must be in the store already.

    A user's mistake or a model that cannot be asked comes back as a `Failure`; a bug raises.
    """
    from lazarus_bench import backend

    store = Store(root)
    recipe = importlib.import_module(f"lazarus_bench.training.{job.recipe.kind}")
    about = backend.manifest().as_strings()
    try:
        with store.writing(job, about) as out:
            recipe.run(job.recipe, base_directory(job, store), out, job.seed, show)
    except (UserError, NotApplicable) as error:
        return Failure(reason=str(error), applicable=isinstance(error, UserError))
    artifact = store.find(job)
    if artifact is None:
        raise RuntimeError(f"{job.label} left no whole artifact at {store.path(job)}")
    return artifact


def missing(jobs: Iterable[Job], store: Store) -> list[Job]:
    """What has to run, in an order that makes bases first."""
    return [job for job in with_dependencies(jobs) if store.find(job) is None]


def execute(jobs: Iterable[Job], store: Store, workers: int, finished: Finished) -> None:
    """Run every missing job and hand each result to `finished` as it comes.

    An interrupt keeps what was finished: artifacts appear in the store whole or not at all.
    """
    todo = missing(jobs, store)
    if workers <= 1 or len(todo) <= 1:
        _in_process(todo, store, finished)
    else:
        _in_workers(todo, store, min(workers, len(todo)), finished)


def _failed_base(job: Job, failures: Mapping[str, Failure]) -> Failure | None:
    return failures.get(job.base.digest) if isinstance(job.base, Job) else None


def _in_process(todo: list[Job], store: Store, finished: Finished) -> None:
    from lazarus_bench import backend

    backend.set_threads()
    failures: dict[str, Failure] = {}
    for job in todo:
        result = _failed_base(job, failures) or run_job(job, store.root)
        if isinstance(result, Failure):
            failures[job.digest] = result
        finished(job, result)


def _start_worker() -> None:
    # The parent answers an interrupt and stops the pool; a worker that also did would print a
    # trace for each process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from lazarus_bench import backend

    backend.set_threads()


def _in_workers(todo: list[Job], store: Store, workers: int, finished: Finished) -> None:
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)
    try:
        _drain(todo, store, pool, finished)
    except BaseException:
        _stop(pool, store)
        raise
    pool.shutdown()


def _stop(pool: ProcessPoolExecutor, store: Store) -> None:
    """End the workers at once and clear away what they had half written."""
    workers = list(getattr(pool, "_processes", {}).values())
    for process in workers:
        process.terminate()
    for process in workers:
        process.join(timeout=10)
        store.abandon(process.pid)
    pool.shutdown(wait=False, cancel_futures=True)


def _drain(todo: list[Job], store: Store, pool: ProcessPoolExecutor, finished: Finished) -> None:
    """Submit each job once its base is done; longest chains come first in `todo` already."""
    waiting = {job.digest: job for job in todo}
    running: dict[Future[Result], Job] = {}
    failures: dict[str, Failure] = {}
    while waiting or running:
        for job in list(waiting.values()):
            if isinstance(job.base, Job) and (
                job.base.digest in waiting or job.base in running.values()
            ):
                continue
            del waiting[job.digest]
            failed = _failed_base(job, failures)
            if failed:
                failures[job.digest] = failed
                finished(job, failed)
            else:
                running[pool.submit(run_job, job, store.root, False)] = job
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            job, result = running.pop(future), future.result()
            if isinstance(result, Failure):
                failures[job.digest] = result
            finished(job, result)
