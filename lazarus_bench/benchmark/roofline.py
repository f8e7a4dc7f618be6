"""What the machine does at most: matrix products by size, memory, exp(), and one operation's cost.

The roofline of Williams, Waterman and Patterson (Commun. ACM 52, 2009): a kernel is bounded by the
rate of products or by bytes over bandwidth. Bytes are those read and written, 4 a number.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from lazarus_bench.backend import mx
from lazarus_bench.benchmark.document import Roof
from lazarus_bench.benchmark.gate import inverse
from lazarus_bench.benchmark.meters import interleaved
from lazarus_bench.judge.rounds import Floats, Interval, median

SQUARES = (64, 128, 256, 512, 1024, 2048)

LAB_PRODUCTS = ((80, 96, 96), (80, 96, 192), (80, 192, 96), (80, 96, 8), (640, 96, 192))
"""Rows, inner and columns of products in a lab model's trainings: eight prompts of ten tokens on
its linears and LoRA, and a pretraining step's tokens."""

BYTES = (1 << 18, 1 << 22, 1 << 26, 1 << 28)
"""Within a core's cache, about its edge, and beyond all caches."""

LEAST_SECONDS = 0.01
"""Of one timing, so that the clock's resolution does not matter."""

Work = Callable[[int], object]
"""Does something so many times, to the end."""


def rates(
    works: Mapping[str, tuple[Work, float]], rounds: int, least: float = LEAST_SECONDS
) -> dict[str, Floats]:
    """Units a second `[round]` of several works, timed in turn, each timing at least so long.

    Each work comes with the units that doing it once is worth; `least` is in seconds.
    """
    counts: dict[str, int] = {}
    for name, (work, _) in works.items():
        count = 1
        while (each := seconds_each(work, count)) * count < least:
            count = max(2 * count, min(100 * count, int(least / max(each, 1e-9))))
        counts[name] = count
    arms = {name: partial(seconds_each, work, counts[name]) for name, (work, _) in works.items()}
    found = interleaved(arms, rounds)
    return {name: works[name][1] / seconds for name, seconds in found.items()}


def seconds_each(work: Work, count: int) -> float:
    """Seconds of doing it once, over `count` times."""
    start = time.perf_counter()
    work(count)
    return (time.perf_counter() - start) / count


def product(rows: int, inner: int, columns: int) -> tuple[Work, float]:
    """A float32 product and its GFLOP, 2 · rows · inner · columns."""
    left = mx.random.normal((rows, inner), key=mx.random.key(0))
    right = mx.random.normal((inner, columns), key=mx.random.key(1))
    mx.eval(left, right)
    return lambda count: mx.eval([left @ right for _ in range(count)]), (
        2e-9 * rows * inner * columns
    )


def elementwise(operation: Callable[[mx.array], mx.array], size: int) -> Work:
    """An operation on `size` float32 numbers, one after the other."""
    given = mx.random.normal((size,), key=mx.random.key(2))
    mx.eval(given)

    def work(count: int) -> None:
        for _ in range(count):
            mx.eval(operation(given))

    return work


def _numpy_exp(size: int) -> Work:
    given = np.random.default_rng(0).normal(size=size).astype(np.float32)
    out = np.empty_like(given)

    def work(count: int) -> None:
        for _ in range(count):
            np.exp(given, out=out)

    return work


def dispatch_seconds(rounds: int = 5) -> Interval:
    """Seconds a kernel costs by being one: building its node and handing it to the device.

    Of the negative of one number, the least there is: a sum with a Python number would be three
    nodes, the number's and its broadcast's beside its own.
    """
    return _node_seconds(mx.array([1.0]), mx.negative, rounds)


def view_seconds(rounds: int = 5) -> Interval:
    """The same of a view, which has a node but no kernel: a transposed matrix."""
    return _node_seconds(mx.ones((2, 3)), mx.transpose, rounds)


def _node_seconds(given: mx.array, node: Callable[[mx.array], mx.array], rounds: int) -> Interval:
    mx.eval(given)

    def work(count: int) -> None:
        mx.eval([node(given) for _ in range(count)])

    return median(1.0 / rates({"one": (work, 1.0)}, rounds)["one"])


def measure_roofline(rounds: int = 7) -> list[Roof]:
    """GFLOP/s by size, GB/s by size, exp() of numpy and mlx, and operations a second."""
    size = 1 << 16
    products = {f"{n} × {n} × {n}": product(n, n, n) for n in SQUARES}
    products |= {f"{m} × {k} × {n}": product(m, k, n) for m, k, n in LAB_PRODUCTS}
    moved = {
        f"{count // 2**10:,} KiB": (elementwise(lambda x: x + 1.0, count // 4), 2e-9 * count)
        for count in BYTES
    }
    exps: dict[str, tuple[Work, float]] = {
        "mlx": (elementwise(mx.exp, size), 1e-6 * size),
        "numpy": (_numpy_exp(size), 1e-6 * size),
    }
    found = [
        Roof(operation=operation, size=name, rate=median(values), unit=unit)
        for operation, unit, works in (
            ("matrix product", "GFLOP/s", products),
            ("read and write", "GB/s", moved),
            ("exp()", "million/s", exps),
        )
        for name, values in rates(works, rounds).items()
    ]
    each = dispatch_seconds(rounds)
    milliseconds = Interval(value=1e3 * each.value, low=1e3 * each.low, high=1e3 * each.high)
    many = inverse(milliseconds)
    return [*found, Roof(operation="operations", size="1 number", rate=many, unit="thousand/s")]


def best_product() -> float:
    """GFLOP/s of the fastest square product, which counts as the machine's rate."""
    found = rates({str(n): product(n, n, n) for n in SQUARES[2:]}, rounds=5)
    return float(max(np.median(values) for values in found.values()))
