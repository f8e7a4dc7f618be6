"""Follow a prompt layer by layer: top tokens, entropy, divergence, the answer.

Prints each layer's lens with its entropy, its Jensen-Shannon divergence from the previous layer,
its Kullback-Leibler divergence from the last layer (all in bits), and the answer's probability. The
answer crystallises at the first layer from which it remains the most probable token. By default all
layers are shown.

Examples:
    lazarus-bench analyze lab:llama '89 - 34 = '
    lazarus-bench analyze MODEL '7 * 8 = ' --answer 56 --top-k 3 --plot answer.svg
    lazarus-bench analyze MODEL '7 * 8 = ' --adapter adapters --json
"""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from lazarus_bench.cli import inputs
from lazarus_bench.cli.flags import Layers, Line, Model, Prompts, Reading, TopK, plot
from lazarus_bench.cli.outputs import check_output, draw
from lazarus_bench.cli.terminal import busy
from lazarus_bench.errors import UserError


def run(
    model: Model,
    prompts: Prompts,
    /,
    *,
    layers: Layers = Layers(),
    answer: Annotated[
        str | None,
        Parameter(
            metavar="TEXT",
            help="follow the first token of this answer (default: the model's own next token)",
            allow_leading_hyphen=True,
        ),
    ] = None,
    top_k: TopK = 5,
    plot: Annotated[
        str | None, plot("a heat map: the answer and every other top token, by layer")
    ] = None,
    output: Reading = Reading(),
    line: Line,
) -> int:
    """Follow `prompts` and show their course."""
    check_output(output, plot)
    if answer == "":
        raise UserError("--answer is empty: give the text that should follow the prompt")
    asked = inputs.read_prompts(prompts)
    found = inputs.find(model, output.adapter, store=output.store, dtype=output.dtype)
    loaded = found.load()
    from lazarus_bench.analysis.emergence import analyse

    chosen = inputs.chosen_layers(loaded, layers)
    inputs.check_top(loaded, top_k)
    with busy(f"following {len(asked)} prompts"):
        result = analyse(loaded, inputs.texts(loaded, asked), chosen, answer, top_k)
    return draw(result, found, line, output, plot)
