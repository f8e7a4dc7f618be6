"""`lazarus-bench doctor`: the machine as lazarus-bench finds it."""

from __future__ import annotations

FAST_ENOUGH = 20.0
"""GFLOP/s below which training on this machine is slower than it need be."""


def doctor() -> int:
    """Print what was found and how fast it is; 1 when it is slow."""
    from lazarus_bench import backend

    for name, value in backend.manifest().as_strings().items():
        print(f"{name:<14} {value}")
    threads = backend.set_threads()
    speed = backend.measure_gflops()
    print(f"{'speed':<14} {speed:.0f} GFLOP/s in float32 matmuls, {threads} BLAS thread(s)")
    if speed >= FAST_ENOUGH or backend.on_accelerator():
        print("all well")
        return 0
    print(f"slow: {backend.SLOW_REMEDY}")
    return 1
