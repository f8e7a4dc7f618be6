"""Flags that several commands which read a model share, and the end of their help."""

from __future__ import annotations

import argparse
from collections.abc import Callable

Commands = Callable[..., argparse.ArgumentParser]
"""What adds a command: a subparsers object's `add_parser`."""

TOP = 5

CODES = """exit code:
  0  read and shown
  2  bad input: one sentence says what to mend
  130, 141  interrupted, or the pipe was closed"""
MODEL = (
    "a Hugging Face id, a directory, or a lab name such as lab:llama (seed 0's artifact in the "
    "store)"
)
PROMPTS = "a prompt; 'a|b' is two, @FILE one a line, @- those of standard input. Blanks count"


def model() -> argparse.ArgumentParser:
    """MODEL and its --adapter."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("model", metavar="MODEL", help=MODEL)
    parser.add_argument(
        "--adapter", metavar="DIR", help="an adapter in mlx-lm's format on top of MODEL"
    )
    return parser


def prompts() -> argparse.ArgumentParser:
    """PROMPT, once or more."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("prompts", metavar="PROMPT", nargs="+", help=PROMPTS)
    return parser


def layers(default: str) -> argparse.ArgumentParser:
    """--layer or --all-layers; `default` says what neither means."""
    parser = argparse.ArgumentParser(add_help=False)
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "--layer",
        metavar="N",
        type=int,
        action="append",
        help=f"a layer, from 0; may be repeated (default: {default})",
    )
    chosen.add_argument("--all-layers", action="store_true", help="every layer")
    return parser


def given() -> argparse.ArgumentParser:
    """How the result is given: --json, --output."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--json", action="store_true", help="print JSON for other programs")
    parser.add_argument(
        "--output",
        metavar="FILE.json",
        help="also leave the result there, with versions, device, BLAS, the model's digest and "
        "this command",
    )
    return parser


def top(parser: argparse.ArgumentParser) -> None:
    """--top-k."""
    parser.add_argument(
        "--top-k",
        metavar="K",
        type=int,
        default=TOP,
        help=f"most probable tokens to show (default: {TOP})",
    )


def plot(parser: argparse.ArgumentParser, what: str, endings: str = "FILE.svg|FILE.png") -> None:
    """--plot; `what` says what is drawn."""
    parser.add_argument("--plot", metavar=endings, help=what)
