"""Meters: arms timed in turn, in one process and run, and peaks of memory."""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from lazarus_bench.judge.rounds import Floats
from lazarus_bench.training.apart import peak_since_start

Arm = Callable[[], float]
"""Does its work once, to the end, and returns its cost: seconds, or seconds a unit."""

RESET = Path("/proc/self/clear_refs")


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
        gc.collect()
        enabled = gc.isenabled()
        gc.disable()
        try:
            for name in list(arms)[:: 1 if turn % 2 == 0 else -1]:
                cost = arms[name]()
                if turn >= 0:
                    found[name].append(cost)
        finally:
            if enabled:
                gc.enable()
    return {name: np.array(costs) for name, costs in found.items()}


def peak_bytes(work: Callable[[], Any]) -> tuple[Any, int]:
    """The result of `work`, and the bytes by which it raised mlx's allocator."""
    from lazarus_bench import backend

    backend.mx.clear_cache()
    before = backend.mx.get_active_memory()
    backend.reset_peak_memory()
    found = work()
    return found, max(0, backend.peak_memory() - before)


def resident_peak(work: Callable[[], object]) -> int | None:
    """Most bytes that this process held in memory during `work`.

    None where they cannot be told from what it held before: Linux alone forgets an earlier peak
    (proc(5), *clear_refs*, 5), and some containers forbid it. What was freed and kept for use again
    (`backend`) is given back first (malloc_trim(3)), or it would count as held.
    """
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
    try:
        RESET.write_text("5", encoding="ascii")
    except OSError:
        work()
        return None
    work()
    return peak_since_start()
