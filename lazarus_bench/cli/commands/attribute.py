r"""Estimate what patching each attention, MLP and residual would do, in one backward pass.

Attribution patching: the clean prompt's activations minus the corrupted prompt's, times the
gradient of the answers' log-odds in the corrupted run. Each cell shows the estimated fraction of
the difference in log-odds that patching recovers; a random sample of components is patched exactly
and shows the error. With --direct, also what each component itself adds to the difference of the
answers' logits in the clean prompt. By default all layers are shown.

Examples:
    lazarus-bench attribute lab:llama '7 * 8 = ' '7 + 8 = '
    lazarus-bench attribute lab:llama '7 * 8 = |6 * 4 = ' '7 + 8 = |6 + 4 = ' \
        --clean-answers '56|24' --corrupted-answers '15|10' --direct --plot attribution.svg
    lazarus-bench attribute MODEL @clean.txt @corrupted.txt --sample 200 --json
"""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

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
    number,
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
    direct: Annotated[
        bool, Parameter(help="direct logit attribution of the clean prompts as well")
    ] = False,
    sample: Annotated[
        int, number("components of each pair to patch exactly, drawn at random (default: 48)")
    ] = 48,
    plot: Annotated[
        str | None, plot("a heat map per pair and component: fraction recovered")
    ] = None,
    output: Reading = Reading(),
    line: Line,
) -> int:
    """Attribute the answers' log-odds to every component and show the estimates' error."""
    check_output(output, plot)
    inputs.check_count("--sample", sample)
    one, other = inputs.read_sides(clean=clean, corrupted=corrupted)
    right = inputs.read_answers("--clean-answers", clean_answers, len(one))
    wrong = inputs.read_answers("--corrupted-answers", corrupted_answers, len(one))
    found = inputs.find(model, output.adapter, store=output.store, dtype=output.dtype)
    loaded = found.load()
    from lazarus_bench.analysis.attribution import attribution

    chosen = inputs.chosen_layers(loaded, layers)
    sides = [inputs.texts(loaded, side) for side in (one, other)]
    with busy(f"attributing {len(one)} pairs of prompts"):
        result = attribution(
            loaded, sides[0], sides[1], chosen, right, wrong, sample=sample, direct=direct
        )
    return draw(result, found, line, output, plot)
