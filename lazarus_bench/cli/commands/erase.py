r"""Erase from a layer what tells classes of prompts apart, and show how the answers change.

Fitted on the prompts of --classes, the directions that tell the classes apart are taken out of the
residual after a layer, and the model runs on. The answers' probability is compared with that under
random subspaces of the same rank. By default each layer is erased in turn.

Examples:
    lazarus-bench erase lab:llama '7 * 8 = |23 + 45 = ' \
        --classes "multiply:2 * 9 = |12 * 5 = |3 * 9 = |6 * 7 = |4 * 9 = " \
        --classes "add:23 + 4 = |17 + 38 = |11 + 22 = |5 + 9 = |8 + 6 = " --plot erase.svg
    lazarus-bench erase MODEL @prompts.txt --classes good:@good.txt --classes bad:@bad.txt \
        --layer 8 --method mean --positions all --draws 99
    lazarus-bench erase MODEL @prompts.txt --classes @rows.jsonl --method lens --layer 4
"""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from lazarus_bench.cli import inputs
from lazarus_bench.cli.flags import Layers, Line, Model, Prompts, Reading, number, plot
from lazarus_bench.cli.outputs import check_output, draw
from lazarus_bench.cli.terminal import busy
from lazarus_bench.errors import NotApplicable, UserError


def run(
    model: Model,
    prompts: Prompts,
    /,
    *,
    classes: Annotated[
        list[str],
        Parameter(
            metavar="NAME:PROMPT|PROMPT",
            help="a class and the prompts to fit on, or NAME:@FILE; give it once per class; "
            "@FILE.jsonl has rows with a prompt, or messages, and a class",
            negative=(),
        ),
    ],
    layers: Layers = Layers(),
    method: Annotated[
        Literal["leace", "mean", "lens"],
        Parameter(
            help="leace: the least that leaves a linear probe nothing; mean: the span of the "
            "classes' mean differences; lens: the directions in which the lens reads the classes' "
            "names (default: leace)"
        ),
    ] = "leace",
    positions: Annotated[
        Literal["last", "all"],
        Parameter(
            help="last: from the last prompt token on; all: at every token, each with an eraser of "
            "its own (default: last)"
        ),
    ] = "last",
    rank: Annotated[
        int | None, number("erase only so many dimensions, the strongest (default: all)")
    ] = None,
    draws: Annotated[int, number("random subspaces to compare with (default: 20)")] = 20,
    answers: Annotated[
        str | None,
        Parameter(
            metavar="TEXT|TEXT",
            help="one answer for all prompts, or one per prompt ('a|b' or @FILE); only the "
            "first token counts (default: the model's own next token)",
            allow_leading_hyphen=True,
        ),
    ] = None,
    plot: Annotated[
        str | None, plot("log-probability lost by layer, with the band of random subspaces")
    ] = None,
    output: Reading = Reading(),
    line: Line,
) -> int:
    """Erase `classes` after each layer and show what becomes of the answers to `prompts`."""
    check_output(output, plot)
    inputs.check_count("--draws", draws)
    told = inputs.read_classes(classes)
    from lazarus_bench.analysis.classifier import check_classes

    check_classes(told, "held-out")
    asked = inputs.read_prompts(prompts)
    wanted = inputs.read_answers("--answers", answers, len(asked))
    found = inputs.find(model, output.adapter, store=output.store, dtype=output.dtype)
    loaded = found.load()
    from lazarus_bench.analysis.erasure import erasures

    chosen = inputs.chosen_layers(loaded, layers)
    texts, own = inputs.texts(loaded, asked), inputs.texts_by_class(loaded, told)
    with busy(f"erasing {len(own)} classes from {len(chosen)} layers in turn"):
        try:
            result = erasures(
                *(loaded, texts, own, chosen),
                method=method,
                positions=positions,
                rank=rank,
                draws=draws,
                answers=wanted,
            )
        except NotApplicable as error:
            raise UserError(
                f"--method lens: {error}: name each class by a word of {found.name}"
            ) from error
    return draw(result, found, line, output, plot)
