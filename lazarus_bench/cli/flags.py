"""Flags that several commands share."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from lazarus_bench.errors import UserError


@dataclass(frozen=True, kw_only=True)
class CommandLine:
    """The command line as it was typed; `str` of it is what a manifest says."""

    command: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return shlex.join(["lazarus-bench", *self.words])


Line = Annotated[CommandLine, Parameter(parse=False)]
"""A command that asks for `line: Line` is handed what was typed."""

Json = Annotated[bool, Parameter(name="--json", help="print JSON for other programs")]

Hypotheses = Annotated[
    str | None,
    Parameter(
        metavar="DIR",
        help="the folder of claim files (default: ./hypotheses, else the installed ones)",
    ),
]

StoreFolder = Annotated[
    str | None,
    Parameter(
        name="--store",
        metavar="DIR",
        help="where trained models are kept (default: LAZARUS_BENCH_STORE, else the user's cache)",
    ),
]

Model = Annotated[
    str,
    Parameter(
        metavar="MODEL",
        help="a Hugging Face id, a directory, or a lab name such as lab:llama (seed 0's artifact "
        "in the store)",
    ),
]

Adapter = Annotated[
    str | None,
    Parameter(metavar="DIR", help="an adapter in mlx-lm's format on top of MODEL"),
]


def _no_options(_: object, words: list[str] | None) -> None:
    """Refuse what looks like an option among words that may begin with -, such as '-3 + 5 = '."""
    for word in words or ():
        if word.startswith("--") or (word[:1] == "-" and word[1:2].isalpha() and " " not in word):
            raise ValueError(f"there is no option {word}")


Prompts = Annotated[
    list[str],
    Parameter(
        metavar="PROMPT",
        help="a prompt; 'a|b' is two, @FILE one a line, @- standard input's. Blanks count",
        allow_leading_hyphen=True,
        validator=_no_options,
    ),
]

TopK = Annotated[int, Parameter(metavar="K", help="most probable tokens to show (default: 5)")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Layers:
    """Which layers are asked for: some, all, or neither for the command's own default.

    The command's own docstring says what that default is.
    """

    layer: Annotated[
        list[int] | None, Parameter(metavar="N", help="a layer, from 0; may be repeated")
    ] = None
    all_layers: Annotated[bool, Parameter(help="every layer")] = False

    def __post_init__(self) -> None:
        if self.layer and self.all_layers:
            raise UserError("--layer and --all-layers exclude each other: give one of them")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Output:
    """How a result is given."""

    json: Json = False
    output: Annotated[
        str | None,
        Parameter(
            metavar="FILE.json",
            help="also leave the result there, with versions, device, BLAS, the model's digest "
            "and this command",
        ),
    ] = None


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
