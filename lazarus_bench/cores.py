"""A core for each process that trains: what a process's threads cost one another on a CPU.

mlx computes on a thread of its own, to which the main thread hands operations one by one. On two
cores, the two threads put each other to sleep and wake each other some thousand times a training
step; on one core they take turns. One training a core is how the executors share a machine anyway.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from lazarus_bench.errors import UserError

VARIABLE = "LAZARUS_BENCH_CORES"
"""`shared` leaves a training on all cores; `own`, the default, gives it one."""

SIBLINGS = "/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list"


@contextmanager
def on_own_core() -> Iterator[int | None]:
    """Keep this process, all its threads, on one core that no other such process has.

    Gives the core; None, and nothing changes, where `LAZARUS_BENCH_CORES` says `shared`, on systems
    other than Linux, for a process that has one core already, and when all cores are taken.

    Raises:
        UserError: `LAZARUS_BENCH_CORES` is neither `own` nor `shared`.
    """
    allowed = _choice()
    claim = _claim(allowed)
    if claim is None:
        yield None
        return
    core, lock = claim
    with lock:
        _confine({core}, os.SCHED_BATCH)
        try:
            yield core
        finally:
            _confine(allowed, os.SCHED_OTHER)


def _choice() -> set[int]:
    """The cores to choose from; none where there is nothing to choose."""
    wish = os.environ.get(VARIABLE, "own")
    if wish not in ("own", "shared"):
        raise UserError(f"{VARIABLE}={wish} is neither own nor shared: give one of the two")
    if wish == "shared" or not hasattr(os, "sched_setaffinity"):
        return set()
    cores = os.sched_getaffinity(0)
    return cores if len(cores) > 1 else set()


def _claim(cores: set[int]) -> tuple[int, IO[str]] | None:
    """The first core that is free, and the open file whose lock holds it, even if we are killed."""
    for core in sorted(cores, key=_preference):
        with suppress(OSError):
            lock = _locked(core)
            return core, lock
    return None


def _locked(core: int) -> IO[str]:
    import fcntl

    folder = Path(tempfile.gettempdir(), f"lazarus-bench-cores-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    file = (folder / str(core)).open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file


def _preference(core: int) -> tuple[int, int]:
    """Two threads of one physical core share its arithmetic, so its second comes late."""
    try:
        siblings = Path(SIBLINGS.format(core=core)).read_text()
    except OSError:
        return 0, core
    threads = [int(number) for number in siblings.replace("-", ",").split(",")]
    return int(core != min(threads)), core


def _confine(cores: set[int], policy: int) -> None:
    """Put every thread on `cores`; under SCHED_BATCH none interrupts another when it wakes."""
    for thread in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # it may have ended
            os.sched_setaffinity(int(thread.name), cores)
            os.sched_setscheduler(int(thread.name), policy, os.sched_param(0))
