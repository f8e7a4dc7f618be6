"""Show the device, BLAS, compiler and speed found, and the remedies.

Examples:
    lazarus-bench doctor
    lazarus-bench doctor --json

Exit codes:
    0  all well
    1  slow, with the remedy
    2  what an environment variable asks for is not there
"""

from __future__ import annotations

import json

from lazarus_bench.cli import terminal
from lazarus_bench.cli.flags import Json

FAST_ENOUGH = 20.0
"""GFLOP/s below which training on this machine is slower than it need be."""

SLOW = 1


def run(*, as_json: Json = False) -> int:
    """Print what was found and how fast it is; 1 when it is slow."""
    from lazarus_bench import backend

    found = backend.manifest().as_strings()
    threads = backend.set_threads()
    speed = backend.measure_gflops()
    slow = speed < FAST_ENOUGH and not backend.on_accelerator()
    remedies = [backend.SLOW_REMEDY] if slow else []
    if not backend.compiles():
        remedies.append(backend.COMPILER_REMEDY)
    remedy = "; ".join(remedies) or None
    if as_json:
        document = {
            "schema": 1,
            "kind": "doctor",
            "manifest": found,
            "gflops": round(speed, 1),
            "threads": threads,
            "compiled": backend.compiles(),
            "remedy": remedy,
        }
        terminal.write(json.dumps(document, indent=1, ensure_ascii=False), as_json=True)
    else:
        threaded = "1 BLAS thread" if threads == 1 else f"{threads} BLAS threads"
        told = f"{speed:.0f} GFLOP/s in float32 matmuls, {threaded}"
        room, end = terminal.width(), f"slow: {remedy}" if remedy else "all well"
        told += ", steps compiled" if backend.compiles() else ", steps not compiled"
        lines = [f"{name:<14} {value}" for name, value in {**found, "speed": told}.items()]
        terminal.write("\n".join(terminal.folded(line, room, "  ") for line in [*lines, end]))
    return SLOW if remedy else 0
