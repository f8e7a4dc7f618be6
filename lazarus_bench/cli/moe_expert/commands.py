"""Flags and help of `moe-expert`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lazarus_bench.cli.flags import CODES, Commands, given, layers, model, plot, prompts

PERMUTATIONS = 200
TOP = 20
"""Tokens kept for each router row, as the router's claims do."""

DRAWS = 5

_ROUTED = "every one that has a router"


def add_moe_expert(add: Commands, examples: Callable[..., dict[str, Any]]) -> None:
    """Add the parser; `examples` makes the end of a command's help."""
    experts = add(
        "moe-expert",
        help="show what the experts of a mixture do: their use, routes, weights and words",
        **examples(
            "lazarus-bench moe-expert analyze lab:olmoe --plot experts.svg",
            "lazarus-bench moe-expert trace lab:olmoe '7 * 8 = '",
            "lazarus-bench moe-expert weights lab:olmoe",
            "lazarus-bench moe-expert project lab:gpt-oss --targets multiply,add",
            after=CODES,
        ),
    )
    actions = experts.add_subparsers(dest="action", required=True, metavar="ACTION")
    for define in (_analyze, _trace, _weights, _project):
        define(actions.add_parser, examples)


def _analyze(add: Commands, examples: Callable[..., dict[str, Any]]) -> None:
    analyze = add(
        "analyze",
        parents=[model(), layers(_ROUTED), given()],
        help="show which experts each class of prompts goes to, beside shuffled labels",
        description="Share of assignments by expert and class, how even the load is, and the bits "
        "that an assignment's expert tells of its prompt's class, beside what they are under "
        "labels shuffled over prompts; the null of the best layer takes the maximum over layers "
        "inside each shuffle.",
        **examples(
            "lazarus-bench moe-expert analyze lab:olmoe --plot experts.svg",
            "lazarus-bench moe-expert analyze lab:olmoe --position last \\",
            '    --classes "multiply:7 * 8 = |12 * 5 = |3 * 9 = " \\',
            '    --classes "add:23 + 45 = |17 + 38 = |11 + 22 = " --output experts.json',
            "lazarus-bench moe-expert analyze MODEL --classes code:@code.txt --classes text:@t.txt",
            after=CODES,
        ),
    )
    analyze.add_argument(
        "--classes",
        metavar="NAME:PROMPT|PROMPT",
        action="append",
        help="a class and its prompts, or NAME:@FILE; once for each class (default: forty "
        "arithmetic prompts, a class an operation)",
    )
    analyze.add_argument(
        "--position",
        choices=("all", "last"),
        default="all",
        help="assignments of all tokens, or of each prompt's last one, which is the same token "
        "where all prompts end alike (default: all)",
    )
    analyze.add_argument(
        "--permutations",
        metavar="N",
        type=int,
        default=PERMUTATIONS,
        help=f"shuffles of the labels (default: {PERMUTATIONS})",
    )
    plot(analyze, "a heat map for each class: share of assignments, expert by layer")


def _trace(add: Commands, examples: Callable[..., dict[str, Any]]) -> None:
    trace = add(
        "trace",
        parents=[model(), prompts(), layers(_ROUTED), given()],
        help="show the experts that each token of a prompt goes to, with their weights",
        **examples(
            "lazarus-bench moe-expert trace lab:olmoe '7 * 8 = '",
            "lazarus-bench moe-expert trace lab:gpt-oss '127 * 89 = ' --layer 2 --plot trace.svg",
            after=CODES,
        ),
    )
    plot(trace, "a heat map for each token: weight, expert by layer")


def _weights(add: Commands, examples: Callable[..., dict[str, Any]]) -> None:
    weights = add(
        "weights",
        parents=[model(), layers(_ROUTED), given()],
        help="show how long router rows and experts are, and how alike",
        **examples(
            "lazarus-bench moe-expert weights lab:olmoe",
            "lazarus-bench moe-expert weights lab:gpt-oss --layer 0 --json",
            after=CODES,
        ),
    )
    plot(weights, "a heat map: each row's and expert's largest |cosine| with another, by layer")


def _project(add: Commands, examples: Callable[..., dict[str, Any]]) -> None:
    project = add(
        "project",
        parents=[model(), layers(_ROUTED), given()],
        help="show the tokens that router rows point at, beside random rows",
        description="Cosine of every router row with the output head's rows: the nearest tokens, "
        "the class they have in common, and the share of experts with a class word among them, "
        "beside as many random rows.",
        **examples(
            "lazarus-bench moe-expert project lab:olmoe",
            "lazarus-bench moe-expert project lab:gpt-oss --targets multiply,add --top-k 5 \\",
            "    --layer 4 --plot words.svg",
            after=CODES,
        ),
    )
    project.add_argument(
        "--targets",
        metavar="WORD,WORD",
        action="append",
        help="class words, each a single token as it stands (default: correct, incorrect and the "
        "four operations, those that are)",
    )
    project.add_argument(
        "--top-k",
        metavar="K",
        type=int,
        default=TOP,
        help=f"nearest tokens of a row (default: {TOP})",
    )
    project.add_argument(
        "--draws",
        metavar="N",
        type=int,
        default=DRAWS,
        help=f"how often random rows are drawn (default: {DRAWS})",
    )
    plot(project, "a heat map: largest cosine with a token, expert by layer")
