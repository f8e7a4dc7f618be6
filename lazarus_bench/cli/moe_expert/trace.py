"""`moe-expert trace`: the experts that each token of a prompt goes to, layer by layer."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lazarus_bench.cli import pictures, subject, terminal
from lazarus_bench.cli.grid import grid
from lazarus_bench.cli.moe_expert import mixture
from lazarus_bench.cli.prompts import read_prompts
from lazarus_bench.cli.results import check_output, give
from lazarus_bench.cli.tokens import named, words
from lazarus_bench.report import printed
from lazarus_bench.report.printed import cut

if TYPE_CHECKING:
    from lazarus_bench.analysis.routing import Routing, Trace
    from lazarus_bench.models.load import LoadedModel


@dataclass(frozen=True, kw_only=True)
class _Traced:
    """Where the tokens of each prompt went; `texts` spell them."""

    prompts: Sequence[str]
    texts: Sequence[Sequence[str]]
    layers: Sequence[int]
    routing: Routing

    @property
    def places(self) -> list[int]:
        """Where the chosen layers stand among the routed ones."""
        return [self.routing.layers.index(layer) for layer in self.layers]


def run(options: argparse.Namespace) -> int:
    """Trace `options.prompts` and show where they go.

    Raises:
        UserError: a flag cannot be honoured, or the model cannot be read.
        NotApplicable: the model is dense.
    """
    check_output(options)
    pictures.check_plot(options.plot)
    prompts = read_prompts(options.prompts)
    found = subject.find(options.model, options.adapter)
    loaded = mixture.load(found)
    traced = _trace(loaded, prompts, mixture.chosen_layers(loaded, options.layer))
    if options.plot is not None:
        _draw(traced, found.label, loaded.depth, options.plot)
    give(options, found, _result(traced), _shown(traced, found.label))
    return 0


def _trace(loaded: LoadedModel, prompts: Sequence[str], layers: Sequence[int]) -> _Traced:
    from lazarus_bench.analysis.routing import read_routing

    with terminal.busy(f"routing {len(prompts)} prompts"):
        routing = read_routing(loaded, subject.encode(loaded, prompts))
    texts = [list(words(loaded, np.array(trace.tokens))) for trace in routing.traces]
    return _Traced(prompts=prompts, texts=texts, layers=layers, routing=routing)


def _result(traced: _Traced) -> dict[str, Any]:
    """Experts and weights `[token, layer, k]` of the chosen layers; counts are over all layers."""
    routing = traced.routing
    return {
        "layers": list(traced.layers),
        "experts": routing.load.shape[1],
        "independent_layers_distinct": routing.expected_distinct,
        "renumbered_layers_distinct": routing.renumbered_distinct,
        "prompts": [
            {
                "prompt": prompt,
                "tokens": list(texts),
                "ids": list(trace.tokens),
                "experts": trace.experts[:, traced.places],
                "weights": trace.weights[:, traced.places],
                "distinct": trace.distinct,
            }
            for prompt, texts, trace in zip(
                traced.prompts, traced.texts, routing.traces, strict=True
            )
        ],
    }


def _shown(traced: _Traced, label: str) -> str:
    room = terminal.width()
    blocks = [_block(traced, at, room) for at in range(len(traced.prompts))]
    return "\n\n".join([cut(label, room), *blocks, _said(traced.routing, room)])


def _block(traced: _Traced, at: int, room: int) -> str:
    trace, texts = traced.routing.traces[at], traced.texts[at]
    header = ["token", "distinct", *(f"L{layer}" for layer in traced.layers)]
    rows = [
        [
            named(text),
            str(trace.distinct[token]),
            *(_cell(trace, token, place) for place in traced.places),
        ]
        for token, text in enumerate(texts)
    ]
    table = grid(header, rows, room, kept=2)
    return f"{terminal.prompt_cell(traced.prompts[at], 3 * room)}\n{table}"


def _cell(trace: Trace, token: int, place: int) -> str:
    pairs = zip(trace.experts[token, place], trace.weights[token, place], strict=True)
    return " ".join(f"e{expert} {weight:.2f}" for expert, weight in pairs)


def _said(routing: Routing, room: int) -> str:
    return terminal.wrapped(
        f"Each cell: experts of the layer with the weights of what they say, the router's first "
        f"choice first. distinct: different expert numbers over all {len(routing.layers)} layers; "
        f"layers that chose independently by their load would have "
        f"{printed.number(routing.expected_distinct)}, layers whose experts were numbered at "
        f"random {printed.number(routing.renumbered_distinct)}: an expert's number means nothing "
        f"in another layer.",
        room,
    )


def _draw(traced: _Traced, label: str, depth: int, file: str) -> None:
    groups = {
        f"{terminal.prompt_cell(prompt, 3 * pictures.LONGEST)}, token {at}: {named(text)}": _rows(
            trace, at, traced.places
        )
        for prompt, texts, trace in zip(
            traced.prompts, traced.texts, traced.routing.traces, strict=True
        )
        for at, text in enumerate(texts)
    }
    mixture.draw(file, "Weight by expert", label, groups, traced.layers, depth, largest=1.0)


def _rows(trace: Trace, token: int, places: Sequence[int]) -> dict[str, mixture.Floats]:
    """The experts that a token goes to anywhere, each with its weight `[layer]`, else NaN."""
    experts, weights = trace.experts[token, places], trace.weights[token, places]
    rows = {}
    for expert in np.unique(experts):
        own = np.where(experts == expert, weights, np.nan)
        rows[f"expert {expert}"] = np.array([_only(layer) for layer in own])
    return rows


def _only(values: mixture.Floats) -> float:
    """The one value that is not NaN, else NaN."""
    held = values[~np.isnan(values)]
    return float(held[0]) if len(held) else float("nan")
