r"""Patch a clean prompt's residual into a corrupted one, by layer and position.

Activation patching: the corrupted prompt is run with one residual replaced by the clean prompt's,
at one layer and position, and each cell shows the fraction of the difference in the answers'
log-odds that this recovers. Both prompts must have the same number of tokens. By default all layers
are patched.

Examples:
    lazarus-bench patch lab:llama '7 * 8 = ' '7 + 8 = '
    lazarus-bench patch lab:llama '7 * 8 = |6 * 4 = ' '7 + 8 = |6 + 4 = ' \
        --clean-answers '56|24' --corrupted-answers '15|10' --plot patch.svg
    lazarus-bench patch MODEL @clean.txt @corrupted.txt --layer 4 --json
"""

from __future__ import annotations

from typing import Annotated

from lazarus_bench.cli import inputs
from lazarus_bench.cli.flags import (
    Clean,
    CleanAnswers,
    Corrupted,
    CorruptedAnswers,
    Layers,
    Line,
    Model,
    Reading,
    plot,
)
from lazarus_bench.cli.outputs import check_output, draw
from lazarus_bench.cli.terminal import busy


def run(
    model: Model,
    clean: Clean,
    corrupted: Corrupted,
    /,
    *,
    layers: Layers = Layers(),
    clean_answers: CleanAnswers = None,
    corrupted_answers: CorruptedAnswers = None,
    plot: Annotated[
        str | None, plot("a heat map per pair: fraction recovered, position by layer")
    ] = None,
    output: Reading = Reading(),
    line: Line,
) -> int:
    """Patch every layer and position and show how much of the answer comes back."""
    check_output(output, plot)
    one, other = inputs.read_sides(clean=clean, corrupted=corrupted)
    right = inputs.read_answers("--clean-answers", clean_answers, len(one))
    wrong = inputs.read_answers("--corrupted-answers", corrupted_answers, len(one))
    found = inputs.find(model, output.adapter, store=output.store, dtype=output.dtype)
    loaded = found.load()
    from lazarus_bench.analysis.patching import patching

    chosen = inputs.chosen_layers(loaded, layers)
    lent, patched = inputs.texts(loaded, one), inputs.texts(loaded, other)
    with busy(f"patching {len(one)} pairs of prompts in {len(chosen)} layers"):
        result = patching(loaded, lent, patched, chosen, right, wrong)
    return draw(result, found, line, output, plot)
