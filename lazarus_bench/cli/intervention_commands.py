"""Flags and help of the commands that change a model while it reads: ablate, patch, steer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lazarus_bench.cli.flags import CODES, Commands, given, layers, model, plot, prompts, top

CONTINUED = 8
DRAWS = 5

_SET = "prompts: 'a|b' is two, @FILE one a line"
_ANSWERS = "'a|b' or @FILE, one for all prompts or one each; its first token counts"


def add_intervention_commands(add: Commands, examples: Callable[..., dict[str, Any]]) -> None:
    """Add the parsers; `examples` makes the end of a command's help."""
    _ablate(add, examples)
    _patch(add, examples)
    _steer(add, examples)


def _ablate(add: Commands, examples: Callable[..., dict[str, Any]]) -> None:
    ablate = add(
        "ablate",
        parents=[model(), prompts(), layers("each in turn"), given()],
        help="take out layers, attention, MLPs or heads and show what becomes of the answers",
        description="The answer's probability without a part of the model, one part at a time: a "
        "layer hands its input on, an attention, MLP or head adds nothing to the residual or, with "
        "--mean, what it adds on average.",
        **examples(
            "lazarus-bench ablate lab:llama '7 * 8 = '",
            "lazarus-bench ablate lab:llama '7 * 8 = |12 * 5 = ' --answers '56|60' \\",
            "    --component heads --layer 4 --plot heads.svg",
            "lazarus-bench ablate MODEL @prompts.txt --component mlp --mean --output mlp.json",
            "lazarus-bench ablate MODEL '7 * 8 = ' --layer 3 --layer 4 --together",
            after=CODES,
        ),
    )
    ablate.add_argument(
        "--component",
        choices=("layer", "attention", "mlp", "heads"),
        default="layer",
        help="what is taken out of each layer (default: layer)",
    )
    ablate.add_argument(
        "--head",
        metavar="H",
        type=int,
        action="append",
        help="with --component heads: a head, from 0; may be repeated (default: each in turn)",
    )
    ablate.add_argument(
        "--together", action="store_true", help="all that is named at once, not each in turn"
    )
    ablate.add_argument(
        "--mean",
        action="store_true",
        help="put the mean of what a part writes in its place, not nothing",
    )
    ablate.add_argument(
        "--reference",
        metavar="PROMPT",
        nargs="+",
        help=f"what --mean is over (default: PROMPT); {_SET}",
    )
    ablate.add_argument(
        "--answers", metavar="TEXT|TEXT", help=f"{_ANSWERS} (default: the model's own next token)"
    )
    plot(ablate, "a heat map: the answer's probability without each part, by layer")


def _patch(add: Commands, examples: Callable[..., dict[str, Any]]) -> None:
    patch = add(
        "patch",
        parents=[model(), layers("all"), given()],
        help="put a clean prompt's residual into a corrupted one, by layer and position",
        description="Activation patching: the corrupted prompt is read with one residual of the "
        "clean prompt, after one layer at one position, and the share of the answers' log-odds "
        "that comes back is shown for each. Both prompts have as many tokens.",
        **examples(
            "lazarus-bench patch lab:llama '7 * 8 = ' '7 + 8 = '",
            "lazarus-bench patch lab:llama '7 * 8 = |6 * 4 = ' '7 + 8 = |6 + 4 = ' \\",
            "    --clean-answers '56|24' --corrupted-answers '15|10' --plot patch.svg",
            "lazarus-bench patch MODEL @clean.txt @corrupted.txt --layer 4 --json",
            after=CODES,
        ),
    )
    patch.add_argument("clean", metavar="CLEAN", help=f"lends its residuals; {_SET}")
    patch.add_argument("corrupted", metavar="CORRUPTED", help="gets them; as many as CLEAN")
    for side in ("clean", "corrupted"):
        patch.add_argument(
            f"--{side}-answers",
            metavar="TEXT|TEXT",
            help=f"of {side.upper()}: {_ANSWERS} (default: the model's own next token)",
        )
    plot(patch, "a heat map for each pair: share recovered, position by layer")


def _steer(add: Commands, examples: Callable[..., dict[str, Any]]) -> None:
    steer = add(
        "steer",
        parents=[model(), prompts(), layers("the classifier layer, ⌊0.55 · layers⌋"), given()],
        help="add a direction to a layer and show what prompts are continued with",
        description="Contrastive activation addition: the mean state of the prompts --toward minus "
        "that of those --away, times --strength, added after a layer from the last prompt token "
        "on, beside random directions as long.",
        **examples(
            "lazarus-bench steer lab:llama '7 * 8 = ' --toward '23 + 45 = |17 + 38 = ' \\",
            "    --away '12 * 5 = |3 * 9 = ' --targets 15,56",
            "lazarus-bench steer MODEL @prompts.txt --toward @good.txt --away @bad.txt \\",
            "    --layer 4 --layer 8 --strength 1 --strength 4 --tokens 20 --plot steer.svg",
            after=CODES,
        ),
    )
    for side, what in (("toward", "plus"), ("away", "minus")):
        steer.add_argument(
            f"--{side}",
            metavar="PROMPT|PROMPT",
            required=True,
            help=f"{what} the mean state of these {_SET}",
        )
    steer.add_argument(
        "--strength",
        metavar="X",
        type=float,
        action="append",
        help="times the direction; may be repeated, and be negative (default: 1)",
    )
    steer.add_argument(
        "--tokens",
        metavar="N",
        type=int,
        default=CONTINUED,
        help=f"how many tokens to go on for, greedily (default: {CONTINUED})",
    )
    steer.add_argument(
        "--targets",
        metavar="WORD,WORD",
        action="append",
        help="words whose probability to show, each a single token as it stands (blanks count)",
    )
    steer.add_argument(
        "--draws",
        metavar="N",
        type=int,
        default=DRAWS,
        help=f"random directions to compare with (default: {DRAWS})",
    )
    top(steer)
    plot(steer, "a heat map: the lens at every layer, of each target, else of the top token")
