"""Arms take turns and nothing else is counted; a peak is of the work alone."""

import gc
import subprocess
import sys

import numpy as np
import pytest

import lazarus_bench.backend  # noqa: F401 - from here on freed memory is kept
from lazarus_bench.benchmark import meters
from lazarus_bench.benchmark.meters import interleaved, resident_peak, timed


def test_every_round_takes_every_arm_and_turns_the_order():
    calls = []

    def arm(name):
        return lambda: calls.append(name) or 1.0

    found = interleaved({"a": arm("a"), "b": arm("b")}, rounds=3, warm=1)
    assert "".join(calls) == "ba" + "ab" + "ba" + "ab"
    assert {name: len(costs) for name, costs in found.items()} == {"a": 3, "b": 3}


def test_warm_rounds_do_not_count():
    costs = iter([100.0, 1.0, 2.0])
    assert interleaved({"a": lambda: next(costs)}, rounds=2, warm=1)["a"].tolist() == [1.0, 2.0]


def test_the_collector_sleeps_in_an_arm_and_wakes_after_it_even_if_it_fails():
    def arm():
        assert not gc.isenabled()
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        interleaved({"a": arm}, rounds=1)
    assert gc.isenabled()


def test_an_arm_takes_the_time_of_its_work(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(meters.time, "perf_counter", lambda: clock[0])
    assert timed(lambda: clock.append(clock.pop() + 2.5))() == 2.5


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
from lazarus_bench.benchmark.meters import resident_peak

before = resident_peak(lambda: None)
np.ones(1 << 25).sum()
print(before and resident_peak(lambda: None) - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    if done.stdout == "None\n":
        pytest.skip("this system does not forget an earlier peak")
    assert int(done.stdout) < 100 * MIB  # of 256


def test_where_no_peak_can_be_reset_the_work_is_done_all_the_same(monkeypatch, tmp_path):
    monkeypatch.setattr(meters, "RESET", tmp_path / "none" / "clear_refs")
    done = []
    assert resident_peak(lambda: done.append(1)) is None
    assert done == [1]
