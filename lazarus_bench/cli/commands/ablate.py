r"""Remove layers, attention, MLPs or heads and show how the answers change.

Prints the answer's probability without each part of the model, one part at a time. A removed layer
passes its input through; a removed attention, MLP or head adds nothing to the residual stream or,
with --mean, its average output. By default each layer is removed in turn.

Examples:
    lazarus-bench ablate lab:llama '7 * 8 = '
    lazarus-bench ablate lab:llama '7 * 8 = |12 * 5 = ' --answers '56|60' \
        --component heads --layer 4 --plot heads.svg
    lazarus-bench ablate MODEL @prompts.txt --component mlp --mean --output mlp.json
    lazarus-bench ablate MODEL '7 * 8 = ' --layer 3 --layer 4 --together
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from lazarus_bench.cli import inputs
from lazarus_bench.cli.flags import Layers, Line, Model, Prompts, Reading, plot
from lazarus_bench.cli.outputs import check_output, draw
from lazarus_bench.cli.terminal import busy
from lazarus_bench.errors import UserError

if TYPE_CHECKING:
    from lazarus_bench.analysis.ablation import Removal
    from lazarus_bench.models.load import LoadedModel

Component = Literal["layer", "attention", "mlp", "heads"]


def run(
    model: Model,
    prompts: Prompts,
    /,
    *,
    layers: Layers = Layers(),
    component: Annotated[
        Component,
        Parameter(help="the part to remove from each layer (default: layer)"),
    ] = "layer",
    head: Annotated[
        list[int] | None,
        Parameter(
            metavar="H",
            help="with --component heads: a head, from 0; may be repeated (default: each in turn)",
        ),
    ] = None,
    together: Annotated[
        bool, Parameter(help="remove all selected parts at once, not each in turn")
    ] = False,
    mean: Annotated[
        bool, Parameter(help="replace a part's output by its mean, not by zero")
    ] = False,
    reference: Annotated[
        list[str] | None,
        Parameter(
            metavar="PROMPT",
            help="prompts for --mean (default: PROMPT); 'a|b' is two, @FILE reads one per line",
            consume_multiple=True,
        ),
    ] = None,
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
        str | None, plot("a heat map: the answer's probability without each part, by layer")
    ] = None,
    output: Reading = Reading(),
    line: Line,
) -> int:
    """Take parts out of the model and show what becomes of the answers."""
    check_output(output, plot)
    if head and component != "heads":
        raise UserError(f"--head needs --component heads, not {component}")
    if reference is not None and not mean:
        raise UserError("--reference applies to --mean: give --mean as well")
    if together and plot is not None:
        raise UserError("--plot needs one removal per layer, not --together: leave one out")
    asked = inputs.read_prompts(prompts)
    wanted = inputs.read_answers("--answers", answers, len(asked))
    over = inputs.read_prompts(reference or prompts) if mean else None
    found = inputs.find(model, output.adapter, store=output.store, dtype=output.dtype)
    loaded = found.load()
    from lazarus_bench.analysis.ablation import ablations

    each = _removals(loaded, inputs.chosen_layers(loaded, layers), component, head)
    removals = [each] if together else [[one] for one in each]
    with busy(f"reading {len(asked)} prompts without {len(removals)} parts in turn"):
        result = ablations(
            loaded,
            inputs.texts(loaded, asked),
            removals,
            wanted,
            None if over is None else inputs.texts(loaded, over),
        )
    return draw(result, found, line, output, plot)


def _removals(
    loaded: LoadedModel, layers: Sequence[int], component: Component, heads: Sequence[int] | None
) -> list[Removal]:
    from lazarus_bench.analysis.ablation import Removal
    from lazarus_bench.models.heads import head_count

    if component != "heads":
        return [Removal(layer=layer, part=component) for layer in layers]
    count = head_count(loaded)
    for head in heads or ():
        if not 0 <= head < count:
            raise UserError(f"--head {head} is not in {loaded.name}: choose 0 to {count - 1}")
    chosen = sorted(set(heads or range(count)))
    return [Removal(layer=layer, head=head) for layer in layers for head in chosen]
