"""Processes that share the jobs, through dask.distributed: a local cluster, or one that is there.

dask schedules, watches and restarts; what a worker does is `work.run_job`, as everywhere. Results
travel through the store, so every worker must see it at the same path.
"""

from __future__ import annotations

import logging
import os
import socket
import time
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from lazarus_bench.errors import UserError
from lazarus_bench.jobs.executors import Tick
from lazarus_bench.jobs.spec import Job
from lazarus_bench.jobs.work import Failure, Place, Result, failed, run_job
from lazarus_bench.versions import versions

if TYPE_CHECKING:
    from distributed import Client, Future

ACCELERATOR = "accelerator"
"""The dask resource of which a training takes one, where workers offer it."""

SAME = ("lazarus-bench", "revision", "mlx", "mlx-lm", "numpy", "tokenizers")
"""What must be the same on every worker, since results must be."""

QUIET = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
}
"""dask's own observers, which look every few milliseconds and so take a tenth of two cores."""

PATIENCE_SECONDS = 20.0
FORGOTTEN_SECONDS = 30 * 86400.0
"""Age at which the token of a session that was killed is removed."""

TICK_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """What a worker checks before it trains: the client's versions, and a file of its store."""

    place: Place
    token: Path
    versions: Mapping[str, str]

    def check(self) -> None:
        """Make sure that this process can work for the client.

        Raises:
            UserError: it sees another store, or has other versions.
        """
        if not self.token.exists():
            raise UserError(
                f"it does not see the store {self.place.root}: put the store on a file system that "
                f"all workers mount at the same path"
            )
        here = versions()
        for name in SAME:
            if here[name] != self.versions[name]:
                raise UserError(
                    f"it has {name} {here[name]}, not {self.versions[name]}: install the same"
                )


def _work(job: Job, ticket: Ticket, bases: list[Result]) -> Result:
    """One job, on a worker."""
    from lazarus_bench import backend

    try:
        ticket.check()
        backend.set_threads()
    except UserError as error:
        return Failure(reason=f"worker {_host()}: {error}", applicable=True)
    result = failed(bases) or run_job(job, ticket.place, wait=True)
    assert result is not None  # it waited
    return result


def _host() -> str:
    from distributed import get_worker

    return str(get_worker().address)


class Cluster:
    """Jobs on the workers of a dask client, each after its bases."""

    def __init__(
        self, place: Place, *, workers: int | None = None, scheduler: str | None = None
    ) -> None:
        """Start `workers` processes here, or join the cluster of `scheduler`."""
        self.workers = workers or 0
        self._place = replace(place, show=False)
        self._scheduler = scheduler
        self._futures: dict[str, Future[Any]] = {}
        self._jobs: dict[str, Job] = {}
        self._resources: dict[str, float] | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            UserError: no scheduler answers, it has no workers, or one of them cannot work for us.
        """
        with self._stack as stack:
            client = _started(self.workers) if self._scheduler is None else _joined(self._scheduler)
            self._client: Client = stack.enter_context(client)
            token = stack.enter_context(_token(self._place.root))
            self._ticket = Ticket(place=self._place, token=token, versions=versions())
            if self._scheduler is not None:
                self._inspect()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Drop what is not finished, and close what was started."""
        for future in self._futures.values():
            if not future.done():
                future.cancel(force=True)
        self._futures.clear()
        self._stack.close()

    def _inspect(self) -> None:
        """Look at the workers that are there: their threads, accelerators, versions, store."""
        known = self._client.scheduler_info(n_workers=-1)["workers"]
        offers = {name: about.get("resources", {}) for name, about in known.items()}
        if any(ACCELERATOR in offer for offer in offers.values()):
            self._resources = {ACCELERATOR: 1.0}
            offers = {name: offer for name, offer in offers.items() if ACCELERATOR in offer}
            self.workers = int(sum(offer[ACCELERATOR] for offer in offers.values()))
        else:
            self.workers = len(known)
            _check_threads(known)
        found = self._client.run(self._ticket.check, workers=[*offers], on_error="return")
        for name, error in found.items():
            if error is not None:
                raise UserError(f"worker {name} of {self._scheduler}: {error}")

    def submit(self, job: Job, *dependencies: Job) -> None:
        """Hand `job` to the scheduler, which starts it once `dependencies` are done."""
        self._jobs[job.digest] = job
        self._futures[job.digest] = self._client.submit(
            _work,
            job,
            self._ticket,
            [self._futures[base.digest] for base in dependencies],
            key=f"{job.recipe.kind}-{job.digest[:12]}-{uuid.uuid4().hex[:8]}",
            priority=-len(self._futures),
            resources=self._resources,
        )

    def completed(self, tick: Tick) -> Iterator[tuple[Job, Result]]:
        """Results as the workers finish; a job whose workers keep dying is a failure."""
        from distributed import wait

        waiting = dict(self._futures)
        while waiting:
            try:
                wait([*waiting.values()], timeout=TICK_SECONDS, return_when="FIRST_COMPLETED")
            except TimeoutError:
                tick()
            for digest in [digest for digest, future in waiting.items() if future.done()]:
                job = self._jobs[digest]
                yield job, _result(job, waiting.pop(digest))


def _result(job: Job, future: Future[Any]) -> Result:
    from distributed import KilledWorker

    try:
        result: Result = future.result()
    except KilledWorker:
        return Failure(
            reason=f"{job.label} seed {job.seed} took several workers with it: look at their logs, "
            f"and at their memory",
            applicable=True,
        )
    return result


def _check_threads(known: Mapping[str, Mapping[str, Any]]) -> None:
    for name, about in known.items():
        if about["nthreads"] > 1:
            raise UserError(
                f"worker {name} runs {about['nthreads']} tasks at a time in one process, which "
                f"would share its BLAS and its random numbers: start it with --nthreads 1"
            )


@contextmanager
def _token(root: Path) -> Iterator[Path]:
    """A file in the store by which a worker knows that it sees the same one."""
    folder = root / ".sessions"
    token = folder / uuid.uuid4().hex
    try:
        folder.mkdir(exist_ok=True)
        for old in folder.iterdir():
            if time.time() - old.stat().st_mtime > FORGOTTEN_SECONDS:
                old.unlink(missing_ok=True)
        token.touch()
    except OSError as error:
        raise UserError(
            f"the store {root} cannot be written ({error.strerror}): choose another with --lb-store"
        ) from error
    try:
        yield token
    finally:
        token.unlink(missing_ok=True)


@contextmanager
def _started(workers: int) -> Iterator[Client]:
    """A cluster of this machine's processes, one BLAS thread each, that ends with the context."""
    import dask
    from distributed import Client, LocalCluster

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with (
        dask.config.set(QUIET),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",
            memory_limit=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@contextmanager
def _joined(address: str) -> Iterator[Client]:
    """A client of the scheduler at `address`, which stays up afterwards."""
    from distributed import Client

    try:
        _knock(address)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `Ticket` compares the versions that matter
            client = Client(address, timeout=PATIENCE_SECONDS)
    except (OSError, TimeoutError, ValueError) as error:
        raise UserError(
            f"no dask scheduler answers at {address} ({str(error).splitlines()[0]}): start one "
            f"with `dask scheduler`, and give the tcp:// address it prints"
        ) from error
    with client:
        _wait_for_workers(client, address)
        yield client


def _knock(address: str) -> None:
    """Find out whether anybody listens, sooner than a client would and without leaving one behind.

    Raises:
        OSError: nobody does.
        ValueError: it is no address.
    """
    url = urlsplit(address)
    if url.scheme not in ("tcp", "tls") or not url.hostname or not url.port:
        raise ValueError("no address of the form tcp://HOST:PORT")
    socket.create_connection((url.hostname, url.port), timeout=PATIENCE_SECONDS).close()


def _wait_for_workers(client: Client, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=PATIENCE_SECONDS)
    except TimeoutError as error:
        raise UserError(
            f"the scheduler {address} has no workers: start one with `dask worker {address} "
            f"--nthreads 1` on each machine"
        ) from error
