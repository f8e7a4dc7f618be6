r"""Train a linear probe on every layer and compare it with permuted labels.

Cross-validated multinomial logistic regression on each layer's hidden state at the last prompt
position. The accuracy is compared with that under permuted labels; for the best layer, the null
takes the maximum over layers within each permutation.

Examples:
    lazarus-bench classifier lab:llama \
        --classes "multiply:7 * 8 = |12 * 5 = |3 * 9 = |6 * 7 = |4 * 9 = " \
        --classes "add:23 + 45 = |17 + 38 = |11 + 22 = |5 + 9 = |8 + 6 = " \
        --test "11 * 12 = |13 + 14 = " --output classifier.json
    lazarus-bench classifier MODEL --classes good:@good.txt --classes bad:@bad.txt
    lazarus-bench classifier MODEL --classes @rows.jsonl   # {"prompt": "...", "class": "good"}
"""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from lazarus_bench.cli import inputs
from lazarus_bench.cli.flags import Line, Model, Reading, number, plot
from lazarus_bench.cli.outputs import check_output, draw
from lazarus_bench.cli.terminal import busy
from lazarus_bench.errors import UserError


def run(
    model: Model,
    /,
    *,
    classes: Annotated[
        list[str],
        Parameter(
            metavar="NAME:PROMPT|PROMPT",
            help="a class and its prompts, or NAME:@FILE; give it once per class; @FILE.jsonl has "
            "rows with a prompt, or messages, and a class",
            negative=(),
        ),
    ],
    test: Annotated[
        list[str] | None,
        Parameter(
            metavar="PROMPT",
            help="prompts to classify with the probes of all layers, fitted on all of --classes",
            consume_multiple=True,
        ),
    ] = None,
    protocol: Annotated[
        Literal["held-out", "in-order"],
        Parameter(
            help="held-out: 5 folds, standardised states; in-order: 4 folds in the given order, "
            "unscaled states (default: held-out)"
        ),
    ] = "held-out",
    nonlinear: Annotated[
        bool,
        Parameter(
            help="also probe with one hidden layer, and show how selective both probes are",
            negative=(),
        ),
    ] = False,
    permutations: Annotated[int, number("permutations of the labels (default: 200)")] = 200,
    plot: Annotated[str | None, plot("accuracy by layer, with the band of the null")] = None,
    output: Reading = Reading(),
    line: Line,
) -> int:
    """Probe every layer for `classes` and show how well it can tell them apart."""
    check_output(output, plot)
    prompts = inputs.read_classes(classes)
    from lazarus_bench.analysis.classifier import PROTOCOLS, check_classes, classifier

    check_classes(prompts, protocol)
    if permutations < 1:
        raise UserError(f"--permutations {permutations} must be at least 1")
    if permutations > 10**6:
        raise UserError(f"--permutations {permutations} is too many: give at most 1000000")
    if nonlinear and test:
        raise UserError("--test is classified by linear probes: leave out --nonlinear")
    tested = inputs.read_prompts(test or ())
    found = inputs.find(model, output.adapter, store=output.store, dtype=output.dtype)
    loaded = found.load()
    with busy(f"training probes under {permutations} permutations"):
        own = inputs.texts_by_class(loaded, prompts)
        if nonlinear:
            from lazarus_bench.analysis.nonlinear_probe import nonlinear_classifier

            how = PROTOCOLS[protocol][0]
            both = nonlinear_classifier(loaded, own, how, permutations)
            return draw(both, found, line, output, plot)
        test_texts = inputs.texts(loaded, tested)
        result = classifier(loaded, own, protocol, permutations, test_texts)
    return draw(result, found, line, output, plot)
