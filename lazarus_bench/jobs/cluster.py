"""Processes that share the jobs, through dask.distributed: a local cluster, or an existing one.

dask schedules, watches and restarts; what a worker does is `work.run_job`, as everywhere. Results
travel through the store, so every worker must see it at the same path.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import socket
import ssl
import sys
import tempfile
import threading
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from tqdm import tqdm

from lazarus_bench.cores import remove_registration
from lazarus_bench.errors import UserError
from lazarus_bench.jobs.locks import keep_young, token
from lazarus_bench.jobs.spec import Job, reads
from lazarus_bench.jobs.store import Store
from lazarus_bench.jobs.work import (
    Failure,
    Place,
    Result,
    Tick,
    base_directory,
    failed,
    run_job,
)
from lazarus_bench.versions import versions

if TYPE_CHECKING:
    from distributed import Client, Future, LocalCluster, Security

ACCELERATOR = "accelerator"
"""The dask resource of which a training takes one, where workers offer it."""

SAME = ("lazarus-bench", "revision", "mlx", "mlx-lm", "numpy", "tokenizers")
"""What must be the same on every worker, since results must be."""

QUIET = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}
"""dask's own observers, which look every few milliseconds and so take a tenth of two cores; and its
pages, which any user of the machine may read."""

PATIENCE_SECONDS = 20.0
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

    tqdm.set_lock(threading.RLock())  # its own is a semaphore, which a killed process leaks
    try:
        ticket.check()
        base_directory(job, Store(ticket.place.root))
        backend.set_threads()
    except UserError as error:
        from distributed import get_worker

        return Failure(reason=f"worker {get_worker().address}: {error}", applicable=True)
    result = failed(bases) or run_job(job, ticket.place, wait=True)
    assert result is not None  # it waited
    return result


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
        self._resources: dict[str, float] | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Connect, and check the workers that are there.

        Raises:
            UserError: no scheduler answers, it has no workers, or one of them cannot work for us.
        """
        with self._stack as stack:
            stack.enter_context(_interrupted_once())
            client = _started(self.workers) if self._scheduler is None else _joined(self._scheduler)
            self._client: Client = stack.enter_context(client)
            seen = stack.enter_context(token(self._place.root))
            self._ticket = Ticket(place=self._place, token=seen, versions=versions())
            if self._scheduler is not None:
                self._check_workers()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Drop what is not finished, and close what was started."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        with suppress(OSError):  # the scheduler may be gone
            for future in self._futures.values():
                if not future.done():
                    future.cancel(force=True)
            self._futures.clear()
            self._stack.close()

    def _check_workers(self) -> None:
        """Check the workers' threads, versions and store, and count their accelerators."""
        known = self._client.scheduler_info(n_workers=-1)["workers"]
        offers = {name: about.get("resources", {}) for name, about in known.items()}
        if any(ACCELERATOR in offer for offer in offers.values()):
            self._resources = {ACCELERATOR: 1.0}
            offers = {name: offer for name, offer in offers.items() if ACCELERATOR in offer}
            self.workers = int(sum(offer[ACCELERATOR] for offer in offers.values()))
        else:
            self.workers = len(known)
            for name, about in known.items():
                if about["nthreads"] > 1:
                    raise UserError(
                        f"worker {name} runs {about['nthreads']} tasks at a time in one process, "
                        f"which would share its BLAS and its random numbers: start it with "
                        f"--nthreads 1"
                    )
        found = self._client.run(self._ticket.check, workers=[*offers], on_error="return")
        for name, error in found.items():
            if error is not None:
                raise UserError(f"worker {name} of {self._scheduler}: {error}")

    def run(self, jobs: list[Job], tick: Tick) -> Iterator[tuple[Job, Result]]:
        """Have the scheduler start each job after its bases; a job that kills workers fails."""
        for job in jobs:
            self._submit(job)
        waiting = {job.digest: job for job in jobs}
        while waiting:
            if not self._any_done([self._futures[digest] for digest in waiting]):
                keep_young(self._ticket.token)
                tick()
            for digest in [digest for digest in waiting if self._futures[digest].done()]:
                job = waiting.pop(digest)
                yield job, self._result(job)

    def _submit(self, job: Job) -> None:
        bases = (self._futures.get(base.digest) for base in reads(job))
        self._futures[job.digest] = self._client.submit(
            _work,
            job,
            self._ticket,
            [base for base in bases if base is not None],
            key=f"{job.recipe.kind}-{job.digest[:12]}-{uuid.uuid4().hex[:8]}",
            priority=-len(self._futures),
            resources=self._resources,
        )

    def _any_done(self, futures: list[Future[Any]]) -> bool:
        """Wait a moment for one of `futures`."""
        from distributed import wait

        try:
            with self._reachable():
                wait(futures, timeout=TICK_SECONDS, return_when="FIRST_COMPLETED")
        except TimeoutError:
            return False
        return True

    def _result(self, job: Job) -> Result:
        from distributed import KilledWorker

        try:
            with self._reachable():
                result: Result = self._futures[job.digest].result()
            return result
        except KilledWorker:
            return Failure(
                reason=f"{job.label} seed {job.seed} took several workers with it: look at their "
                f"logs, and at their memory",
                applicable=True,
            )

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        """Say so where the scheduler is gone."""
        from distributed.client import FutureCancelledError, FuturesCancelledError
        from distributed.comm.core import CommClosedError

        try:
            yield
        except (FutureCancelledError, FuturesCancelledError, CommClosedError) as error:
            raise UserError(
                f"the scheduler {self._scheduler or 'of this machine'} went away: start it again, "
                f"and run the same command; what is done is kept"
            ) from error


@contextmanager
def _interrupted_once() -> Iterator[None]:
    """Heed the first interrupt; an impatient second one waits until workers have been stopped.

    Two in a row would find the wait for a result half unwound, and a lock that nobody holds. The
    end of a terminal or of a service is an interrupt too: by default neither would stop workers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def once(number: int, frame: FrameType | None) -> None:
        for other in before:
            signal.signal(other, signal.SIG_IGN)
        signal.default_int_handler(number, frame)

    ends = [
        end for end in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(end) is signal.SIG_DFL
    ]
    before = {number: signal.signal(number, once) for number in (signal.SIGINT, *ends)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _started(workers: int) -> Iterator[Client]:
    """A cluster of this machine's processes, one BLAS thread each, that ends with the context.

    A scheduler and its workers run code for whoever reaches their ports, which any user of the
    machine does; so they heed only who holds the key that is made here and never leaves memory.
    """
    import dask
    from distributed import Client, LocalCluster, Security, Worker, WorkerPlugin

    class EndAtOnce(WorkerPlugin):
        """Ends a worker's process before Python unwinds it, once dask has closed the worker.

        Python would unwind threads that wait for the interpreter. mlx's computing thread is one, in
        frames that may not be unwound, and C++ would abort the process ("terminate called without
        an active exception"). The worker's nanny removes what the process leaves on disk.
        """

        def setup(self, worker: Worker) -> None:  # noqa: ARG002 - the plugin's interface
            """Be the last function called at exit, but for those registered before."""
            atexit.register(_end_at_once)
            Path(processes, str(os.getpid())).touch()

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="lazarus-bench-"))
        stack.enter_context(dask.config.set({**QUIET, "temporary-directory": folder}))
        processes = stack.enter_context(_cleared_after(Path(folder, "processes")))
        with _deaf_children():
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                security=Security.temporary(),
                dashboard_address="127.0.0.1:0",  # its server of health checks is always started
                scheduler_kwargs={"dashboard": False},
                memory_limit=None,
                silence_logs=logging.CRITICAL,
            )
            stack.callback(_end, cluster)
        client = stack.enter_context(Client(cluster))
        client.register_plugin(EndAtOnce())
        yield client


def _end(cluster: LocalCluster) -> None:
    """Close `cluster`, again where a connection was not yet whole when an interrupt ended it.

    With OpenSSL 3.6 what is read from such a one is an error, which leaves the workers alone.
    """
    from distributed.comm.core import CommClosedError
    from distributed.core import Status

    try:
        cluster.close()
    except CommClosedError:
        cluster.status = Status.running
        cluster.close()


@contextmanager
def _cleared_after(processes: Path) -> Iterator[Path]:
    """A folder with a file named for each process, whose traces are removed after the block.

    Workers leave by `os._exit` or are killed, and one that was killed is replaced by another.
    """
    processes.mkdir()
    try:
        yield processes
    finally:
        for process in processes.iterdir():
            remove_registration(int(process.name))


def _end_at_once() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Threads started in the block, and their processes, take no Ctrl-C; ours comes after it.

    A terminal sends it to workers too, which would end themselves, each with a trace, while they
    are being closed.
    """
    resource_tracker.ensure_running()  # starting it later would let the signal through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _joined(address: str) -> Iterator[Client]:
    """A client of the scheduler at `address`, which stays up afterwards."""
    from distributed import Client

    try:
        _knock(address)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `Ticket` compares the versions that matter
            client = Client(address, timeout=PATIENCE_SECONDS)
    except (OSError, TimeoutError) as error:
        (reason, *_) = (str(error) or type(error).__name__).splitlines()
        raise UserError(
            f"no dask scheduler answers at {address} ({reason}): start one "
            f"with `dask scheduler`, and give the tcp:// or tls:// address it prints"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE_SECONDS)
        except TimeoutError as error:
            raise UserError(
                f"the scheduler {address} has no workers: start one with `dask worker {address} "
                f"--nthreads 1` on each machine"
            ) from error
        yield client


def _knock(address: str) -> None:
    """Hear a first byte from the scheduler at `address`, which greets whom it lets in.

    That is sooner than a client would tell, which would also be left behind, half made.

    Raises:
        UserError: `address` is none, or wants certificates and there are none here.
        OSError: nobody answers, or our certificates are refused.
    """
    from distributed import Security

    host, port = check_address(address)
    with ExitStack() as stack:
        line = stack.enter_context(socket.create_connection((host, port), PATIENCE_SECONDS))
        if address.lower().startswith("tls"):
            line = stack.enter_context(_tls(Security(), address).wrap_socket(line))
        if not line.recv(1):
            raise ConnectionResetError("it closed the connection")


def _tls(security: Security, address: str) -> ssl.SSLContext:
    """What the user's certificates say of themselves and trust."""
    context: ssl.SSLContext | None = security.get_connection_args("client")["ssl_context"]
    if context is None:
        raise UserError(
            f"the scheduler {address} wants certificates, and there are none here: name them in "
            f"DASK_DISTRIBUTED__COMM__TLS__CA_FILE, …__CLIENT__CERT and …__CLIENT__KEY"
        )
    return context


def check_address(address: str, flag: str = "--scheduler") -> tuple[str, int]:
    """The host and port in `address`, which the user gave with `flag`.

    Raises:
        UserError: it is no address.
    """
    try:
        url = urlsplit(address)
        host, port = url.hostname, url.port
    except ValueError:
        host = port = None
    if not host or not port or url.scheme not in ("tcp", "tls"):
        raise UserError(
            f"{flag} {address!r} is not an address: give the tcp://HOST:PORT or "
            f"tls://HOST:PORT that `dask scheduler` prints"
        )
    return host, port
