"""Routing: which experts each token goes to in the model's own forward, and how the load spreads.

The gates are listened to while the model runs itself, so its masks, norms and caches stay in force.
In every family here a token goes to the k experts of largest gate logits; families differ in how
the chosen are weighed (`Anatomy.routing`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lazarus_bench.analysis.measured import Floats, Ints, Measured
from lazarus_bench.analysis.prompts import (
    batches_by_length,
    readable_prompts,
    token_texts,
)
from lazarus_bench.analysis.router import routed_layers
from lazarus_bench.analysis.vocabulary import row_count
from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.figures.heatmap import Heat, heat, prompt_title, spread
from lazarus_bench.figures.tables import grid, prompt_cell, wrapped
from lazarus_bench.figures.text import number, visible
from lazarus_bench.models.anatomy import blocks, holder
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.taps import router_logits
from lazarus_bench.models.texts import check_tokens
from lazarus_bench.tasks.arithmetic import Problem

MAX_CHOICES = 1 << 23
"""Most gate logits of one forward (prompts × positions × layers × experts): 64 MiB in float64."""


@dataclass(frozen=True, kw_only=True)
class Trace:
    """Where one prompt's tokens went.

    `experts` and `weights` `[token, layer, k]`, the largest gate logit first; `tokens` the prompt.
    """

    tokens: tuple[int, ...]
    experts: Ints
    weights: Floats

    @property
    def distinct(self) -> Ints:
        """Different expert numbers over all layers, by token `[token]`."""
        return _distinct(self.experts.reshape(len(self.experts), -1))

    @property
    def distinct_first(self) -> Ints:
        """The same of each layer's first expert alone `[token]`."""
        return _distinct(self.experts[:, :, 0])


def _distinct(numbers: Ints) -> Ints:
    ordered = np.sort(numbers, axis=1)
    return np.asarray(1 + (np.diff(ordered, axis=1) != 0).sum(axis=1))


@dataclass(frozen=True, kw_only=True)
class Routing:
    """Traces of several prompts and what they add up to over all tokens.

    `layers` are those with a gate, 0-based. `load` `[layer, expert]` is the share of tokens that
    went to an expert, a layer's sum being k; `first` `[layer, expert]` the share whose first expert
    it is.
    """

    layers: tuple[int, ...]
    traces: tuple[Trace, ...]
    load: Floats
    first: Floats

    @property
    def expected_distinct(self) -> float:
        """Different expert numbers of a token if its layers chose independently, each by its load.

        Σ_e (1 − Π_l (1 − load[l, e])): an expert number is missed by a layer with probability one
        minus its load, whatever else the layer chooses.
        """
        return _expected(self.load)

    @property
    def expected_distinct_first(self) -> float:
        """The same of each layer's first expert alone."""
        return _expected(self.first)

    @property
    def renumbered_distinct(self) -> float:
        """Different expert numbers of a token if each layer's experts were numbered at random.

        A layer's experts have no order: another numbering is the same model, and every numbering
        that makes two layers agree has others in which they do not.
        """
        experts = self.load.shape[1]
        return _expected(np.repeat(self.load.mean(axis=1, keepdims=True), experts, axis=1))

    @property
    def excess(self) -> Floats:
        """Different expert numbers minus the expected, mean over a prompt's tokens `[prompt]`."""
        counted = [trace.distinct.mean() for trace in self.traces]
        return np.array(counted) - self.expected_distinct

    @property
    def excess_first(self) -> Floats:
        """The same of each layer's first expert alone `[prompt]`."""
        counted = [trace.distinct_first.mean() for trace in self.traces]
        return np.array(counted) - self.expected_distinct_first


def _expected(load: Floats) -> float:
    return float((1 - np.prod(1 - load, axis=0)).sum())


def read_routing(loaded: LoadedModel, prompts: Sequence[Sequence[int]]) -> Routing:
    """Trace `prompts`, given as token ids; loads are summed while the prompts stream by.

    Raises:
        NotApplicable: the model is dense, or how its family weighs its experts is not known.
        UserError: there is no prompt, one is empty or has an unknown token, or a gate's logits are
            not finite.
    """
    found = routed_layers(loaded)
    if not prompts or not all(prompts):
        raise UserError(f"{loaded.name}: routing needs prompts of at least one token each")
    experts = row_count(next(iter(found.values())))
    load, first = np.zeros((len(found), experts)), np.zeros((len(found), experts))
    traces: dict[int, Trace] = {}
    for index, trace in trace_prompts(loaded, prompts):
        traces[index] = trace
        load += _hot(trace.experts, experts).sum(axis=0)
        first += _hot(trace.experts[:, :, :1], experts).sum(axis=0)
    total = sum(map(len, prompts))
    return Routing(
        layers=tuple(found),
        traces=tuple(traces[index] for index in range(len(prompts))),
        load=load / total,
        first=first / total,
    )


def _hot(chosen: Ints, experts: int) -> Floats:
    """1 where a token went `[token, layer, expert]`, from its choices `[token, layer, k]`."""
    hot = np.zeros((*chosen.shape[:2], experts))
    np.put_along_axis(hot, chosen, 1.0, axis=2)
    return hot


def trace_prompts(
    loaded: LoadedModel, prompts: Sequence[Sequence[int]]
) -> Iterator[tuple[int, Trace]]:
    """Each prompt's index and trace; prompts of one length share a forward.

    Raises:
        NotApplicable: the model is dense, or how its family weighs its experts is not known.
        UserError: a token is not in the vocabulary, or a gate's logits are not finite.
    """
    found = routed_layers(loaded)
    if loaded.anatomy.routing is None:
        raise NotApplicable(
            f"{loaded.name}: how {loaded.config.get('model_type')!r} weighs its experts is not "
            f"known: give its record in lazarus_bench/models/families.py a routing rule"
        )
    check_tokens(loaded, prompts)
    longest = max(len(prompt) for prompt in prompts)
    values = longest * sum(row_count(gate) for gate in found.values())
    for rows, tokens in batches_by_length(prompts, max(1, MAX_CHOICES // values)):
        logits = zip(found, gate_logits(loaded, tokens), strict=True)
        chosen = [_choose(loaded, layer, level) for layer, level in logits]
        experts, weights = (np.stack(side, axis=2) for side in zip(*chosen, strict=True))
        for place, index in enumerate(rows):
            own = experts[place], weights[place]
            yield index, Trace(tokens=tuple(prompts[index]), experts=own[0], weights=own[1])


def gate_logits(loaded: LoadedModel, tokens: mx.array) -> list[Floats]:
    """What each gate says in one forward over `tokens` `[batch, time]`: `[batch, time, expert]`.

    Raises:
        NotApplicable: the model is dense.
        UserError: a logit is not finite.
    """
    routers = [_gate_home(loaded, layer) for layer in routed_layers(loaded)]
    with router_logits(routers) as heard:
        loaded.model(tokens)
        mx.eval(heard)
    levels = [np.array(level.astype(mx.float32), dtype=np.float64) for [level] in heard]
    if not all(np.isfinite(level).all() for level in levels):
        raise UserError(f"{loaded.name}: its gates are not finite: copy its weights again")
    return [level.reshape(*tokens.shape, -1) for level in levels]


def _gate_home(loaded: LoadedModel, layer: int) -> tuple[nn.Module, str]:
    """The module that calls the gate of `layer`, and the gate's name in it."""
    block = blocks(loaded.model, loaded.anatomy)[layer]
    return holder(block, str(loaded.anatomy.router))


def _choose(loaded: LoadedModel, layer: int, logits: Floats) -> tuple[Ints, Floats]:
    """Experts and weights `[..., k]` of one layer from its gate's logits `[..., expert]`."""
    home, rule = _gate_home(loaded, layer)[0], loaded.anatomy.routing
    k = int(home.top_k if hasattr(home, "top_k") else home.num_experts_per_tok)
    experts = np.argsort(-logits, axis=-1, kind="stable")[..., :k]
    chosen = np.take_along_axis(logits, experts, axis=-1)
    if rule == "sigmoid":
        return experts, 1 / (1 + np.exp(-chosen))
    if rule == "sparsemixer":
        # Each choice's softmax over what is left within 2 · jitter of it; the weights need not
        # sum to one. Source: L. Liu et al., GRIN: gradient-informed MoE (2024).
        left, weights, jitter = logits.copy(), [], float(home.jitter_eps)
        for place in range(k):
            top = chosen[..., place : place + 1]
            far = top - logits > 2 * jitter * np.maximum(np.abs(logits), top)
            weights.append(1 / np.exp(np.where(far, -np.inf, left) - top).sum(axis=-1))
            np.put_along_axis(left, experts[..., place : place + 1], -np.inf, axis=-1)
        return experts, np.stack(weights, axis=-1)
    whole = rule == "configured" and not getattr(home, "norm_topk_prob", False)
    odds = np.exp(chosen - chosen[..., :1])
    total = np.exp(logits - chosen[..., :1]) if whole else odds
    return experts, odds / total.sum(axis=-1, keepdims=True)


@dataclass(frozen=True, kw_only=True)
class Traced:
    """The experts that the tokens of each prompt went to; `texts` spell the tokens."""

    prompts: Sequence[str]
    texts: Sequence[Sequence[str]]
    layers: Sequence[int]
    depth: int
    routing: Routing

    @property
    def places(self) -> list[int]:
        """Indices of the chosen layers among the routed ones."""
        return [self.routing.layers.index(layer) for layer in self.layers]

    def to_json(self) -> dict[str, Any]:
        """Experts and weights `[token, layer, k]` of the chosen layers; counts over all layers."""
        routing = self.routing
        prompts = [
            {
                "prompt": prompt,
                "tokens": list(texts),
                "ids": list(trace.tokens),
                "experts": trace.experts[:, self.places],
                "weights": trace.weights[:, self.places],
                "distinct": trace.distinct,
            }
            for prompt, texts, trace in zip(self.prompts, self.texts, routing.traces, strict=True)
        ]
        return {
            "layers": list(self.layers),
            "experts": routing.load.shape[1],
            "independent_layers_distinct": routing.expected_distinct,
            "renumbered_layers_distinct": routing.renumbered_distinct,
            "prompts": prompts,
        }

    def text(self, room: int) -> str:
        """A table of tokens and layers for each prompt."""
        routing, blocks = self.routing, []
        header = ["token", "distinct", *(f"L{layer}" for layer in self.layers)]
        for prompt, texts, trace in zip(self.prompts, self.texts, routing.traces, strict=True):
            rows = []
            for token, text in enumerate(texts):
                chosen = zip(trace.experts[token], trace.weights[token], strict=True)
                cells = [
                    " ".join(f"e{e} {weight:.2f}" for e, weight in zip(*pair, strict=True))
                    for pair in chosen
                ]
                own = [cells[place] for place in self.places]
                rows.append([visible(text), str(trace.distinct[token]), *own])
            blocks.append(f"{prompt_cell(prompt, 3 * room)}\n{grid(header, rows, room, kept=2)}")
        note = (
            f"Each cell: experts of the layer with the weights of what they say, the router's "
            f"first choice first. distinct: different expert numbers over all "
            f"{len(routing.layers)} layers; layers that chose independently by their load would "
            f"have {number(routing.expected_distinct)}, layers whose experts were numbered "
            f"at random {number(routing.renumbered_distinct)}: an expert's number means "
            f"nothing in another layer."
        )
        return "\n\n".join([*blocks, wrapped(note, room)])

    def figure(self, subject: str) -> Heat:
        """For each token the experts it goes to anywhere, by layer: their weights."""
        groups = []
        for prompt, texts, trace in zip(self.prompts, self.texts, self.routing.traces, strict=True):
            for token, text in enumerate(texts):
                name = f"{prompt_title(prompt)}, token {token}: {visible(text)}"
                experts = trace.experts[token, self.places]
                weights = trace.weights[token, self.places]
                rows = []
                for expert in np.unique(experts):
                    # A layer chooses an expert once at most.
                    own = np.where(experts == expert, weights, 0.0).sum(axis=1)
                    own[~(experts == expert).any(axis=1)] = np.nan
                    rows.append((f"expert {expert}", name, spread(own, self.layers, self.depth)))
                groups.append((name, rows))
        return heat("Weight by expert", subject, groups, self.layers[0], largest=1.0)


def traced(loaded: LoadedModel, prompts: Sequence[str], layers: Sequence[int]) -> Traced:
    """Trace prompts that somebody wrote.

    Raises:
        NotApplicable: the model is dense, or how its family weighs its experts is not known.
        UserError: a prompt has no token or more than the model reads.
    """
    routing = read_routing(loaded, readable_prompts(loaded, prompts))
    texts = [token_texts(loaded, trace.tokens).tolist() for trace in routing.traces]
    return Traced(prompts=prompts, texts=texts, layers=layers, depth=loaded.depth, routing=routing)


def routing(loaded: LoadedModel, problems: Sequence[Problem]) -> Routing:
    """Where the tokens of the prompts in symbols go."""
    return routes(loaded, [problem.symbols for problem in problems])


def routes(loaded: LoadedModel, texts: Sequence[str]) -> Routing:
    """Where the tokens of prompts given as text go, special tokens included."""
    return read_routing(loaded, [loaded.encode(text) for text in texts])


def token_experts(run: Measured, text: str, word: str) -> float:
    """Different experts over all layers of the token that spells `word` in a prompt `text`.

    The mean over its pieces where the tokenizer splits it.

    Raises:
        NotApplicable: no run of tokens spells the word.
    """
    trace = run.read(routes, (text,)).traces[0]
    pieces = [run.loaded.tokenizer.decode([token]) for token in trace.tokens]
    return float(trace.distinct[_where(pieces, word)].mean())


def _where(pieces: Sequence[str], word: str) -> slice:
    """The shortest run of `pieces` that spells `word`, the first of equals."""
    for length in range(1, len(pieces) + 1):
        for start in range(len(pieces) - length + 1):
            if "".join(pieces[start : start + length]).strip() == word:
                return slice(start, start + length)
    raise NotApplicable(f"no tokens of the prompt spell {word!r}")
