"""The command line: thin, and quick to show its help."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from lazarus_bench.errors import UserError
from lazarus_bench.versions import versions

FAST_ENOUGH = 20.0
"""GFLOP/s below which training on this machine is slower than it need be."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lazarus-bench",
        description="Claims about neural networks as pre-registered hypotheses. The claims "
        "themselves run under pytest: `pytest hypotheses/ -m slow`.",
    )
    parser.add_argument("--version", action="version", version=versions()["lazarus-bench"])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("doctor", help="show the device, BLAS and speed found, and the remedies")
    render = commands.add_parser("render", help="render a report.json as Markdown")
    render.add_argument("report", help="path of a report.json")
    render.add_argument("--output", help="file to write instead of standard output")
    return parser


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


def _render(path: str, output: str | None) -> int:
    from pathlib import Path

    from lazarus_bench.report import load, render
    from lazarus_bench.report.schema import write_text

    text = render(load(Path(path)))
    if output is None:
        sys.stdout.write(text)
    else:
        write_text(text, Path(output))
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a user's mistake prints one sentence and gives exit code 2."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "doctor":
            return doctor()
        return _render(options.report, options.output)
    except UserError as error:
        print(f"lazarus-bench: {error}", file=sys.stderr)
        return 2
