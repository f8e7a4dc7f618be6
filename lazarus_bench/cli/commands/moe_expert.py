"""Inspect the experts of a mixture: their use, routing, weights and vocabulary.

By default every layer that has a router is measured.

Examples:
    lazarus-bench moe-expert analyze lab:olmoe --plot experts.svg
    lazarus-bench moe-expert trace lab:olmoe '7 * 8 = '
    lazarus-bench moe-expert weights lab:olmoe
    lazarus-bench moe-expert project lab:gpt-oss --targets multiply,add
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from lazarus_bench.cli import inputs
from lazarus_bench.cli.application import actions
from lazarus_bench.cli.flags import Layers, Line, Model, Prompts, Reading, number, plot
from lazarus_bench.cli.outputs import Drawn, check_output, draw
from lazarus_bench.cli.terminal import busy
from lazarus_bench.errors import NotApplicable, UserError

if TYPE_CHECKING:
    from lazarus_bench.models.load import LoadedModel
    from lazarus_bench.models.prompts import WordTokens

PROBLEMS = 40
"""Arithmetic prompts that are read where no classes are given, ten an operation."""

app = actions()


@app.command
def analyze(
    model: Model,
    /,
    *,
    layers: Layers = Layers(),
    classes: Annotated[
        list[str] | None,
        Parameter(
            metavar="NAME:PROMPT|PROMPT",
            help="a class and its prompts, or NAME:@FILE; give it once per class (default: "
            "forty arithmetic prompts, one class per operation)",
        ),
    ] = None,
    position: Annotated[
        Literal["all", "last"],
        Parameter(
            help="count the assignments of all tokens, or only of each prompt's last token, "
            "which is the same token if all prompts end alike (default: all)"
        ),
    ] = "all",
    permutations: Annotated[int, number("shuffles of the labels (default: 200)")] = 200,
    plot: Annotated[
        str | None, plot("a heat map per class: fraction of assignments, expert by layer")
    ] = None,
    output: Reading = Reading(),
    line: Line,
) -> int:
    r"""Show which experts each class of prompts goes to, compared with shuffled labels.

    Prints the fraction of assignments by expert and class, how even the load is, and the mutual
    information, in bits, between an assignment's expert and its prompt's class, compared with
    labels shuffled across prompts. For the best layer, the null takes the maximum over layers
    within each shuffle.

    Examples:
        lazarus-bench moe-expert analyze lab:olmoe --plot experts.svg
        lazarus-bench moe-expert analyze lab:olmoe --position last \
            --classes "multiply:7 * 8 = |12 * 5 = |3 * 9 = " \
            --classes "add:23 + 45 = |17 + 38 = |11 + 22 = " --output experts.json
        lazarus-bench moe-expert analyze MODEL --classes code:@code.txt --classes text:@t.txt
    """
    check_output(output, plot)
    prompts = inputs.read_classes(classes) if classes else _operations()
    for name, texts in prompts.items():
        if len(texts) < 2:
            raise UserError(f"the class {name} has one prompt, but the null needs two: give more")
    if permutations < 1:
        raise UserError(f"--permutations {permutations} must be at least 1")
    if permutations > 10**6:
        raise UserError(f"--permutations {permutations} is too many: give at most 1000000")
    found = inputs.find(model, output.adapter, store=output.store, dtype=output.dtype)
    with _mixture(found, layers) as (loaded, chosen):
        from lazarus_bench.analysis.expert_use import class_use

        own = inputs.texts_by_class(loaded, prompts)

        with busy(f"routing prompts and shuffling labels {permutations} times"):
            result = class_use(loaded, own, chosen, permutations, last=position == "last")
    return _draw(result, found, line, output, plot)


@app.command
def trace(
    model: Model,
    prompts: Prompts,
    /,
    *,
    layers: Layers = Layers(),
    plot: Annotated[str | None, plot("a heat map per token: weight, expert by layer")] = None,
    output: Reading = Reading(),
    line: Line,
) -> int:
    """Show the experts each token of a prompt is routed to, with their weights.

    Examples:
        lazarus-bench moe-expert trace lab:olmoe '7 * 8 = '
        lazarus-bench moe-expert trace lab:gpt-oss '127 * 89 = ' --layer 2 --plot trace.svg
    """
    check_output(output, plot)
    asked = inputs.read_prompts(prompts)
    found = inputs.find(model, output.adapter, store=output.store, dtype=output.dtype)
    with _mixture(found, layers) as (loaded, chosen):
        from lazarus_bench.analysis.routing import traced

        with busy(f"routing {len(asked)} prompts"):
            result = traced(loaded, inputs.texts(loaded, asked), chosen)
    return _draw(result, found, line, output, plot)


@app.command
def weights(
    model: Model,
    /,
    *,
    layers: Layers = Layers(),
    plot: Annotated[
        str | None,
        plot("a heat map: each row's and expert's largest |cosine| with another, by layer"),
    ] = None,
    output: Reading = Reading(),
    line: Line,
) -> int:
    """Show the norms of router rows and experts, and how similar they are.

    Examples:
        lazarus-bench moe-expert weights lab:olmoe
        lazarus-bench moe-expert weights lab:gpt-oss --layer 0 --json
    """
    check_output(output, plot)
    found = inputs.find(model, output.adapter, store=output.store, dtype=output.dtype)
    with _mixture(found, layers) as (loaded, chosen):
        from lazarus_bench.analysis import expert_weights

        with busy(f"comparing the experts of {len(chosen)} layers"):
            result = expert_weights.weights(loaded, chosen)
    return _draw(result, found, line, output, plot)


@app.command
def project(
    model: Model,
    /,
    *,
    layers: Layers = Layers(),
    targets: Annotated[
        list[str] | None,
        Parameter(
            metavar="WORD,WORD",
            help="class words, each a single token, taken literally (default: those of correct, "
            "incorrect and the four operations that are)",
        ),
    ] = None,
    top_k: Annotated[
        int, Parameter(metavar="K", help="number of nearest tokens per row (default: 20)")
    ] = 20,
    draws: Annotated[int, number("number of draws of random rows (default: 5)")] = 5,
    plot: Annotated[
        str | None, plot("a heat map: largest cosine with a token, expert by layer")
    ] = None,
    output: Reading = Reading(),
    line: Line,
) -> int:
    r"""Show the tokens closest to each router row, compared with random rows.

    Computes the cosine of every router row with the output head's rows, and prints the nearest
    tokens, their common class, and the fraction of experts with a class word among them, compared
    with as many random rows.

    Examples:
        lazarus-bench moe-expert project lab:olmoe
        lazarus-bench moe-expert project lab:gpt-oss --targets multiply,add --top-k 5 \
            --layer 4 --plot words.svg
    """
    check_output(output, plot)
    inputs.check_count("--draws", draws)
    asked = inputs.read_words(targets)
    found = inputs.find(model, output.adapter, store=output.store, dtype=output.dtype)
    with _mixture(found, layers) as (loaded, chosen):
        from lazarus_bench.analysis.router import projected

        inputs.check_top(loaded, top_k)
        words, missing = _words(loaded, asked)
        with busy(f"projecting the routers, and random rows {draws} times"):
            result = projected(loaded, chosen, words, missing, top=top_k, draws=draws)
    return _draw(result, found, line, output, plot)


def _operations() -> dict[str, list[inputs.Prompt]]:
    """Arithmetic prompts by the name of their operation."""
    from lazarus_bench.tasks.arithmetic import Operation, held_out

    problems = held_out(PROBLEMS, 0)
    return {
        operation.word: [p.symbols for p in problems if p.operation is operation]
        for operation in Operation
    }


def _words(loaded: LoadedModel, asked: Sequence[str]) -> tuple[Sequence[WordTokens], list[str]]:
    """The words asked for; else the default's that are single tokens, and those that are not."""
    from lazarus_bench.analysis.vocabulary import known_words
    from lazarus_bench.models.prompts import word_tokens
    from lazarus_bench.tasks.arithmetic import Operation

    try:
        if asked:
            return [word_tokens(loaded.tokenizer, word) for word in asked], []
        default = ("correct", "incorrect", *(operation.word for operation in Operation))
        words = known_words(loaded, default)
        return words, [word for word in default if word not in {known.word for known in words}]
    except NotApplicable as error:
        raise UserError(f"--targets: {error}; name another word of {loaded.name}") from error


@contextmanager
def _mixture(found: inputs.Found, layers: Layers) -> Iterator[tuple[LoadedModel, list[int]]]:
    """The model and the routed layers asked for, ascending, each once; all where none is named.

    An adapter is added to the weights, as it may change routers and experts. Within the block, what
    does not apply to the model is the user's mistake.
    """
    loaded = found.load()
    if found.adapter is not None:
        from mlx.utils import tree_unflatten

        adapted = [(name, m) for name, m in loaded.model.named_modules() if hasattr(m, "fuse")]
        # Quantised again, a small adapter might be lost.
        fused = [(name, module.fuse(dequantize=True)) for name, module in adapted]
        loaded.model.update_modules(tree_unflatten(fused))
    from lazarus_bench.analysis.router import routed_layers

    try:
        routed = list(routed_layers(loaded))
        for layer in layers.layer or ():
            if layer not in routed:
                known = ", ".join(map(str, routed))
                raise UserError(f"--layer {layer} of {loaded.name} has no router: choose {known}")
        yield loaded, sorted(set(layers.layer or routed))
    except NotApplicable as error:
        raise UserError(str(error)) from error


def _draw(result: Drawn, found: inputs.Found, line: Line, output: Reading, plot: str | None) -> int:
    kind = " ".join(line.words[:2])
    return draw(result, found, replace(line, command=kind), output, plot)
