"""`lazarus-bench analyze`: prompts followed layer by layer, and where the answer crystallises."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lazarus_bench.cli import pictures, subject, terminal
from lazarus_bench.cli.answers import first_tokens
from lazarus_bench.cli.prompts import read_prompts
from lazarus_bench.cli.results import check_output, give
from lazarus_bench.cli.tokens import Strings, head, named, words
from lazarus_bench.errors import UserError
from lazarus_bench.figures import HeatGroup, HeatMap
from lazarus_bench.report import printed
from lazarus_bench.report.printed import cut

if TYPE_CHECKING:
    from lazarus_bench.analysis.emergence import Emergence, Floats, Ints
    from lazarus_bench.models.load import LoadedModel

HEADER = ("layer", "top 1", "entropy", "JS", "KL", "answer", "rank")
UNITS = (
    "In bits: entropy of the layer's distribution; JS, its Jensen-Shannon divergence from the "
    "layer before; KL, the Kullback-Leibler divergence of the last layer from it."
)
DRAWN = 12
"""Tokens of one prompt that a picture has a row for."""


@dataclass(frozen=True, kw_only=True)
class _Followed:
    """One prompt: its readings, and the most probable tokens of every layer `[layer, k]`.

    `answer` spells the token that is followed, the first of the answer that was `given` if any.
    """

    prompt: str
    given: str | None
    answer: str
    reading: Emergence
    ids: Ints
    tokens: Strings
    probability: Floats


def run(options: argparse.Namespace) -> int:
    """Follow `options.prompts` and show their course.

    Raises:
        UserError: a flag cannot be honoured, or the model cannot be read.
    """
    check_output(options)
    pictures.check_plot(options.plot)
    if options.answer == "":
        raise UserError("--answer is empty: give the text that should follow the prompt")
    prompts = read_prompts(options.prompts)
    found = subject.find(options.model, options.adapter)
    loaded = found.load()
    layers = subject.chosen_layers(loaded, options.layer, every=not options.layer)
    subject.check_top(loaded, options.top_k)
    followed = _follow(loaded, prompts, options.answer, options.top_k)
    if options.plot is not None:
        _draw(loaded, followed, found.label, layers, options.plot)
    give(options, found, _result(followed, layers), _shown(followed, layers, found.label))
    return 0


def _follow(
    loaded: LoadedModel, prompts: Sequence[str], answer: str | None, top: int
) -> list[_Followed]:
    encoded = subject.encode(loaded, prompts)
    with terminal.busy(f"following {len(prompts)} prompts"):
        return [
            _one(loaded, prompt, tokens, answer, top)
            for prompt, tokens in zip(prompts, encoded, strict=True)
        ]


def _one(
    loaded: LoadedModel, prompt: str, tokens: Sequence[int], answer: str | None, top: int
) -> _Followed:
    from lazarus_bench.analysis.emergence import read_emergence

    given = None if answer is None else first_tokens(loaded, [prompt], [tokens], [answer])
    wanted = None if given is None else given[0]
    reading = read_emergence(loaded, tokens, wanted)
    ids, probability = reading.top(top)
    return _Followed(
        prompt=prompt,
        given=answer,
        answer=str(words(loaded, np.array([reading.answer]))[0]),
        reading=reading,
        ids=ids,
        tokens=words(loaded, ids),
        probability=probability,
    )


def _result(followed: Sequence[_Followed], layers: Sequence[int]) -> dict[str, Any]:
    """Numbers of the chosen layers, in the order of `layers`; divergences and entropy in bits."""
    return {
        "layers": list(layers),
        "prompts": [_told(item, list(layers)) for item in followed],
    }


def _told(item: _Followed, layers: list[int]) -> dict[str, Any]:
    return {
        "prompt": item.prompt,
        "answer": item.answer,
        "answer_id": item.reading.answer,
        "crystallised_at": item.reading.crystallised,
        "answer_probability": item.reading.probability[layers],
        "answer_rank": item.reading.rank[layers],
        "entropy_bits": item.reading.entropy[layers],
        "jensen_shannon_from_layer_before_bits": item.reading.from_before[layers],
        "kl_of_last_layer_from_layer_bits": item.reading.to_last[layers],
        "top_tokens": item.tokens[layers],
        "top_ids": item.ids[layers],
        "top_probability": item.probability[layers],
    }


def _shown(followed: Sequence[_Followed], layers: Sequence[int], label: str) -> str:
    room = terminal.width()
    blocks = [_block(item, layers, room) for item in followed]
    return "\n\n".join([cut(label, room), *blocks, terminal.wrapped(UNITS, room)])


def _block(item: _Followed, layers: Sequence[int], room: int) -> str:
    rest = [f"top {2 + at}" for at in range(item.tokens.shape[1] - 1)]
    rows = [_row(item, layer) for layer in layers]
    lines = [terminal.prompt_cell(item.prompt, 3 * room)]
    lines += [terminal.table([*HEADER, *rest], rows, room), terminal.wrapped(_course(item), room)]
    return "\n".join(lines)


def _row(item: _Followed, layer: int) -> list[str]:
    first, *rest = head(item.tokens[layer], item.probability[layer])
    reading = item.reading
    bits = (reading.entropy, reading.from_before, reading.to_last)
    shown = ["" if np.isnan(of[layer]) else f"{of[layer]:.2f}" for of in bits]
    answer = [printed.number(reading.probability[layer]), str(reading.rank[layer])]
    return [f"L{layer}", first, *shown, *answer, *rest]


def _course(item: _Followed) -> str:
    at, answer = item.reading.crystallised, f"answer {named(item.answer)}"
    if item.given is not None and item.given != item.answer:
        answer += f" (the first token of {named(item.given)})"
    if at is None:
        return f"{answer}: {_lost(item.reading)}"
    chance = printed.number(item.reading.probability[at])
    return f"{answer}: crystallises at L{at} ({chance}), the most probable from there on"


def _lost(reading: Emergence) -> str:
    """Where the answer stands that is not the model's, and where it stood first before."""
    rank, leads = int(reading.rank[-1]), np.flatnonzero(reading.rank == 1)
    if len(leads) == 0:
        return f"never the most probable token; at the last layer its rank is {rank}"
    layers = ", ".join(f"L{layer}" for layer in leads)
    return (
        f"the most probable token at {layers}, but not at the last layer, where its rank is {rank}"
    )


def _draw(
    loaded: LoadedModel,
    followed: Sequence[_Followed],
    label: str,
    layers: Sequence[int],
    file: str,
) -> None:
    groups = tuple(_group(loaded, item) for item in followed)
    item = HeatMap(title="Lens by layer", subject=label, layer=layers[0], seeds=1, groups=groups)
    pictures.write(item, file, () if len(layers) == item.depth else layers)


def _group(loaded: LoadedModel, item: _Followed) -> HeatGroup:
    """The answer, then what else is the top token anywhere, in the order of the layers."""
    drawn = list(dict.fromkeys([item.reading.answer, *item.ids[:, 0].tolist()]))[:DRAWN]
    texts = words(loaded, np.array(drawn))
    chances = np.exp(item.reading.log_p[:, drawn]).T
    rows = zip(texts, chances, strict=True)
    return HeatGroup(
        name=terminal.prompt_cell(item.prompt, 3 * pictures.LONGEST),
        rows=tuple(pictures.heat_row(f"'{t}'", item.answer, p) for t, p in rows),
    )
