"""Show device, BLAS and speed, and how to fix what is slow.

Examples:
    lazarus-bench doctor
    lazarus-bench doctor --json

Exit codes:
    0  all well
    1  slow, with the remedy
    2  an environment variable names something that is not available
"""

from __future__ import annotations

from lazarus_bench.cli import terminal
from lazarus_bench.cli.flags import Json

FAST_ENOUGH = 20.0
"""GFLOP/s below which training on this machine is slower than it need be."""

SLOW = 1

MEASUREMENTS = 3
"""As many low measurements are needed: one is low on a machine that is busy for a moment."""

BUSY = (
    "its BLAS is a fast one, so other programs probably keep its cores busy: try again when they "
    "have ended"
)


def run(*, as_json: Json = False) -> int:
    """Print what was found and how fast it is; 1 when it is slow."""
    from lazarus_bench import backend

    found = backend.manifest().as_strings()
    threads = backend.set_threads()
    speed = _speed()
    reference = found["blas"].startswith(backend.REFERENCE)
    remedy = backend.SLOW_REMEDY if reference else BUSY
    well = speed >= FAST_ENOUGH or backend.on_accelerator()
    if as_json:
        terminal.write_document(
            "doctor",
            manifest=found,
            gflops=round(speed, 1),
            threads=threads,
            remedy=None if well else remedy,
        )
    else:
        threaded = "1 BLAS thread" if threads == 1 else f"{threads} BLAS threads"
        told = f"{speed:.0f} GFLOP/s in float32 matmuls, {threaded}"
        room, end = terminal.width(), "all well" if well else f"slow: {remedy}"
        lines = [f"{name:<14} {value}" for name, value in {**found, "speed": told}.items()]
        terminal.write("\n".join(terminal.folded(line, room, "  ") for line in [*lines, end]))
    return 0 if well else SLOW


def _speed() -> float:
    """GFLOP/s, the best of up to `MEASUREMENTS`."""
    from lazarus_bench import backend

    best = 0.0
    for _ in range(MEASUREMENTS):
        best = max(best, backend.measure_gflops())
        if best >= FAST_ENOUGH:
            break
    return best
