"""The trainings of a command: made in the store, followed on standard error, put where asked."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lazarus_bench.cli import folders, terminal
from lazarus_bench.errors import UserError
from lazarus_bench.jobs.artifact import Artifact, read_artifact
from lazarus_bench.jobs.spec import Job
from lazarus_bench.jobs.store import Store

QUIET_SECONDS = 60.0
"""Without a terminal, how long nothing is said about a training."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """One stage: its job, what came of it where it was put, and whether it was there before."""

    job: Job
    artifact: Artifact
    found: bool

    @property
    def directory(self) -> Path:
        """Where it lies."""
        return self.artifact.directory


def check_folders(folder: Path, places: Sequence[Path], jobs: Sequence[Job]) -> None:
    """Make sure that --output can be written, and is empty or holds some of these trainings.

    Raises:
        UserError: it holds something else, or cannot be written.
    """
    if folder not in places:
        folders.check_free(folder, [place.name for place in places])
    for place, job in zip(places, jobs, strict=True):
        if not folders.holds(place, job.digest):
            folders.check_free(place)
            folders.check_place(place)


def put(job: Job, place: Path | None, store: Store) -> Trained:
    """Train `job` unless it was, and copy it to `place`, unless that holds it already.

    Raises:
        UserError: it cannot be trained, or `place` cannot be written.
    """
    if place is not None and folders.holds(place, job.digest):
        return Trained(job=job, artifact=read_artifact(place), found=True)
    known = store.find(job)
    artifact = known or make(job, store)
    if place is not None:
        with folders.new_folder(place) as work, terminal.busy(f"copying to {place}"):
            shutil.copytree(artifact.directory, work, dirs_exist_ok=True)
        artifact = read_artifact(place)
    return Trained(job=job, artifact=artifact, found=known is not None)


def make(job: Job, store: Store) -> Artifact:
    """Train `job` and what it stands on, as far as the store lacks it.

    Raises:
        UserError: a training cannot be done.
        KeyboardInterrupt: after a line on how to go on.
    """
    from lazarus_bench import backend
    from lazarus_bench.jobs.work import missing

    # transformers would warn of a text that is longer than the context before we cut it.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    backend.set_threads()
    backend.warn_if_slow()
    for needed in missing([job], store):
        with _followed(needed, store):
            try:
                _run(needed, store)
            except KeyboardInterrupt:
                say(_how_to_go_on(needed, store))
                raise
    artifact = store.find(job)
    if artifact is None:
        why = store.damage(job) or f"{job.label} is gone from the store {store.root}"
        raise UserError(f"{why}: run the same command again")
    return artifact


def _run(job: Job, store: Store) -> None:
    from lazarus_bench.jobs.work import Failure, Place, run_job

    place = Place(root=store.root)
    result = run_job(job, place, wait=False)
    if result is None:
        say("another process is at this training; waiting for what it leaves")
        result = run_job(job, place)
    if isinstance(result, Failure) and not result.applicable:
        raise UserError(
            f"{job.recipe.label} does not fit this model ({result.reason}): train another one"
        )
    if isinstance(result, Failure):
        raise UserError(result.reason)


def say(line: str) -> None:
    """A line on standard error."""
    print(line, file=sys.stderr, flush=True)


def _how_to_go_on(job: Job, store: Store) -> str:
    from lazarus_bench.training.record import RESUME, latest

    working = store.working(job)
    log = latest(working)
    if log is None or not (working / RESUME).is_dir():
        return f"{job.recipe.label} was stopped before a step was kept: the same command begins it"
    return (
        f"{job.recipe.label} was stopped after step {log.step} of {log.steps}, kept in {working}: "
        f"run the same command to go on"
    )


@contextmanager
def _followed(job: Job, store: Store) -> Iterator[None]:
    """A line a minute on standard error where no terminal shows the bar."""
    if sys.stderr.isatty():
        yield
        return
    done = threading.Event()
    teller = threading.Thread(target=_tell, args=(job, store, done), daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()


def _tell(job: Job, store: Store, done: threading.Event) -> None:
    from lazarus_bench.jobs.progress import Progress

    progress = Progress([job], 1, store)
    while not done.wait(QUIET_SECONDS):
        say(progress.status())
