"""One core per training process, which avoids contention between its threads on a CPU.

mlx computes on a thread of its own, to which the main thread passes operations one by one. On two
cores, the two threads suspend and wake each other about a thousand times per training step; on one
core they take turns. The executors run one training per core anyway.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lazarus_bench.errors import UserError
from lazarus_bench.private import private_folder

VARIABLE = "LAZARUS_BENCH_CORES"
"""`shared` leaves a training on all cores; `own`, the default, gives it one."""

Schedule = tuple[set[int], int]
"""The cores that a thread may run on, and its scheduling policy."""

SIBLINGS = "/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list"

SHARED_MEMORY = "/dev/shm"


@contextmanager
def on_own_core() -> Iterator[int | None]:
    """Keep this process, all its threads, on one core that no other one of this user's has.

    Gives the core; None, and nothing changes, where `LAZARUS_BENCH_CORES` says `shared`, on systems
    other than Linux, on an accelerator, with several BLAS threads, for a process that has one core
    already, and when all cores are taken.

    Raises:
        UserError: `LAZARUS_BENCH_CORES` is neither `own` nor `shared`.
    """
    claim = _claim(_choice())
    if claim is None:
        yield None
        return
    core, lock = claim
    before = _schedules()
    try:
        for thread in before:
            _schedule(thread, ({core}, os.SCHED_BATCH))
        # numpy's and scipy's BLAS would put a second thread on the core, to wait for it.
        import scipy.linalg  # noqa: F401 - only libraries that are loaded can be limited
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, user_api="blas"):
            yield core
    finally:
        # Threads that began inside have their parent's schedule; the main thread's was its own.
        usual = before[os.getpid()]
        for thread in _schedules():
            _schedule(thread, before.get(thread, usual))
        os.close(lock)


def check_wish() -> str:
    """What `LAZARUS_BENCH_CORES` says.

    Raises:
        UserError: it is neither `own` nor `shared`.
    """
    wish = os.environ.get(VARIABLE, "own")
    if wish not in ("own", "shared"):
        raise UserError(f"{VARIABLE}={wish} is neither own nor shared: give one of the two")
    return wish


def _choice() -> set[int]:
    """The cores to choose from; none where there is nothing to choose."""
    if check_wish() == "shared" or not hasattr(os, "sched_setaffinity"):
        return set()
    from lazarus_bench import backend

    cores = os.sched_getaffinity(0)
    alone = backend.set_threads() == 1 and not backend.on_accelerator()
    return cores if alone and len(cores) > 1 else set()


def _claim(cores: set[int]) -> tuple[int, int] | None:
    """The first core that is free, and the open file whose lock holds it, even if we are killed."""
    for core in sorted(cores, key=_preference):
        with suppress(OSError):
            return core, _locked(core)
    return None


def _locked(core: int) -> int:
    import fcntl

    file = os.open(private_folder() / f"core-{core}", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file


def remove_registration(process: int) -> None:
    """Remove the entry that MKL's OpenMP runtime made in shared memory for a process that ended.

    The runtime removes it at an ordinary exit, which a killed process and `os._exit` do not make.
    """
    with suppress(OSError):
        Path(SHARED_MEMORY, f"__KMP_REGISTERED_LIB_{process}_{os.getuid()}").unlink()


def _preference(core: int) -> tuple[int, int]:
    """Two threads of one physical core share its arithmetic, so its second comes late."""
    try:
        siblings = Path(SIBLINGS.format(core=core)).read_text()
    except OSError:
        return 0, core
    threads = [int(number) for number in siblings.replace("-", ",").split(",")]
    return int(core != min(threads)), core


def _schedules() -> dict[int, Schedule]:
    """Cores and policy of every thread of this process."""
    found: dict[int, Schedule] = {}
    for thread in (int(task.name) for task in Path("/proc/self/task").iterdir()):
        with suppress(OSError):  # it may have ended
            found[thread] = (os.sched_getaffinity(thread), os.sched_getscheduler(thread))
    return found


def _schedule(thread: int, schedule: Schedule) -> None:
    """Put a thread on its cores; under SCHED_BATCH it interrupts no other when it wakes."""
    cores, policy = schedule
    with suppress(OSError):
        os.sched_setaffinity(thread, cores)
        os.sched_setscheduler(thread, policy, os.sched_param(0))
