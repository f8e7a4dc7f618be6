"""One prompt layer by layer: what the lens says, how sure it is, and from where on it stays.

The lens is that of `analysis.lens`: at the last prompt position, of the next token alone.
Distributions over tokens are given as natural logarithms, those of `log_softmax`, so that a token
of negligible probability costs no precision; entropies and divergences are in bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lazarus_bench.analysis.answers import first_tokens
from lazarus_bench.analysis.lens import lens_logits
from lazarus_bench.analysis.measured import Floats, Ints
from lazarus_bench.analysis.prompts import (
    Strings,
    readable_prompts,
    token_cells,
    token_texts,
    top_header,
)
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.figures.heatmap import Heat, heat, prompt_title
from lazarus_bench.figures.tables import prompt_cell, table, wrapped
from lazarus_bench.figures.text import number, visible
from lazarus_bench.models.load import LoadedModel

DRAWN = 12
"""Most tokens of one prompt that a figure has a row for."""

_BIT = np.log(2.0)


def log_softmax(logits: npt.ArrayLike) -> Floats:
    """Logits `[..., token]` as the logarithm of their softmax, in float64."""
    given = np.asarray(logits, dtype=np.float64)
    given = given - given.max(axis=-1, keepdims=True)
    return np.asarray(given - np.log(np.exp(given).sum(axis=-1, keepdims=True)))


def entropy(log_p: Floats) -> Floats:
    """−Σ p log₂ p over the last axis: 0 for one certain token, log₂ of their number at most."""
    return np.asarray(-_expected(log_p, log_p) / _BIT)


def kl(log_p: Floats, log_q: Floats) -> Floats:
    """D(p ‖ q) = Σ p log₂(p / q) over the last axis; infinite where q excludes what p has.

    Source: S. Kullback and R. Leibler, On information and sufficiency, Ann. Math. Statist. 22
    (1951).
    """
    with np.errstate(invalid="ignore"):
        ratio = log_p - log_q
    return np.asarray(np.maximum(_expected(log_p, ratio) / _BIT, 0.0))


def jensen_shannon(log_p: Floats, log_q: Floats) -> Floats:
    """½ D(p ‖ m) + ½ D(q ‖ m), m the mean of p and q, over the last axis: 0 to 1 bit, symmetric.

    Source: J. Lin, Divergence measures based on the Shannon entropy, IEEE Trans. Inf. Theory 37
    (1991).
    """
    middle = np.logaddexp(log_p, log_q) - _BIT
    return np.asarray(np.minimum((kl(log_p, middle) + kl(log_q, middle)) / 2, 1.0))


def _expected(log_p: Floats, values: Floats) -> Floats:
    """Mean of `values` under p; a token without probability counts nothing."""
    p = np.exp(log_p)
    return np.asarray(np.where(p > 0, p * np.where(p > 0, values, 0.0), 0.0).sum(axis=-1))


@dataclass(frozen=True, kw_only=True)
class Emergence:
    """The lens of one prompt at every layer.

    `log_p` `[layer, token]` are the logarithms of its probabilities, `answer` the token whose
    course is told.
    """

    log_p: Floats
    answer: int

    @property
    def probability(self) -> Floats:
        """Of the answer `[layer]`."""
        return np.asarray(np.exp(self.log_p[:, self.answer]))

    @property
    def rank(self) -> Ints:
        """Of the answer `[layer]`; 1 is the most probable token."""
        return np.asarray(1 + (self.log_p > self.log_p[:, [self.answer]]).sum(axis=1))

    @property
    def entropy(self) -> Floats:
        """Of each layer in bits `[layer]`."""
        return entropy(self.log_p)

    @property
    def from_before(self) -> Floats:
        """Jensen-Shannon divergence of each layer from the one before in bits `[layer]`.

        NaN for the first layer, which has none before.
        """
        return np.append(np.nan, jensen_shannon(self.log_p[1:], self.log_p[:-1]))

    @property
    def to_last(self) -> Floats:
        """D(last ‖ layer) in bits `[layer]`: what a layer would still lose against the output.

        Source: N. Belrose et al., Eliciting latent predictions from transformers with the tuned
        lens (2023).
        """
        return kl(self.log_p[-1:], self.log_p)

    @property
    def crystallised(self) -> int | None:
        """The first layer from which on the answer is the most probable token at every layer.

        None where it is not at the last.
        """
        other = np.flatnonzero(self.rank > 1)
        if len(other) == 0:
            return 0
        first = int(other[-1]) + 1
        return first if first < len(self.log_p) else None

    def top(self, count: int) -> tuple[Ints, Floats]:
        """The `count` most probable tokens and their probabilities `[layer, count]`."""
        order = np.argsort(-self.log_p, axis=1, kind="stable")[:, :count]
        return order, np.exp(np.take_along_axis(self.log_p, order, axis=1))


def read_emergence(
    loaded: LoadedModel, prompt: Sequence[int], answer: int | None = None
) -> Emergence:
    """Read every layer of one prompt of at least one token, given as ids.

    Followed is the token `answer`, or else the model's own next one.

    Raises:
        UserError: a token of the prompt is not in the vocabulary, or the model is read through a
            lens that was fitted for some layers only.
    """
    read = [logits for _, _, logits in lens_logits(loaded, [prompt])]
    if len(read) < loaded.depth:
        raise UserError(
            f"{loaded.name} is read through a lens of {len(read)} of its {loaded.depth} layers: "
            f"fit one for all of them"
        )
    layers = log_softmax(np.array(mx.concatenate(read).astype(mx.float32)))
    return Emergence(log_p=layers, answer=int(layers[-1].argmax()) if answer is None else answer)


@dataclass(frozen=True, kw_only=True)
class Followed:
    """One prompt: its lens, and the most probable tokens of every layer `[layer, k]`.

    `answer` spells the token that is followed, the first of the answer `given`, if any; `drawn`
    spell the tokens that a figure has a row for, and `drawn_ids` are their ids.
    """

    prompt: str
    given: str | None
    answer: str
    reading: Emergence
    ids: Ints
    tokens: Strings
    probability: Floats
    drawn_ids: Sequence[int]
    drawn: Strings

    def row(self, layer: int) -> list[str]:
        """The cells of one layer."""
        first, *rest = token_cells(self.tokens[layer], self.probability[layer])
        reading = self.reading
        bits = (reading.entropy, reading.from_before, reading.to_last)
        shown = ["" if np.isnan(of[layer]) else f"{of[layer]:.2f}" for of in bits]
        answer = [number(reading.probability[layer]), str(reading.rank[layer])]
        return [f"L{layer}", first, *shown, *answer, *rest]

    @property
    def course(self) -> str:
        """Where the answer crystallises, or where it was the most probable token before."""
        reading, answer = self.reading, f"answer {visible(self.answer)}"
        if self.given is not None and self.given != self.answer:
            answer += f" (the first token of {visible(self.given)})"
        at = reading.crystallised
        if at is not None:
            chance = number(reading.probability[at])
            return f"{answer}: crystallises at L{at} ({chance}), the most probable from there on"
        rank, leads = int(reading.rank[-1]), np.flatnonzero(reading.rank == 1)
        if len(leads) == 0:
            return f"{answer}: never the most probable token; at the last layer its rank is {rank}"
        return (
            f"{answer}: the most probable token at {', '.join(f'L{layer}' for layer in leads)}, "
            f"but not at the last layer, where its rank is {rank}"
        )


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """Some prompts, each followed layer by layer; `layers` are shown."""

    layers: Sequence[int]
    followed: Sequence[Followed]

    def to_json(self) -> dict[str, Any]:
        """Numbers of the chosen layers, in the order of `layers`."""
        chosen = list(self.layers)
        prompts = [
            {
                "prompt": item.prompt,
                "answer": item.answer,
                "answer_id": item.reading.answer,
                "crystallised_at": item.reading.crystallised,
                "answer_probability": item.reading.probability[chosen],
                "answer_rank": item.reading.rank[chosen],
                "entropy_bits": item.reading.entropy[chosen],
                "jensen_shannon_from_layer_before_bits": item.reading.from_before[chosen],
                "kl_of_last_layer_from_layer_bits": item.reading.to_last[chosen],
                "top_tokens": item.tokens[chosen],
                "top_ids": item.ids[chosen],
                "top_probability": item.probability[chosen],
            }
            for item in self.followed
        ]
        return {"layers": chosen, "prompts": prompts}

    def text(self, room: int) -> str:
        """A table of layers for each prompt, and the course of its answer."""
        header = ["layer", "top 1", "entropy", "JS", "KL", "answer", "rank"]
        header += top_header(self.followed[0].tokens, 2)
        blocks = []
        for item in self.followed:
            rows = [item.row(layer) for layer in self.layers]
            shown = [prompt_cell(item.prompt, 3 * room), table(header, rows, room)]
            blocks.append("\n".join([*shown, wrapped(item.course, room)]))
        units = (
            "In bits: entropy of the layer's distribution; JS, its Jensen-Shannon divergence from "
            "the layer before; KL, the Kullback-Leibler divergence of the last layer from it."
        )
        return "\n\n".join([*blocks, wrapped(units, room)])

    def figure(self, subject: str) -> Heat:
        """For each prompt the answer, then every other token that is the top one of some layer."""
        groups = []
        for item in self.followed:
            chances = np.exp(item.reading.log_p[:, list(item.drawn_ids)]).T
            pairs = zip(item.drawn, chances, strict=True)
            rows = [(f"'{token}'", item.answer, p) for token, p in pairs]
            groups.append((prompt_title(item.prompt), rows))
        return heat("Lens by layer", subject, groups, self.layers[0], self.layers)


def analyse(
    loaded: LoadedModel,
    prompts: Sequence[str],
    layers: Sequence[int],
    answer: str | None = None,
    top: int = 5,
) -> Analysis:
    """Follow `prompts` one by one, and in each the first token of `answer`.

    Raises:
        UserError: a prompt has no token or more than the model reads, or the answer has none.
    """
    followed = []
    for prompt, tokens in zip(prompts, readable_prompts(loaded, prompts), strict=True):
        given = None
        if answer is not None:
            [given] = first_tokens(loaded, [prompt], [tokens], [answer])
        reading = read_emergence(loaded, tokens, given)
        ids, probability = reading.top(top)
        drawn = list(dict.fromkeys([reading.answer, *ids[:, 0].tolist()]))[:DRAWN]
        followed.append(
            Followed(
                prompt=prompt,
                given=answer,
                answer=str(token_texts(loaded, [reading.answer])[0]),
                reading=reading,
                ids=ids,
                tokens=token_texts(loaded, ids),
                probability=probability,
                drawn_ids=drawn,
                drawn=token_texts(loaded, drawn),
            )
        )
    return Analysis(layers=layers, followed=followed)
