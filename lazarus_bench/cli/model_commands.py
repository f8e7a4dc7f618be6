"""Flags and help of the commands that read a model: lens, classifier, analyze."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lazarus_bench.cli.flags import CODES, Commands, given, layers, model, plot, prompts, top

PERMUTATIONS = 200


def add_model_commands(add: Commands, examples: Callable[..., dict[str, Any]]) -> None:
    """Add the parsers; `examples` makes the end of a command's help."""
    _lens(add, examples)
    _classifier(add, examples)
    _analyze(add, examples)


def _lens(add: Commands, examples: Callable[..., dict[str, Any]]) -> None:
    lens = add(
        "lens",
        parents=[model(), prompts(), layers("the classifier layer, ⌊0.55 · layers⌋"), given()],
        help="show what each layer would say if it were the last",
        description="The logit lens at the last prompt position: softmax(unembed(norm(h))) of the "
        "residual stream h after each layer, layers counted from 0.",
        **examples(
            "lazarus-bench lens lab:llama '7 * 8 = |23 + 45 = ' --targets multiply,add",
            "lazarus-bench lens mlx-community/Llama-3.2-1B-bf16 @prompts.txt --all-layers \\",
            "    --targets multiply --plot lens.svg --output lens.json",
            "lazarus-bench lens MODEL '7 * 8 = ' --adapter adapters --layer 4 --layer 8",
            "lazarus-bench lens MODEL '7 * 8 = ' --adapter adapters --diff   # before and after",
            after=CODES,
        ),
    )
    lens.add_argument(
        "--targets",
        metavar="WORD,WORD",
        action="append",
        help="words whose probability to show, each a single token as it stands (blanks count)",
    )
    top(lens)
    lens.add_argument(
        "--diff",
        action="store_true",
        help="the model without --adapter beside the model with it, and how far apart their lenses "
        "are (total variation, 0 to 1)",
    )
    plot(lens, "a heat map, prompt by layer: of each target, else of each layer's top token")


def _classifier(add: Commands, examples: Callable[..., dict[str, Any]]) -> None:
    classifier = add(
        "classifier",
        parents=[model(), given()],
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
            after=CODES,
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
    plot(classifier, "accuracy by layer with the null's band", endings="FILE.svg")


def _analyze(add: Commands, examples: Callable[..., dict[str, Any]]) -> None:
    analyze = add(
        "analyze",
        parents=[model(), prompts(), layers("all"), given()],
        help="follow a prompt layer by layer: top tokens, entropy, divergence, the answer",
        description="The lens of each layer with its entropy, its Jensen-Shannon divergence from "
        "the layer before, its Kullback-Leibler divergence from the last layer (all in bits), and "
        "the answer's probability; the answer crystallises at the first layer from which on it "
        "stays the most probable token.",
        **examples(
            "lazarus-bench analyze lab:llama '89 - 34 = '",
            "lazarus-bench analyze MODEL '7 * 8 = ' --answer 56 --top-k 3 --plot answer.svg",
            "lazarus-bench analyze MODEL '7 * 8 = ' --adapter adapters --json",
            after=CODES,
        ),
    )
    analyze.add_argument(
        "--answer",
        metavar="TEXT",
        help="follow the first token of this answer (default: the model's own next token)",
    )
    top(analyze)
    plot(analyze, "a heat map: the answer and what else is the top token anywhere, by layer")
