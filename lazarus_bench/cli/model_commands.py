"""Flags and help of the commands that read a model: lens, classifier, analyze."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

_Commands = Callable[..., argparse.ArgumentParser]

TOP = 5
PERMUTATIONS = 200

_CODES = """exit code:
  0  read and shown
  2  bad input: one sentence says what to mend
  130, 141  interrupted, or the pipe was closed"""
_MODEL = (
    "a Hugging Face id, a directory, or a lab name such as lab:llama (seed 0's artifact in the "
    "store)"
)
_PROMPTS = "a prompt; 'a|b' is two, @FILE one a line, @- those of standard input. Blanks count"


def add_model_commands(add: _Commands, examples: Callable[..., dict[str, Any]]) -> None:
    """Add the parsers; `examples` makes the end of a command's help."""
    _lens(add, examples)
    _classifier(add, examples)
    _analyze(add, examples)


def _lens(add: _Commands, examples: Callable[..., dict[str, Any]]) -> None:
    lens = add(
        "lens",
        parents=[_model(), _prompts(), _layers("the classifier layer, ⌊0.55 · layers⌋"), _given()],
        help="show what each layer would say if it were the last",
        description="The logit lens at the last prompt position: softmax(unembed(norm(h))) of the "
        "residual stream h after each layer, layers counted from 0.",
        **examples(
            "lazarus-bench lens lab:llama '7 * 8 = |23 + 45 = ' --targets multiply,add",
            "lazarus-bench lens mlx-community/Llama-3.2-1B-bf16 @prompts.txt --all-layers \\",
            "    --targets multiply --plot lens.svg --output lens.json",
            "lazarus-bench lens MODEL '7 * 8 = ' --adapter adapters --layer 4 --layer 8",
            "lazarus-bench lens MODEL '7 * 8 = ' --adapter adapters --diff   # before and after",
            after=_CODES,
        ),
    )
    lens.add_argument(
        "--targets",
        metavar="WORD,WORD",
        action="append",
        help="words whose probability to show, each a single token as it stands (blanks count)",
    )
    _top(lens)
    lens.add_argument(
        "--diff",
        action="store_true",
        help="the model without --adapter beside the model with it, and how far apart their lenses "
        "are (total variation, 0 to 1)",
    )
    _plot(lens, "a heat map, prompt by layer: of each target, else of each layer's top token")


def _classifier(add: _Commands, examples: Callable[..., dict[str, Any]]) -> None:
    classifier = add(
        "classifier",
        parents=[_model(), _given()],
        help="train a linear probe on every layer, beside permuted labels",
        description="Multinomial logistic regression on the hidden state at the last prompt "
        "position of every layer, cross-validated, beside the accuracy under permuted labels; the "
        "null of the best layer takes the maximum over layers inside each permutation.",
        **examples(
            "lazarus-bench classifier lab:llama \\",
            '    --classes "multiply:7 * 8 = |12 * 5 = |3 * 9 = |6 * 7 = |4 * 9 = " \\',
            '    --classes "add:23 + 45 = |17 + 38 = |11 + 22 = |5 + 9 = |8 + 6 = " \\',
            '    --test "11 * 12 = |13 + 14 = " --output classifier.json',
            "lazarus-bench classifier MODEL --classes good:@good.txt --classes bad:@bad.txt",
            after=_CODES,
        ),
    )
    classifier.add_argument(
        "--classes",
        metavar="NAME:PROMPT|PROMPT",
        action="append",
        required=True,
        help="a class and its prompts, or NAME:@FILE; once for each class",
    )
    classifier.add_argument(
        "--test",
        metavar="PROMPT",
        nargs="+",
        action="extend",
        help="prompts to put into a class by probes of all layers, fitted on all of --classes",
    )
    classifier.add_argument(
        "--protocol",
        choices=("held-out", "writeup"),
        default="held-out",
        help="held-out: 5 folds, standardised states; writeup: 4 folds in the given order, states "
        "as they are (default: held-out)",
    )
    classifier.add_argument(
        "--permutations",
        metavar="N",
        type=int,
        default=PERMUTATIONS,
        help=f"permuted labellings of the null (default: {PERMUTATIONS})",
    )
    _plot(classifier, "accuracy by layer with the null's band", endings="FILE.svg")


def _analyze(add: _Commands, examples: Callable[..., dict[str, Any]]) -> None:
    analyze = add(
        "analyze",
        parents=[_model(), _prompts(), _layers("all"), _given()],
        help="follow a prompt layer by layer: top tokens, entropy, divergence, the answer",
        description="The lens of each layer with its entropy, its Jensen-Shannon divergence from "
        "the layer before, its Kullback-Leibler divergence from the last layer (all in bits), and "
        "the answer's probability; the answer crystallises at the first layer from which on it "
        "stays the most probable token.",
        **examples(
            "lazarus-bench analyze lab:llama '89 - 34 = '",
            "lazarus-bench analyze MODEL '7 * 8 = ' --answer 56 --top-k 3 --plot answer.svg",
            "lazarus-bench analyze MODEL '7 * 8 = ' --adapter adapters --json",
            after=_CODES,
        ),
    )
    analyze.add_argument(
        "--answer",
        metavar="TEXT",
        help="follow the first token of this answer (default: the model's own next token)",
    )
    _top(analyze)
    _plot(analyze, "a heat map: the answer and what else is the top token anywhere, by layer")


def _model() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("model", metavar="MODEL", help=_MODEL)
    parser.add_argument(
        "--adapter", metavar="DIR", help="an adapter in mlx-lm's format on top of MODEL"
    )
    return parser


def _prompts() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("prompts", metavar="PROMPT", nargs="+", help=_PROMPTS)
    return parser


def _layers(default: str) -> argparse.ArgumentParser:
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


def _given() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--json", action="store_true", help="print JSON for other programs")
    parser.add_argument(
        "--output",
        metavar="FILE.json",
        help="also leave the result there, with versions, device, BLAS, the model's digest and "
        "this command",
    )
    return parser


def _top(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--top-k",
        metavar="K",
        type=int,
        default=TOP,
        help=f"most probable tokens to show (default: {TOP})",
    )


def _plot(parser: argparse.ArgumentParser, what: str, endings: str = "FILE.svg|FILE.png") -> None:
    parser.add_argument("--plot", metavar=endings, help=what)
