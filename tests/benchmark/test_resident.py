"""The process's peak is of what was done, and not of what was done before."""

import subprocess
import sys

import numpy as np
import pytest

import lazarus_bench.backend  # noqa: F401 - from here on freed memory is kept
from lazarus_bench.benchmark import resident
from lazarus_bench.benchmark.resident import resident_peak

MIB = 2**20


def touched(size: int) -> object:
    return np.ones(size // 8).sum()


def test_a_peak_is_of_the_work_and_not_of_earlier_work():
    touched(64 * MIB)
    before = resident_peak(lambda: None)
    if before is None:
        pytest.skip("this system does not forget an earlier peak")
    more = resident_peak(lambda: touched(64 * MIB))
    after = resident_peak(lambda: None)
    assert more - before > 50 * MIB
    assert after < more - 50 * MIB


def test_what_is_freed_and_kept_is_not_held():
    code = """
import numpy as np
from lazarus_bench import backend  # which has the C library keep what is freed
from lazarus_bench.benchmark.resident import resident_peak

before = resident_peak(lambda: None)
np.ones(1 << 25).sum()
print(before and resident_peak(lambda: None) - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    if done.stdout == "None\n":
        pytest.skip("this system does not forget an earlier peak")
    assert int(done.stdout) < 100 * MIB  # of 256


def test_where_no_peak_can_be_reset_the_work_is_done_all_the_same(monkeypatch, tmp_path):
    monkeypatch.setattr(resident, "RESET", tmp_path / "none" / "clear_refs")
    done = []
    assert resident_peak(lambda: done.append(1)) is None
    assert done == [1]


def test_a_started_process_does_not_count_what_its_parent_held():
    held = np.ones(256 * MIB // 8)
    code = "from lazarus_bench.benchmark.resident import peak_since_start as p; print(p())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 2 * MIB < int(done.stdout) < held.nbytes
