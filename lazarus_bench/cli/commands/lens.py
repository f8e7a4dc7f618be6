r"""Show what each layer would predict if it were the last.

Prints the logit lens at the last prompt position: softmax(unembed(norm(h))) of the residual stream
h after each layer, layers counted from 0. By default the classifier layer, ⌊0.55 · layers⌋, is
shown. A Jacobian or a tuned lens moves h first; `train jacobian-lens` and `train tuned-lens` fit
them.

Examples:
    lazarus-bench lens lab:llama '7 * 8 = |23 + 45 = ' --targets multiply,add
    lazarus-bench lens mlx-community/Llama-3.2-1B-bf16 @prompts.txt --all-layers \
        --targets multiply --plot lens.svg --output lens.json
    lazarus-bench lens MODEL '7 * 8 = ' --adapter adapters --layer 4 --layer 8
    lazarus-bench lens MODEL '7 * 8 = ' --adapter adapters --diff   # before and after
    lazarus-bench lens MODEL '7 * 8 = ' --targets 'multiply,the product' --token phrase
    lazarus-bench lens lab:llama '7 * 8 = ' --lens jacobian --all-layers
    lazarus-bench lens lab:llama '7 * 8 = ' --positions --plot positions.svg
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from lazarus_bench.cli import inputs
from lazarus_bench.cli.fitted import Choice, check_choice, fitted_lens
from lazarus_bench.cli.flags import (
    Layers,
    Line,
    Model,
    Prompts,
    Reading,
    Targets,
    Token,
    TopK,
    plot,
)
from lazarus_bench.cli.outputs import check_output, draw
from lazarus_bench.cli.terminal import busy
from lazarus_bench.errors import UserError


def run(
    model: Model,
    prompts: Prompts,
    /,
    *,
    layers: Layers = Layers(),
    targets: Targets = None,
    token: Token = "only",
    top_k: TopK = 5,
    diff: Annotated[
        bool,
        Parameter(
            help="compare the model with and without --adapter, and show how far apart their "
            "lenses are (total variation, 0 to 1)"
        ),
    ] = False,
    lens: Annotated[
        Choice | None,
        Parameter(
            help="what moves h before it is read: nothing (logit), a fitted mean derivative of the "
            "last layer (jacobian), or a map trained on the model's own outputs (tuned) (default: "
            "logit)"
        ),
    ] = None,
    fitted: Annotated[
        Path | None,
        Parameter(
            metavar="DIR|FILE.pt",
            help="read through the lens in this folder, or in a published file of torch (default: "
            "the one in the store that `train jacobian-lens` or `tuned-lens` fits by default)",
        ),
    ] = None,
    positions: Annotated[
        bool,
        Parameter(
            help="read one prompt after each of its tokens, not only the last: the most probable "
            "token by position and layer (default layers: all)"
        ),
    ] = False,
    plot: Annotated[
        str | None,
        plot(
            "a heat map, prompt by layer: one per target, else of each layer's top token; with "
            "--positions, position by layer with the tokens"
        ),
    ] = None,
    output: Reading = Reading(),
    line: Line,
) -> int:
    """Read the lens of `prompts` and show it."""
    check_output(output, plot)
    if diff and output.adapter is None:
        raise UserError("--diff compares a model with its adapter: give --adapter DIR")
    check_choice(lens, fitted, output.adapter)
    asked, words = inputs.read_prompts(prompts), inputs.read_words(targets)
    if positions and (len(asked) > 1 or words or diff):
        raise UserError(
            "--positions shows the most probable tokens of one prompt: give one, and neither "
            "--targets nor --diff"
        )
    found = inputs.find(model, output.adapter, store=output.store, dtype=output.dtype)
    through = fitted_lens(found, lens, fitted, output.store)
    loaded = found.load()
    base = found.load(adapted=False) if diff else None
    from lazarus_bench.analysis import lens as instrument
    from lazarus_bench.models.load import with_lens

    loaded = loaded if through is None else with_lens(loaded, through)
    if positions:
        every = Layers(layer=layers.layer, all_layers=not layers.layer)
        (prompt,) = inputs.texts(loaded, asked)
        from lazarus_bench.analysis.positions import read_positions

        course = read_positions(loaded, prompt, inputs.lens_layers(loaded, every))
        return draw(course, found, line, output, plot)
    chosen = inputs.lens_layers(loaded, layers)
    inputs.check_top(loaded, top_k)
    read = inputs.texts(loaded, asked)
    ids = inputs.target_tokens(loaded, words, token)
    with busy(f"reading {len(asked)} prompts"):
        result = instrument.lens(loaded, read, ids, chosen, top_k, base)
    return draw(result, found, line, output, plot)
