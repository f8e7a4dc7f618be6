"""Arms take turns, and nothing else is counted."""

import gc
import time

import pytest

from lazarus_bench.benchmark.stopwatch import interleaved, timed


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


def test_an_arm_takes_the_time_of_its_work():
    assert 0.02 <= timed(lambda: time.sleep(0.02))() < 1.0
