"""Running one job: its lock, its recipe, and its artifact or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lazarus_bench.cores import on_own_core
from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.jobs.spec import Checkpoint, Job, check, with_dependencies
from lazarus_bench.jobs.store import Artifact, Store
from lazarus_bench.models.precision import weights_as
from lazarus_bench.training.recipe import Stack


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a job has no artifact; `applicable` is False when the recipe does not fit this model."""

    reason: str
    applicable: bool


Result = Artifact | Failure
Tick = Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where jobs are done: the store's `root`, and mlx.launch's `hosts` file for several ranks.

    `show` is the progress bar of a training on stderr; None shows it on a terminal only.
    """

    root: Path
    hosts: Path | None = None
    show: bool | None = None


def missing(jobs: Iterable[Job], store: Store) -> list[Job]:
    """The jobs that have to run, bases first.

    Raises:
        UserError: one of the jobs cannot start from its base.
    """
    return [job for job in with_dependencies(jobs) if store.find(job) is None]


def failed(results: Iterable[Result | None]) -> Failure | None:
    """The first failure among the jobs below another."""
    return next((result for result in results if isinstance(result, Failure)), None)


def run_job(job: Job, place: Place, *, wait: bool = True) -> Result | None:
    """Make the artifact of `job`, whose base must be in the store already.

    A job that is already running in another process is waited for, and then found; without `wait`
    the result is None. A user's mistake or a model that does not fit comes back as a `Failure`; a
    bug raises.
    """
    store = Store(place.root)
    try:
        check(job)
        with store.claim(job, wait=wait) as held:
            if not held:
                return None
            return store.find(job) or store.finish(job) or _make(job, store, place)
    except (UserError, NotApplicable) as error:
        return Failure(reason=str(error), applicable=isinstance(error, UserError))


def _make(job: Job, store: Store, place: Place) -> Artifact:
    from lazarus_bench import backend

    made_by = backend.manifest(job.dtype).as_strings()
    with on_own_core(), weights_as(job.dtype), store.writing(job, made_by) as out:
        if job.ranks > 1:
            from lazarus_bench.jobs.ranks import run_ranked

            base = base_directory(job, store)
            run_ranked(job.recipe, base, out, job.seed, job.ranks, place.hosts)
        else:
            job.recipe.train(start(job, store), out, job.seed, place.show)
    artifact = store.find(job)
    if artifact is None:
        raise RuntimeError(f"{job.label} left no whole artifact at {store.path(job)}")
    return artifact


def start(job: Job, store: Store) -> Path | Stack | None:
    """What `job` starts from: a model's directory, or an adapter's and its model's."""
    directory = base_directory(job, store)
    if not (job.recipe.on_adapter and isinstance(job.base, Job) and directory):
        return directory
    model = base_directory(job.base, store)
    if model is None:
        raise ValueError(f"{job.base.label} left an adapter, and an adapter has a base")
    return Stack(model=model, adapter=directory)


def base_directory(job: Job, store: Store) -> Path | None:
    """The directory of the base of `job`; None for a job from scratch.

    Raises:
        UserError: the given model is not here, or is another one here.
    """
    if job.base is None:
        return None
    if isinstance(job.base, Checkpoint):
        return checkpoint_directory(job.base)
    return store.path(job.base)


@cache
def checkpoint_directory(checkpoint: Checkpoint) -> Path:
    """The directory of a given model on this machine, its content compared once a process.

    Raises:
        UserError: it is not here, or what is here is another model.
    """
    from lazarus_bench.models.files import fingerprint, resolve

    directory = resolve(checkpoint.source)
    if fingerprint(directory) != checkpoint.fingerprint:
        raise UserError(
            f"{directory} is not the model that the session was given: copy the same files to that "
            f"path on every machine, and leave them as they are while it runs"
        )
    return directory
