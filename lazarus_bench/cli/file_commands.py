"""Flags and help of fuse, generate and data."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

_Commands = Callable[..., argparse.ArgumentParser]

MAX_TOKENS = 32
COUNT, VALIDATION = 4500, 200
KINDS = ("arithmetic", "words", "sentiment", "topics")
FORMS = ("completion", "text", "messages")

MODEL = (
    "a Hugging Face id, a directory, or a lab name such as lab:llama (seed 0's artifact in the "
    "store)"
)
_CODES = """exit code:
  0  done
  2  bad input: one sentence says what to mend, and nothing is written
  130, 141  interrupted, or the pipe was closed"""


def add_file_commands(add: _Commands, examples: Callable[..., dict[str, Any]]) -> None:
    """Add the parsers; `examples` makes the end of a command's help."""
    _fuse(add, examples)
    _generate(add, examples)
    _data(add, examples)


def _fuse(add: _Commands, examples: Callable[..., dict[str, Any]]) -> None:
    fuse = add(
        "fuse",
        help="make one whole model of a model and its adapter",
        description="Add an adapter to the weights it adapts, and leave a whole model in Hugging "
        "Face layout with a manifest.json. A quantised model is quantised again, which can undo "
        "much of a small adapter; how far the logits moved is told.",
        **examples(
            "lazarus-bench fuse lab:llama --adapter adapters --output fused",
            "lazarus-bench fuse MODEL-4bit --adapter adapters --output fused --dequantise",
            after=_CODES,
        ),
    )
    fuse.add_argument("model", metavar="MODEL", help=MODEL)
    fuse.add_argument(
        "--adapter", metavar="DIR", required=True, help="an adapter of MODEL in mlx-lm's format"
    )
    fuse.add_argument(
        "--output",
        metavar="DIR",
        dest="folder",
        required=True,
        help="the folder to make; one that is not empty is refused, unless it holds the same",
    )
    fuse.add_argument(
        "--dequantise", action="store_true", help="leave float weights, so that the sum is exact"
    )
    fuse.add_argument("--json", action="store_true", help="print JSON for other programs")
    # The folder is not the result file of the commands that read.
    fuse.set_defaults(output=None)


def _generate(add: _Commands, examples: Callable[..., dict[str, Any]]) -> None:
    generate = add(
        "generate",
        help="continue prompts, by the most probable tokens or by chance",
        description="Continue each prompt until the end-of-text token or --max-tokens. Prompts are "
        "read as they stand, without a chat template.",
        **examples(
            "lazarus-bench generate lab:llama '7 * 8 = |23 + 45 = '",
            "lazarus-bench generate MODEL @prompts.txt --adapter adapters --json",
            "lazarus-bench generate MODEL '7 * 8 = ' --temperature 1 --seed 3 --max-tokens 8",
            after=_CODES,
        ),
    )
    generate.add_argument("model", metavar="MODEL", help=MODEL)
    generate.add_argument(
        "prompts",
        metavar="PROMPT",
        nargs="+",
        help="a prompt; 'a|b' is two, @FILE one a line, @- those of standard input. Blanks count",
    )
    generate.add_argument(
        "--adapter", metavar="DIR", help="an adapter in mlx-lm's format on top of MODEL"
    )
    generate.add_argument(
        "--max-tokens",
        metavar="N",
        type=int,
        default=MAX_TOKENS,
        help=f"most tokens that follow a prompt (default: {MAX_TOKENS})",
    )
    generate.add_argument(
        "--temperature",
        metavar="T",
        type=float,
        default=0.0,
        help="draw from softmax(logits / T); 0 takes the most probable token (default: 0)",
    )
    generate.add_argument(
        "--seed", metavar="N", type=int, help="of the draws, with --temperature (default: 0)"
    )
    generate.add_argument("--json", action="store_true", help="print JSON for other programs")
    generate.add_argument(
        "--output", metavar="FILE.json", help="also leave the result there, with a manifest"
    )


def _data(add: _Commands, examples: Callable[..., dict[str, Any]]) -> None:
    data = add(
        "data",
        help="write generated examples, split, with their balance and overlap",
        description="Write the examples that trainings here read, or others of their kind: "
        "problems in symbols (arithmetic) or in words, sentences with a sentiment or a topic. "
        "Operand pairs and sentences are on one side of the split only.",
        **examples(
            "lazarus-bench data arithmetic --output arithmetic.jsonl",
            "lazarus-bench data arithmetic --format text --output data/   # data/train.jsonl, ...",
            "lazarus-bench data topics --count 400 --seed 3 --output topics.jsonl --json",
            after=_CODES,
        ),
    )
    data.add_argument("kind", metavar="KIND", choices=KINDS, help=", ".join(KINDS))
    data.add_argument(
        "--count",
        metavar="N",
        type=int,
        default=COUNT,
        help=f"training examples (default: {COUNT})",
    )
    data.add_argument(
        "--validation",
        metavar="N",
        type=int,
        default=VALIDATION,
        help=f"evaluation examples, no two alike (default: {VALIDATION})",
    )
    data.add_argument("--seed", metavar="N", type=int, default=0, help="of the draws (default: 0)")
    data.add_argument(
        "--format",
        choices=FORMS,
        help="completion: prompt and completion (default of problems); text: both in one, as the "
        "writeups have it (default of sentences); messages: a user's and an assistant's",
    )
    data.add_argument(
        "--output",
        metavar="FILE.jsonl|DIR/",
        required=True,
        help="one file, or a folder with train.jsonl and valid.jsonl, as mlx-lm reads them",
    )
    data.add_argument("--json", action="store_true", help="print JSON for other programs")
