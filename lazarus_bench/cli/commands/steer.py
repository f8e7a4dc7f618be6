r"""Add a direction to a layer's output and show how prompts are continued.

Contrastive activation addition: the mean state of the --toward prompts minus that of the --away
prompts, times --strength, is added after a layer from the last prompt token on, and compared with
random directions of equal length. The default layer is the classifier layer, ⌊0.55 · layers⌋.

Examples:
    lazarus-bench steer lab:llama '7 * 8 = ' --toward '23 + 45 = |17 + 38 = ' \
        --away '12 * 5 = |3 * 9 = ' --targets 15,56
    lazarus-bench steer MODEL @prompts.txt --toward @good.txt --away @bad.txt \
        --layer 4 --layer 8 --strength 1 --strength 4 --tokens 20 --plot steer.svg
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Annotated

from cyclopts import Parameter

from lazarus_bench.cli import inputs
from lazarus_bench.cli.flags import (
    FirstToken,
    Layers,
    Line,
    Model,
    Prompts,
    Reading,
    Targets,
    TopK,
    number,
    plot,
)
from lazarus_bench.cli.outputs import check_output, draw
from lazarus_bench.cli.terminal import busy
from lazarus_bench.errors import UserError


def _side(what: str) -> Parameter:
    return Parameter(
        metavar="PROMPT|PROMPT",
        help=f"{what} the mean state of these prompts; 'a|b' is two, @FILE reads one per line",
        allow_leading_hyphen=True,
    )


def run(
    model: Model,
    prompts: Prompts,
    /,
    *,
    layers: Layers = Layers(),
    toward: Annotated[str, _side("plus")],
    away: Annotated[str, _side("minus")],
    strength: Annotated[
        list[float] | None,
        Parameter(
            metavar="X",
            help="multiplier of the direction; may be negative, may be repeated (default: 1)",
        ),
    ] = None,
    tokens: Annotated[int, number("number of tokens to generate, greedily (default: 8)")] = 8,
    targets: Targets = None,
    token: FirstToken = "only",
    draws: Annotated[int, number("random directions to compare with (default: 5)")] = 5,
    top_k: TopK = 5,
    plot: Annotated[
        str | None,
        plot("a heat map of the lens at every layer: one per target, else of the top token"),
    ] = None,
    output: Reading = Reading(),
    line: Line,
) -> int:
    """Steer `prompts` and show what follows them."""
    check_output(output, plot)
    inputs.check_count("--tokens", tokens)
    inputs.check_count("--draws", draws)
    strengths = list(dict.fromkeys(strength or [1.0]))
    for times in strengths:
        if not math.isfinite(times) or times == 0:
            raise UserError(f"--strength {times:g} must be a finite number other than 0")
    plus, minus = inputs.read_prompts([toward]), inputs.read_prompts([away])
    if Counter(plus) == Counter(minus):
        raise UserError("--toward and --away have the same prompts: the direction would be zero")
    asked, words = inputs.read_prompts(prompts), inputs.read_words(targets)
    found = inputs.find(model, output.adapter, store=output.store, dtype=output.dtype)
    loaded = found.load()
    from lazarus_bench.analysis.steering import steering

    chosen = inputs.chosen_layers(loaded, layers, [loaded.classifier_layer])
    inputs.check_top(loaded, top_k)
    ids = {word: ids[0] for word, ids in inputs.target_tokens(loaded, words, token).items()}
    read = inputs.texts(loaded, asked)
    toward_texts, away_texts = inputs.texts(loaded, plus), inputs.texts(loaded, minus)
    sizes = {"top": top_k, "length": tokens, "draws": draws}
    with busy(f"steering {len(asked)} prompts"):
        result = steering(loaded, read, toward_texts, away_texts, ids, chosen, strengths, **sizes)
    return draw(result, found, line, output, plot)
