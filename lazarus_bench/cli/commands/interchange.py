r"""Find a subspace whose coordinates, swapped between prompts, carry the answer over.

Distributed alignment search: after a layer, at one position, a base prompt's residual is given a
source prompt's coordinates in a subspace of K dimensions, trained so that the source's answer
follows. Accuracy is that on held-out pairs, which share no prompt with the others, beside random
subspaces, searches with the sources permuted, and the whole residual. Give pairs with the same
operands and another operation. By default all layers are searched.

Examples:
    lazarus-bench interchange lab:llama @bases.txt @sources.txt --plot interchange.svg
    lazarus-bench interchange lab:llama '7 * 8 = |6 * 4 = |9 * 3 = ' '7 + 8 = |6 + 4 = |9 + 3 = ' \
        --answers '15|10|12' --layer 2 --k 1 --k 4
    lazarus-bench interchange MODEL @bases.txt @sources.txt --position -4 --shuffles 19 --json
"""

from __future__ import annotations

from typing import Annotated

from lazarus_bench.cli import inputs
from lazarus_bench.cli.flags import (
    Layers,
    Line,
    Model,
    Reading,
    answers_to,
    number,
    plot,
    side,
)
from lazarus_bench.cli.outputs import check_output, draw
from lazarus_bench.cli.terminal import busy
from lazarus_bench.errors import UserError


def run(
    model: Model,
    base: Annotated[str, side("BASE", "prompts that are given coordinates")],
    source: Annotated[str, side("SOURCE", "prompts whose coordinates they get; as many as BASE")],
    /,
    *,
    layers: Layers = Layers(),
    k: Annotated[
        list[int] | None,
        number("dimensions of the subspace; may be repeated (default: 1, 2 and 4)"),
    ] = None,
    position: Annotated[
        int, number("the position swapped, counted from the prompt's end (default: -1, the last)")
    ] = -1,
    answers: Annotated[str | None, answers_to("SOURCE", "every token counts")] = None,
    held_out: Annotated[
        float, number("share of the pairs to judge by, by the prompts they share (default: 0.3)")
    ] = 0.3,
    steps: Annotated[int, number("steps of each search (default: 60)")] = 60,
    draws: Annotated[int, number("random subspaces to compare with (default: 5)")] = 5,
    shuffles: Annotated[
        int,
        number("searches with permuted sources, as slow as the true one each (default: 1)"),
    ] = 1,
    seed: Annotated[
        int, number("of the division, starts, batches and permutations (default: 0)")
    ] = 0,
    plot: Annotated[
        str | None, plot("accuracy by layer: a curve for each K, and random subspaces")
    ] = None,
    output: Reading = Reading(),
    line: Line,
) -> int:
    """Search a subspace in each layer and show how often held-out swaps give the answer."""
    check_output(output, plot)
    for flag, count in (("--steps", steps), ("--draws", draws)):
        inputs.check_count(flag, count)
    if shuffles:
        inputs.check_count("--shuffles", shuffles)
    if seed < 0:
        raise UserError(f"--seed {seed} is negative: give 0 or more")
    bases, sources = inputs.read_sides(base=base, source=source)
    wanted = inputs.read_answers("--answers", answers, len(bases))
    found = inputs.find(model, output.adapter, store=output.store, dtype=output.dtype)
    loaded = found.load()
    from lazarus_bench.analysis.interchange import SIZES, interchanges

    chosen = inputs.chosen_layers(loaded, layers)
    sides = [inputs.texts(loaded, prompts) for prompts in (bases, sources)]
    with busy(f"searching subspaces in {len(chosen)} layers"):
        result = interchanges(
            loaded,
            sides[0],
            sides[1],
            chosen,
            sorted(set(k or SIZES)),
            wanted,
            held_out=held_out,
            seed=seed,
            position=position,
            steps=steps,
            draws=draws,
            shuffles=shuffles,
        )
    return draw(result, found, line, output, plot)
