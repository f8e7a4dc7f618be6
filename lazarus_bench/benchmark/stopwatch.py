"""Timing arms in turn: one process, one run, the same disturbances for all."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from lazarus_bench.judge.rounds import Floats

Arm = Callable[[], float]
"""Does its work once, to the end, and gives what it cost: seconds, or seconds a unit."""


def timed(work: Callable[[], object]) -> Arm:
    """An arm that takes the time of `work`, which must evaluate whatever it computes."""

    def arm() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return arm


def interleaved(arms: Mapping[str, Arm], rounds: int, warm: int = 1) -> dict[str, Floats]:
    """Costs `[round]` of every arm; each round takes every arm once, in turning order.

    The order is reversed every second round, so that a machine that slows down favours none.
    `warm` rounds before the first do not count. The garbage collector runs between rounds only.
    """
    found: dict[str, list[float]] = {name: [] for name in arms}
    for turn in range(-warm, rounds):
        with _no_collector():
            for name in list(arms)[:: 1 if turn % 2 == 0 else -1]:
                cost = arms[name]()
                if turn >= 0:
                    found[name].append(cost)
    return {name: np.array(costs) for name, costs in found.items()}


@contextmanager
def _no_collector() -> Iterator[None]:
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
