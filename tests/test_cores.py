"""A training has a core of its own, and gives it back."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from lazarus_bench import backend, cores
from lazarus_bench.cores import VARIABLE, on_own_core
from lazarus_bench.errors import UserError
from lazarus_bench.private import private_folder

linux = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux pins threads")


@pytest.fixture(autouse=True)
def private_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other trainings on this machine hold other locks."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def several() -> Iterator[set[int]]:
    """The cores of this process, at least two of them."""
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        pytest.skip("this machine has one core")
    yield allowed
    os.sched_setaffinity(0, allowed)


def affinities() -> list[set[int]]:
    return [os.sched_getaffinity(int(t.name)) for t in Path("/proc/self/task").iterdir()]


@linux
def test_all_threads_share_one_core_and_get_theirs_back(several: set[int]) -> None:
    ready, done = threading.Event(), threading.Event()
    worker = threading.Thread(target=lambda: (ready.set(), done.wait()))
    worker.start()
    ready.wait()
    with on_own_core() as core:
        assert core in several
        assert os.sched_getaffinity(worker.native_id or 0) == {core} == os.sched_getaffinity(0)
        assert os.sched_getscheduler(0) == os.SCHED_BATCH
    assert all(found == several for found in affinities())
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    done.set()
    worker.join()


@linux
def test_a_process_that_was_polite_stays_so(several: set[int]) -> None:
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    try:
        with on_own_core():
            pass
        assert os.sched_getscheduler(0) == os.SCHED_BATCH
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@linux
def test_somebody_elses_link_is_not_followed(several: set[int], tmp_path: Path) -> None:
    theirs = tmp_path / "precious"
    theirs.write_text("kept")
    folder = private_folder()
    for core in several:
        (folder / f"core-{core}").symlink_to(theirs)
    with on_own_core() as core:
        assert core is None
    assert theirs.read_text() == "kept"


@linux
def test_several_blas_threads_keep_their_cores(
    several: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(backend.THREADS_VARIABLE, "2")
    with on_own_core() as core:
        assert core is None
    monkeypatch.undo()
    backend.set_threads()


HOLD = """
import sys
from lazarus_bench.cores import on_own_core
with on_own_core() as core:
    print(core, flush=True)
    sys.stdin.read()
"""


@linux
def test_two_processes_have_different_cores_and_a_killed_one_frees_its(several: set[int]) -> None:
    environment = {**os.environ, "TMPDIR": str(tempfile.gettempdir())}
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    assert other.stdout is not None
    theirs = int(other.stdout.readline())
    with on_own_core() as ours:
        assert ours in several - {theirs}
    other.kill()
    other.communicate()
    with on_own_core() as again:
        assert again == theirs


@linux
def test_when_all_cores_are_taken_nothing_changes(several: set[int]) -> None:
    held = [cores._locked(core) for core in several]
    with on_own_core() as core:
        assert core is None
        assert os.sched_getaffinity(0) == several
    for lock in held:
        os.close(lock)


@linux
def test_an_error_inside_frees_the_core_and_shared_takes_none(
    several: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OSError, match="disk"), on_own_core():
        raise OSError("disk full")
    assert os.sched_getaffinity(0) == several
    with on_own_core() as core:
        assert core is not None
    monkeypatch.setenv(VARIABLE, "shared")
    with on_own_core() as core:
        assert core is None


def test_an_unknown_wish_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "two")
    with pytest.raises(UserError, match="LAZARUS_BENCH_CORES=two is neither own nor shared"):
        on_own_core().__enter__()


def test_second_threads_of_a_physical_core_come_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for core, siblings in enumerate(["0-1", "0-1", "2,3", "2,3"]):
        (tmp_path / str(core)).write_text(siblings)
    monkeypatch.setattr(cores, "SIBLINGS", str(tmp_path / "{core}"))
    assert sorted([0, 1, 2, 3, 4], key=cores._preference) == [0, 2, 4, 1, 3]


@linux
def test_numpy_has_one_thread_inside(several: set[int]) -> None:
    def threads() -> set[int]:
        return {p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"}

    with threadpool_limits(2, user_api="blas"):
        with on_own_core():
            assert threads() == {1}
        assert max(threads()) == 2
