"""`moe-expert project`: router rows against the vocabulary, beside as many random rows."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lazarus_bench.cli import pictures, subject, terminal
from lazarus_bench.cli.moe_expert import mixture
from lazarus_bench.cli.prompts import read_words
from lazarus_bench.cli.results import check_output, give
from lazarus_bench.cli.tokens import Strings, head, words
from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.report import printed
from lazarus_bench.report.printed import cut
from lazarus_bench.tasks.arithmetic import Operation

if TYPE_CHECKING:
    from lazarus_bench.analysis.router import RouterProjection
    from lazarus_bench.models.load import LoadedModel
    from lazarus_bench.models.words import WordTokens

WORDS = ("correct", "incorrect", *(operation.word for operation in Operation))
"""Words whose tokens are looked for near the router's rows unless others are named."""


@dataclass(frozen=True, kw_only=True)
class _Projected:
    """Router rows and random rows against the vocabulary; arrays have a row for each chosen row.

    `tokens` `[row, k]` spell the nearest ones; `named` `[row]` tells which have a class word among
    them, and `random_named` `[draw]`, `random_score` `[draw]` what share of random rows has one and
    their mean largest cosine.
    """

    layers: Sequence[int]
    known: Sequence[WordTokens]
    rows: Sequence[int]
    gates: RouterProjection
    tokens: Strings
    named: Sequence[bool]
    random_named: mixture.Floats
    random_score: mixture.Floats
    random_categories: Counter[str]


def run(options: argparse.Namespace) -> int:
    """Project the routers of `options` and show the tokens nearest to every expert's row.

    Raises:
        UserError: a flag cannot be honoured, or the model cannot be read.
        NotApplicable: the model is dense.
    """
    check_output(options)
    pictures.check_plot(options.plot)
    if options.draws < 1:
        raise UserError(f"--draws {options.draws} is no null: give 1 or more")
    asked = read_words(options.targets or ())
    found = subject.find(options.model, options.adapter)
    loaded = mixture.load(found)
    layers = mixture.chosen_layers(loaded, options.layer)
    subject.check_top(loaded, options.top_k)
    read = _project(loaded, layers, _known(loaded, asked), options)
    if options.plot is not None:
        scores = _by_layer(read, read.gates.scores)
        groups = {"largest cosine with a token": mixture.by_expert(scores)}
        title = "Router rows against the vocabulary"
        mixture.draw(options.plot, title, found.label, groups, layers, loaded.depth)
    give(options, found, _result(read, options), _shown(read, found.label, options))
    return 0


def _known(loaded: LoadedModel, asked: Sequence[str]) -> Sequence[WordTokens]:
    """The words asked for, all of them; else those of `WORDS` that are single tokens.

    Raises:
        UserError: a word that was asked for is no single token, or none of `WORDS` is.
    """
    from lazarus_bench.analysis.vocabulary import known_words
    from lazarus_bench.models.words import word_tokens

    try:
        if not asked:
            return known_words(loaded, WORDS)
        return [word_tokens(loaded.tokenizer, word) for word in asked]
    except NotApplicable as error:
        raise UserError(f"--targets: {error}; name another word of {loaded.name}") from error


def _project(
    loaded: LoadedModel,
    layers: Sequence[int],
    known: Sequence[WordTokens],
    options: argparse.Namespace,
) -> _Projected:
    from lazarus_bench.analysis.router import project_gates, project_random

    with terminal.busy("projecting the routers"):
        gates = project_gates(loaded, options.top_k)
    with terminal.busy(f"projecting random rows {options.draws} times"):
        random = [project_random(loaded, options.top_k, seed) for seed in range(options.draws)]
    rows = [row for row, layer in enumerate(gates.layer) if layer in layers]
    return _Projected(
        layers=layers,
        known=known,
        rows=rows,
        gates=gates,
        tokens=words(loaded, gates.tokens),
        named=gates.names(known).tolist(),
        random_named=np.array([each.names(known)[rows].mean() for each in random]),
        random_score=np.array([each.scores[rows].mean() for each in random]),
        random_categories=Counter(each.categories[row] for each in random for row in rows),
    )


def _by_layer(read: _Projected, values: mixture.Floats) -> mixture.Floats:
    """`[layer, expert]` of the chosen layers from `[row]`."""
    return np.stack([values[read.gates.layer == layer] for layer in read.layers])


def _share(read: _Projected) -> float:
    return float(np.mean([read.named[row] for row in read.rows]))


def _score(read: _Projected) -> float:
    return float(read.gates.scores[read.rows].mean())


def _result(read: _Projected, options: argparse.Namespace) -> dict[str, Any]:
    gates, draws = read.gates, options.draws
    return {
        "layers": list(read.layers),
        "words": [word.word for word in read.known],
        "top_k": gates.tokens.shape[1],
        "experts": [
            {
                "layer": int(gates.layer[row]),
                "expert": int(gates.expert[row]),
                "category": gates.categories[row],
                "has_word": read.named[row],
                "tokens": read.tokens[row],
                "ids": gates.tokens[row],
                "cosines": gates.cosines[row],
            }
            for row in read.rows
        ],
        "share_with_word": _share(read),
        "mean_largest_cosine": _score(read),
        "random_rows": {
            "draws": draws,
            "share_with_word": read.random_named,
            "mean_largest_cosine": read.random_score,
            "categories": {k: n / draws for k, n in read.random_categories.most_common()},
        },
    }


def _shown(read: _Projected, label: str, options: argparse.Namespace) -> str:
    room, gates = terminal.width(), read.gates
    header = ["layer", "expert", "category", "word"]
    header += [f"top {1 + at}" for at in range(gates.tokens.shape[1])]
    rows = [
        [
            f"L{gates.layer[row]}",
            f"e{gates.expert[row]}",
            gates.categories[row],
            "yes" if read.named[row] else "",
            *head(read.tokens[row], gates.cosines[row]),
        ]
        for row in read.rows
    ]
    table = terminal.table(header, rows, room)
    return "\n\n".join([cut(label, room), _against(read, room), table, _said(read, options, room)])


def _against(read: _Projected, room: int) -> str:
    """What the routers have and what random rows have."""
    categories = Counter(read.gates.categories[row] for row in read.rows)
    count = len(read.rows)
    rows = [
        ["share with a class word", printed.number(_share(read)), *_range(read.random_named)],
        ["mean largest cosine", printed.number(_score(read)), *_range(read.random_score)],
    ]
    random_rows = count * len(read.random_named)
    for name in sorted({*categories, *read.random_categories}):
        own, random = categories[name] / count, read.random_categories[name] / random_rows
        rows.append([f"share that is {name}", printed.number(own), printed.number(random), ""])
    header = [f"of {count} rows", "router", "random rows", "least to most"]
    return terminal.table(header, rows, room)


def _range(values: mixture.Floats) -> list[str]:
    low, high = (printed.number(float(edge)) for edge in (values.min(), values.max()))
    return [printed.number(float(values.mean())), f"{low} to {high}"]


def _said(read: _Projected, options: argparse.Namespace, room: int) -> str:
    known = [word.word for word in read.known]
    missing = [] if options.targets else [w for w in WORDS if w not in known]
    left_out = f" No single token here, so left out: {', '.join(missing)}." if missing else ""
    return terminal.wrapped(
        f"Cosine of a router row with the output head's row of a token, as the writeup has it. "
        f"word: a spelling of {', '.join(known)} is among the {read.gates.tokens.shape[1]} nearest "
        f"tokens; category: the class of at least half of them.{left_out} Random rows: as many "
        f"isotropic directions on the same vocabulary, {options.draws} times.",
        room,
    )
