"""Flags and help of `lazarus-bench benchmark`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

SECTION_NAMES = ("recipes", "instruments", "verdict", "beside", "scaling", "profile", "roofline")
ROUNDS, STEPS, PROMPTS = 15, 12, 200


def add_benchmark(
    add: Callable[..., argparse.ArgumentParser], examples: Callable[..., dict[str, Any]]
) -> None:
    """Add the parser; `examples` makes the end of a command's help."""
    parser = add(
        "benchmark",
        help="measure speed, memory and how cost grows, beside what you would run instead",
        description="Measure this machine: every recipe and instrument by itself (recipes, "
        "instruments), the time to a first verdict (verdict), speed and memory beside "
        "mlx_lm.lora, transformers on torch, mlx-lm's batched generation and a plain scikit-learn "
        "loop (beside), the growth of cost along each size (scaling), where a step's time goes "
        "(profile) and what the machine does at most (roofline). Without a section, all.",
        **examples(
            "lazarus-bench benchmark",
            "lazarus-bench benchmark beside --model lab:llama --output beside.json",
            "lazarus-bench benchmark roofline profile --rounds 5",
            "lazarus-bench benchmark --from beside.json --from scaling.json --report reports",
            after="exit code:\n  0  measured\n  1  with --gate, a ratio or an exponent is "
            "certainly beyond its bound\n  2  bad input",
        ),
    )
    parser.add_argument(
        "sections", metavar="SECTION", nargs="*", help=f"of: {', '.join(SECTION_NAMES)}"
    )
    _sizes(parser)
    _outputs(parser)


def _sizes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="a Hugging Face id, a directory or a lab name (default: an untrained lab llama, which "
        "is as fast as a trained one)",
    )
    sizes = (("rounds", ROUNDS, "rounds of arms in turn"), ("steps", STEPS, "steps of a training"))
    for name, default, what in (*sizes, ("prompts", PROMPTS, "prompts of an instrument")):
        parser.add_argument(
            f"--{name}", metavar="N", type=int, default=default, help=f"{what} (default: {default})"
        )


def _outputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from",
        dest="documents",
        metavar="FILE.json",
        action="append",
        default=[],
        help="measure nothing; take what an earlier run left; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="print JSON for other programs")
    parser.add_argument("--output", metavar="FILE.json", help="also leave the document there")
    parser.add_argument(
        "--bigger-is-better",
        metavar="FILE.json",
        help="also leave a file for github-action-benchmark's customBiggerIsBetter",
    )
    parser.add_argument(
        "--report", metavar="DIR", help="also write benchmarks.md with its plots there"
    )
    parser.add_argument(
        "--gate",
        action="store_true",
        help="exit with 1 when a ratio of this run fell below its bound; times are never compared",
    )
