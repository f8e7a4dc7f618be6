"""A dask scheduler and its workers from dask's own command line, as separate processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PATIENCE = 60.0


def wait_for(condition, what: str):
    until = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < until, what
        time.sleep(0.05)
    return found


def dask(*arguments: str, log: Path, **environment: str) -> subprocess.Popen:
    with log.open("w") as stream:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments],
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
            cwd=log.parent,
            start_new_session=True,
        )


def stop(process: subprocess.Popen) -> None:
    """End a process and everything it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def scheduler(folder: Path) -> Iterator[str]:
    """A scheduler's address."""
    file = folder / "scheduler.json"
    process = dask(
        *("scheduler", "--port", "0", "--no-dashboard", "--host", "127.0.0.1"),
        *("--scheduler-file", str(file)),
        log=folder / "scheduler.log",
    )
    (folder / "scheduler.pid").write_text(str(process.pid))

    def address() -> str | None:
        try:
            return json.loads(file.read_text())["address"]
        except (OSError, ValueError):
            return None

    try:
        yield wait_for(address, "the scheduler never came up")
    finally:
        stop(process)


@contextmanager
def worker(
    folder: Path, address: str, name: str, *more: str, **environment: str
) -> Iterator[subprocess.Popen]:
    """One worker process without a nanny, so that its pid is the one that trains."""
    process = dask(
        *("worker", address, "--no-nanny", "--no-dashboard", "--name", name),
        *("--local-directory", str(folder / f"{name}-scratch")),
        *(more or ("--nthreads", "1")),
        log=folder / f"{name}.log",
        **environment,
    )
    try:
        yield process
    finally:
        stop(process)
