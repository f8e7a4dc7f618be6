"""Interchange interventions: which subspace of the residual stream carries a variable.

Distributed alignment search (Geiger et al. 2024, *Finding alignments between interpretable causal
variables and distributed neural representations*): after a layer, at a position, a base prompt's
residual h is given a source prompt's coordinates in a subspace with the orthonormal basis Q
`[d, k]`,

    h′ = h + Q Qᵀ (h_source − h),

and Q is trained so that the model then gives the source's answer. Base and source have the same
operands and another operation, so a subspace in which that works for operands it was not trained on
carries the operation. The gradient goes through the blocks above the layer; those below are not
run. Q stays on the Stiefel manifold: the gradient is projected onto the tangent space, scaled by
Adam, and each step ends in a QR retraction (Absil, Mahony and Sepulchre 2008, *Optimization
Algorithms on Matrix Manifolds*, sections 3.6 and 4.1).

An answer of several tokens is fed behind the base prompt, and counts if each of its tokens is the
most probable one: just then greedy decoding begins with it.

A search finds something in any model, so each comes with what chance finds: random subspaces as
large, and searches in which the sources are permuted among the swaps while bases and answers stay.
There the label is no variable of the source, and what remains comes from the base and from how
common an answer is. The whole residual (k = d) is the most that any subspace could do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Annotated, Any, Literal

import numpy as np

from lazarus_bench.analysis.answers import first_tokens
from lazarus_bench.analysis.measured import SHARE, Axes, Bools, Floats, Hits, HitsByLayer, Ints
from lazarus_bench.analysis.nulls import LayerNull, isotropic
from lazarus_bench.analysis.prompts import (
    MAX_LOGITS,
    prompt_tokens,
    readable_prompts,
    token_texts,
    vocabulary_size,
)
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.exponentials import cross_entropy
from lazarus_bench.figures.layers import LayerCurves, LayerSeries
from lazarus_bench.figures.tables import grid, hundredths, wrapped
from lazarus_bench.models.anatomy import unembed
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.prompts import answer_tokens
from lazarus_bench.models.taps import residual_from, residual_stream
from lazarus_bench.models.texts import check_tokens
from lazarus_bench.tasks.arithmetic import Problem

SIZES = (1, 2, 4)
"""Dimensions k of the subspaces that are sought."""

STEPS, BATCH = 60, 32
"""Optimizer steps of a search, and swaps of one step."""

ANGLE = 0.2
"""How far, in radians, the first step may turn each basis vector; later ones less, down to 0."""

_MOMENTS = (0.9, 0.99)

Whose = Literal["right", "own"]
"""Whose answer a swap should bring: the right one, or the first token that the model itself gives
to the source."""


@dataclass(frozen=True, kw_only=True)
class Swap:
    """A base prompt that is given a source's coordinates, and the answer that should follow.

    `base`, `source` and `answer` are token ids; `texts` are the three as text. What is of one
    `group` is fitted on or held out together.
    """

    base: tuple[int, ...]
    source: tuple[int, ...]
    answer: tuple[int, ...]
    texts: tuple[str, str, str] = ("", "", "")
    group: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Interchange:
    """Which held-out swaps give the source's answer, by layer and by dimensions of the subspace.

    `found` `[swap, layer, k]` under the trained subspaces, `random` the mean over random ones,
    `whole` `[swap, layer]` with the whole residual swapped, `plain` `[swap]` without a swap;
    `answered` `[swap]`: the model gives that answer to the source itself. `shuffled` is the
    accuracy of each search with permuted sources, and `shuffled_random` that of random subspaces
    with the same sources. `subspaces[layer][k]` are orthonormal `[d, k]`.
    Layers and dimensions are in the order of `layers` and `sizes`; `fitted` swaps trained each
    subspace.
    """

    layers: tuple[int, ...]
    sizes: tuple[int, ...]
    position: int
    fitted: int
    held: tuple[Swap, ...]
    found: Annotated[Bools, Axes(("prompts", "layers", "sizes"), SHARE)]
    random: Annotated[Floats, Axes(("prompts", "layers", "sizes"), SHARE)]
    whole: HitsByLayer
    plain: Hits
    answered: Hits
    shuffled: Annotated[Floats, Axes(("shuffles", "layers", "sizes"), SHARE)]
    shuffled_random: Annotated[Floats, Axes(("shuffles", "layers", "sizes"), SHARE)]
    subspaces: tuple[tuple[Floats, ...], ...]

    @property
    def excess(self) -> Annotated[Floats, Axes(("prompts", "layers", "sizes"), (-1.0, 1.0))]:
        """`found` minus `random` `[swap, layer, k]`."""
        return np.asarray(self.found - self.random)

    @property
    def accuracy(self) -> Floats:
        """Share of held-out swaps that give the source's answer `[layer, k]`."""
        return np.asarray(self.found.mean(axis=0))

    @property
    def clusters(self) -> tuple[int, ...]:
        """The number of each held-out swap's group: swaps of the same operands stand together."""
        order = list(dict.fromkeys(swap.group for swap in self.held))
        return tuple(order.index(swap.group) for swap in self.held)

    @property
    def p_value(self) -> float:
        """Chance of a largest mean `excess` as high with permuted sources; NaN without any.

        The largest is taken over layers and dimensions inside each search. The smallest value
        possible is 1 / (1 + searches).
        """
        if not len(self.shuffled):
            return math.nan
        cells = (self.shuffled - self.shuffled_random).reshape(len(self.shuffled), -1)
        return LayerNull(observed=self.excess.mean(axis=0).ravel(), permuted=cells).p_value

    def to_json(self) -> dict[str, Any]:
        """Accuracies `[layer, k]`, hits of each held-out swap and the bases found `[d, k]`."""
        swaps = [
            {
                "base": swap.texts[0],
                "source": swap.texts[1],
                "answer": swap.texts[2],
                "answer_ids": list(swap.answer),
                "given": self.found[at],
                "given_by_random_subspaces": self.random[at],
                "given_by_the_whole_residual": self.whole[at],
                "given_without_a_swap": bool(self.plain[at]),
                "given_to_the_source": bool(self.answered[at]),
            }
            for at, swap in enumerate(self.held)
        ]
        return {
            "layers": list(self.layers),
            "dimensions": list(self.sizes),
            "position": self.position,
            "fitted_on": self.fitted,
            "accuracy": self.accuracy,
            "accuracy_of_random_subspaces": self.random.mean(axis=0),
            "accuracy_of_the_whole_residual": self.whole.mean(axis=0),
            "accuracy_with_permuted_sources": self.shuffled,
            "accuracy_of_random_subspaces_with_permuted_sources": self.shuffled_random,
            "p_value": None if math.isnan(self.p_value) else self.p_value,
            "held_out": swaps,
            "subspaces": self.subspaces,
        }

    def text(self, room: int) -> str:
        """A table with a row a layer: each k beside random subspaces, and the whole residual."""
        random, shuffled = self.random.mean(axis=0), self.shuffled
        header = ["layer"]
        for size in self.sizes:
            header += [f"k = {size}", "random", *(["permuted"] if len(shuffled) else [])]
        rows = []
        for at, layer in enumerate(self.layers):
            cells = [f"L{layer}"]
            for k in range(len(self.sizes)):
                cells += [hundredths(self.accuracy[at, k]), hundredths(random[at, k])]
                cells += [hundredths(shuffled[:, at, k].mean())] if len(shuffled) else []
            rows.append([*cells, hundredths(self.whole[:, at].mean())])
        head = (
            f"Swaps held out: {len(self.held)}, of {len(set(self.clusters))} groups; fitted on: "
            f"{self.fitted}; position: {self.position}. The source's answer follows the source "
            f"itself in {hundredths(self.answered.mean())} of them, and the base without a swap in "
            f"{hundredths(self.plain.mean())}."
        )
        note = (
            "Each cell: share of held-out swaps that give the source's answer. k: a subspace of so "
            "many dimensions, trained; random: random ones as large, on average; whole: the whole "
            "residual, the most that a subspace could do."
        )
        if len(shuffled):
            searches = "1 search" if len(shuffled) == 1 else f"{len(shuffled)} searches"
            note += (
                f" permuted: trained with the sources permuted among the swaps, mean of "
                f"{searches}; as far above random as the best cell: p = {self.p_value:.2g}."
            )
        shown = grid([*header, "whole"], rows, room, kept=1)
        return "\n\n".join([wrapped(head, room), shown, wrapped(note, room)])

    def figure(self, subject: str) -> LayerCurves:
        """Accuracy by layer: a curve for each k, the whole residual and random subspaces."""
        largest = int(np.argmax(self.sizes))
        drawn = {f"k = {size}": self.accuracy[:, at] for at, size in enumerate(self.sizes)}
        drawn["whole residual"] = self.whole.mean(axis=0)
        chance = self.random[:, :, largest].mean(axis=0)
        drawn[f"random subspaces, k = {self.sizes[largest]}"] = chance
        return LayerCurves(
            title="Swaps that give the source's answer",
            subject=subject,
            unit="share of held-out swaps",
            layers=self.layers,
            series=tuple(LayerSeries.of(name, [own.tolist()]) for name, own in drawn.items()),
        )


def interchange(
    loaded: LoadedModel,
    problems: Sequence[Problem],
    fitted_on: Sequence[Problem],
    layers: Sequence[int],
    sizes: Sequence[int] = SIZES,
    *,
    position: int = -1,
    answers: Whose = "right",
    steps: int = STEPS,
    draws: int = 5,
    shuffles: int = 1,
    seed: int = 0,
) -> Interchange:
    """Whether a subspace trained on `fitted_on` carries the operation of `problems`.

    Each problem is a base, with every other problem of the same operands as a source, unless both
    have the same answer. The other arguments are those of `search`.

    Raises:
        UserError: on one side no two problems have the same operands, or operands are on both
            sides; or an argument of `search` does not fit.
    """
    asked = (swaps_of(loaded, side, answers) for side in (fitted_on, problems))
    fitted, held = asked
    more = {"steps": steps, "draws": draws, "shuffles": shuffles, "seed": seed}
    return search(loaded, fitted, held, layers, sizes, position=position, **more)


def swaps_of(loaded: LoadedModel, problems: Sequence[Problem], answers: Whose) -> tuple[Swap, ...]:
    """Every ordered pair of problems in symbols with the same operands and different answers."""
    same: dict[tuple[int, int], list[Problem]] = {}
    for problem in dict.fromkeys(problems):
        same.setdefault((problem.a, problem.b), []).append(problem)
    pairs = [
        (base, source)
        for each in same.values()
        for base, source in permutations(each, 2)
        if base.answer != source.answer
    ]
    if not pairs:
        return ()
    prompts = [[side.symbols for side in sides] for sides in zip(*pairs, strict=True)]
    right = [str(source.answer) for _, source in pairs] if answers == "right" else None
    groups = [base.operands for base, _ in pairs]
    return _swaps(loaded, prompts[0], prompts[1], right, groups)


def _swaps(
    loaded: LoadedModel,
    bases: Sequence[str],
    sources: Sequence[str],
    answers: Sequence[str] | None,
    groups: Sequence[tuple[int, ...]],
) -> tuple[Swap, ...]:
    """Prompts as swaps; without `answers`, those of the model to the sources, a token each."""
    base_ids, source_ids = prompt_tokens(loaded, bases), prompt_tokens(loaded, sources)
    if answers is None:
        first = first_tokens(loaded, sources, source_ids, None)
        ids: list[tuple[int, ...]] = [(token,) for token in first]
        answers = list(map(str, token_texts(loaded, first)))
    else:
        pairs = zip(bases, answers, strict=True)
        ids = [answer_tokens(loaded.tokenizer, base, answer) for base, answer in pairs]
    return tuple(
        Swap(base=tuple(own), source=tuple(lent), answer=tuple(answer), texts=named, group=group)
        for own, lent, answer, named, group in zip(
            base_ids,
            source_ids,
            ids,
            zip(bases, sources, answers, strict=True),
            groups,
            strict=True,
        )
    )


def interchanges(
    loaded: LoadedModel,
    bases: Sequence[str],
    sources: Sequence[str],
    layers: Sequence[int],
    sizes: Sequence[int],
    answers: Sequence[str] | None = None,
    *,
    held_out: float = 0.3,
    seed: int = 0,
    **more: Any,
) -> Interchange:
    """`search` on a user's prompts, a base and a source each, of which a share is held out.

    Pairs that share a prompt are held out together. `answers` are those of the sources, one each,
    of which every token counts; they are the model's own next tokens unless given. `more` goes to
    `search`.

    Raises:
        UserError: a prompt or an answer has no token, a pair is one prompt, or the pairs cannot be
            divided; or an argument of `search` does not fit.
    """
    if not 0 < held_out < 1:
        raise UserError(f"a share of {held_out} cannot be held out: give one between 0 and 1")
    for base, source in zip(bases, sources, strict=True):
        if base == source:
            raise UserError(f"{base!r} is its own source: give a source that differs")
    readable_prompts(loaded, sources)
    readable_prompts(loaded, bases)
    every = _swaps(loaded, bases, sources, answers, _components(bases, sources))
    for swap in every:
        if not swap.answer:
            raise UserError(
                f"{loaded.name}: the answer {swap.texts[2]!r} has no token: write another"
            )
    readable_prompts(loaded, bases, max(len(swap.answer) for swap in every) - 1)
    groups = list(dict.fromkeys(swap.group for swap in every))
    if len(groups) < 2:
        raise UserError(
            f"{len(every)} pairs of prompts hang together by the prompts they share, so none can "
            f"be held out: give pairs of other operands as well"
        )
    count = min(max(round(held_out * len(groups)), 1), len(groups) - 1)
    chosen = np.random.default_rng((seed, len(groups))).choice(len(groups), count, replace=False)
    apart = {groups[at] for at in chosen}
    held = [swap for swap in every if swap.group in apart]
    fitted = [swap for swap in every if swap.group not in apart]
    return search(loaded, fitted, held, layers, sizes, seed=seed, **more)


def _components(bases: Sequence[str], sources: Sequence[str]) -> list[tuple[int, ...]]:
    """A number for each pair, the same for pairs that are linked by prompts they share."""
    above: dict[str, str] = {}

    def root(text: str) -> str:
        while above.setdefault(text, text) != text:
            text = above[text]
        return text

    for base, source in zip(bases, sources, strict=True):
        above[root(base)] = root(source)
    order = {text: at for at, text in enumerate(dict.fromkeys(map(root, bases)))}
    return [(order[root(base)],) for base in bases]


def search(
    loaded: LoadedModel,
    fitted: Sequence[Swap],
    held: Sequence[Swap],
    layers: Sequence[int],
    sizes: Sequence[int] = SIZES,
    *,
    position: int = -1,
    steps: int = STEPS,
    draws: int = 5,
    shuffles: int = 1,
    seed: int = 0,
) -> Interchange:
    """Train a subspace of each of `sizes` dimensions after each of `layers`; judge it on `held`.

    The same arguments give the same result. For a model with random weights, the further null,
    search in `models.untrained.randomise(loaded)`.

    Args:
        loaded: the model; nothing of it is trained.
        fitted: swaps that the subspaces are trained on.
        held: swaps that they are judged on, of other groups.
        layers: 0-based.
        sizes: dimensions k, at most the model's width.
        position: the position swapped, counted from each prompt's end: −1 is the last token.
        steps: optimizer steps of each search.
        draws: random subspaces of each size.
        shuffles: searches with permuted sources; each takes as long as the true one.
        seed: of starts, batches, random subspaces and permutations.

    Raises:
        UserError: there is nothing to fit or to judge, a group is on both sides, or a layer, a
            size, a count or the position does not fit the model or the prompts.
    """
    layers, sizes = tuple(dict.fromkeys(layers)), tuple(dict.fromkeys(sizes))
    _check(loaded, fitted, held, layers, position)
    for what, count, least in (("steps", steps, 1), ("draws", draws, 1), ("shuffles", shuffles, 0)):
        if count < least:
            raise UserError(f"an interchange needs {what} of {least} or more, not {count}")
    rng = np.random.default_rng((seed, len(fitted), len(held)))
    orders = [tuple(_permuted(side, rng) for side in (fitted, held)) for _ in range(shuffles)]
    none = tuple(np.arange(len(side)) for side in (fitted, held))
    by_layer = []
    for layer in layers:
        rows = [_read(loaded, layer, side, position) for side in (fitted, held)]
        width = rows[0].own.shape[-1]
        if not all(1 <= size <= width for size in sizes):
            raise UserError(
                f"subspaces of {', '.join(map(str, sizes))} dimensions are not all in this model's "
                f"residual: choose 1 to {width}"
            )
        arms = [_Arm(size=size, order=order) for order in (none, *orders) for size in sizes]
        trained = _train(loaded, layer, rows[0], arms, steps, seed)
        by_layer.append(_judge(loaded, layer, rows[1], arms, trained, draws, seed))
    kept, shape = len(sizes), (len(layers), shuffles, len(sizes))
    found, random = (np.stack([one[at] for one in by_layer], axis=1) for at in range(2))
    null = [
        np.ascontiguousarray(each.mean(axis=0)[:, kept:].reshape(shape).swapaxes(0, 1))
        for each in (found, random)
    ]
    bare, asked = (
        _unswapped(loaded, _read(loaded, layers[0], side, position), layers[0])
        for side in (held, [replace(swap, base=swap.source) for swap in held])
    )
    return Interchange(
        layers=layers,
        sizes=sizes,
        position=position,
        fitted=len(fitted),
        held=tuple(held),
        found=found[:, :, :kept] == 1,
        random=np.ascontiguousarray(random[:, :, :kept]),
        whole=np.stack([one[2] for one in by_layer], axis=1),
        plain=bare,
        answered=asked,
        shuffled=null[0],
        shuffled_random=null[1],
        subspaces=tuple(tuple(one[3][:kept]) for one in by_layer),
    )


def _permuted(swaps: Sequence[Swap], rng: np.random.Generator) -> Ints:
    """Whose source each swap gets `[swap]` when the distinct sources change places.

    Swaps that have a source in common still do, so their hits depend on one another as before.
    """
    first: dict[tuple[int, ...], int] = {}
    for at, swap in enumerate(swaps):
        first.setdefault(swap.source, at)
    instead = dict(zip(first, rng.permutation(list(first.values())), strict=True))
    return np.array([instead[swap.source] for swap in swaps])


def _check(
    loaded: LoadedModel,
    fitted: Sequence[Swap],
    held: Sequence[Swap],
    layers: Sequence[int],
    position: int,
) -> None:
    if not fitted or not held:
        raise UserError(
            "an interchange needs swaps to fit and swaps to judge: give prompts with the same "
            "operands and different answers on both sides"
        )
    both = {swap.group for swap in fitted} & {swap.group for swap in held}
    if both:
        raise UserError(
            f"{len(both)} groups of operands are both fitted and judged, such as "
            f"{min(both)}: keep them apart"
        )
    for layer in layers:
        if not 0 <= layer < loaded.depth:
            raise UserError(f"layer {layer} is not in this model: choose 0 to {loaded.depth - 1}")
    every = [*fitted, *held]
    check_tokens(loaded, [*(s.base for s in every), *(s.source for s in every)])
    shortest = min(min(len(swap.base), len(swap.source)) for swap in every)
    if not -shortest <= position <= -1:
        raise UserError(
            f"position {position} is not in every prompt: count from the end, -1 to {-shortest}"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Rows:
    """Swaps as a model reads them: `tokens` `[swap, time]`, padded on the right.

    `places` `[swap]` are swapped; `own` `[swap, time, d]` are the residuals of base and answer
    after the layer, `lent` `[swap, d]` those of the sources at the position.
    """

    swaps: Sequence[Swap]
    tokens: mx.array
    places: Ints
    own: mx.array
    lent: mx.array


@dataclass(frozen=True, kw_only=True, eq=False)
class _Arm:
    """A subspace to train: its dimensions, and which source each swap gets, fitted and held out."""

    size: int
    order: tuple[Ints, ...]


def _read(loaded: LoadedModel, layer: int, swaps: Sequence[Swap], position: int) -> _Rows:
    """The residuals that swaps need: once, as they depend on no subspace."""
    tokens = _padded([(*swap.base, *swap.answer[:-1]) for swap in swaps])
    places = np.array([len(swap.base) + position for swap in swaps])
    lent = _after(loaded, layer, _padded([swap.source for swap in swaps]))
    at = mx.array([len(swap.source) + position for swap in swaps])
    own = _after(loaded, layer, tokens)
    rows = _Rows(
        swaps=swaps,
        tokens=tokens,
        places=places,
        own=own,
        lent=lent[mx.arange(len(swaps)), at].astype(mx.float32),
    )
    mx.eval(rows.own, rows.lent)
    return rows


def _padded(prompts: Sequence[Sequence[int]]) -> mx.array:
    """Tokens `[prompt, time]`, padded on the right, where causal masks make it invisible."""
    longest = max(map(len, prompts))
    return mx.array([[*prompt, *[0] * (longest - len(prompt))] for prompt in prompts])


def _after(loaded: LoadedModel, layer: int, tokens: mx.array) -> mx.array:
    """The residual after a layer `[row, time, d]`."""
    parts = []
    for at in _parts(loaded, tokens):
        parts.append(residual_stream(loaded.model, loaded.anatomy, tokens[at])[layer])
        mx.eval(parts[-1])
    return mx.concatenate(parts)


def _parts(loaded: LoadedModel, tokens: mx.array) -> Iterator[slice]:
    count, time = tokens.shape
    step = max(1, MAX_LOGITS // (vocabulary_size(loaded) * time))
    return (slice(start, start + step) for start in range(0, count, step))


def _swapped(rows: _Rows, chosen: Ints, order: Ints, plane: mx.array | None) -> mx.array:
    """Residuals `[row, time, d]` of the swaps `chosen`, their sources in `order`, after the swap.

    In the subspace that `plane` `[d, k]` spans, or without one of the whole residual.
    """
    own, at = rows.own[mx.array(chosen)], mx.array(rows.places[chosen])
    there = own[mx.arange(len(chosen)), at].astype(mx.float32)
    change = rows.lent[mx.array(order[chosen])] - there
    if plane is not None:
        change = (change @ plane) @ plane.T
    here = mx.arange(own.shape[1]) == at[:, None]
    moved = own + change[:, None].astype(own.dtype)
    return mx.where(here[..., None], moved, own)


def _logits(
    loaded: LoadedModel, layer: int, tokens: mx.array, residual: mx.array, labels: Ints
) -> mx.array:
    """Logits `[label, token]` where the answers are due, in float32."""
    final = residual_from(loaded.model, loaded.anatomy, tokens, layer, residual)
    due = final[mx.array(labels[0]), mx.array(labels[1])]
    logits: mx.array = unembed(loaded.model, loaded.anatomy, due).astype(mx.float32)
    return logits


def _labels(rows: _Rows, chosen: Ints) -> Ints:
    """Row, column and token of everything that an answer has `[3, label]`."""
    due = [
        (place, len(rows.swaps[row].base) - 1 + at, token)
        for place, row in enumerate(chosen)
        for at, token in enumerate(rows.swaps[row].answer)
    ]
    return np.array(due, dtype=np.int64).T


def _train(
    loaded: LoadedModel, layer: int, rows: _Rows, arms: Sequence[_Arm], steps: int, seed: int
) -> list[Floats]:
    """The arms' orthonormal bases `[d, k]`, each trained on all swaps: Adam, then a retraction.

    The loss is the mean cross-entropy of an answer's tokens.
    """
    count, width = len(rows.swaps), rows.own.shape[-1]
    starts = isotropic(seed)
    planes = [_orthonormal(starts.normal(size=(width, arm.size))) for arm in arms]
    first, second = ([np.zeros_like(plane) for plane in planes] for _ in range(2))
    batches = np.random.default_rng((seed, layer, count))

    def loss(given: list[mx.array], chosen: Ints, labels: Ints) -> mx.array:
        pairs = zip(given, arms, strict=True)
        moved = [_swapped(rows, chosen, arm.order[0], plane) for plane, arm in pairs]
        tokens = mx.concatenate([rows.tokens[mx.array(chosen)]] * len(arms))
        shift = np.arange(len(arms)).repeat(labels.shape[1]) * len(chosen)
        whole = np.tile(labels, len(arms))
        whole[0] += shift
        logits = _logits(loaded, layer, tokens, mx.concatenate(moved), whole)
        mean: mx.array = cross_entropy(logits, mx.array(whole[2])).sum() / labels.shape[1]
        return mean

    gradient = mx.value_and_grad(loss)
    for step in range(1, steps + 1):
        chosen = batches.choice(count, size=min(BATCH, count), replace=False)
        given = [mx.array(plane.astype(np.float32)) for plane in planes]
        value, slopes = gradient(given, chosen, _labels(rows, chosen))
        if not math.isfinite(float(np.array(value))):
            raise UserError(f"{loaded.name}: its logits are not finite: copy its weights again")
        angle = ANGLE / math.sqrt(width) * (1 - (step - 1) / steps)
        for at, plane in enumerate(planes):
            slope = np.array(slopes[at], dtype=np.float64)
            slope -= plane @ (plane.T @ slope)
            first[at] += (1 - _MOMENTS[0]) * (slope - first[at])
            second[at] += (1 - _MOMENTS[1]) * (slope**2 - second[at])
            mean, spread = (
                first[at] / (1 - _MOMENTS[0] ** step),
                second[at] / (1 - _MOMENTS[1] ** step),
            )
            planes[at] = _orthonormal(plane - angle * mean / (np.sqrt(spread) + 1e-12))
    return planes


def _orthonormal(plane: Floats) -> Floats:
    """The QR retraction `[d, k]`, each column's sign kept so that Adam's moments stay its own."""
    basis, upper = np.linalg.qr(plane)
    return np.asarray(basis * np.where(np.diag(upper) < 0, -1.0, 1.0))


def _judge(
    loaded: LoadedModel,
    layer: int,
    rows: _Rows,
    arms: Sequence[_Arm],
    planes: Sequence[Floats],
    draws: int,
    seed: int,
) -> tuple[Floats, Floats, Bools, list[Floats]]:
    """Hits `[swap, arm]`, shares of random subspaces, hits of the whole residual `[swap]`; bases.

    The random subspaces of one size are the same for all arms.
    """
    drawn, width = isotropic(seed + 1), rows.own.shape[-1]
    chance = {
        size: [_orthonormal(drawn.normal(size=(width, size))) for _ in range(draws)]
        for size in dict.fromkeys(arm.size for arm in arms)
    }
    found, random = [], []
    for arm, plane in zip(arms, planes, strict=True):
        own, *others = (
            _hits(loaded, layer, rows, each, arm.order[1]).astype(np.float64)
            for each in (plane, *chance[arm.size])
        )
        found.append(own)
        random.append(np.mean(others, axis=0))
    whole = _hits(loaded, layer, rows, None)
    return np.stack(found, axis=1), np.stack(random, axis=1), whole, list(planes)


def _hits(
    loaded: LoadedModel,
    layer: int,
    rows: _Rows,
    plane: Floats | None,
    order: Ints | None = None,
) -> Bools:
    """Whether each swap gives every token of its answer `[swap]`.

    In the subspace of `plane` `[d, k]`, or without one of the whole residual.
    """
    count = len(rows.swaps)
    order = np.arange(count) if order is None else order
    basis = None if plane is None else mx.array(plane.astype(np.float32))
    found = np.ones(count, dtype=np.bool_)
    for part in _parts(loaded, rows.tokens):
        chosen = np.arange(count)[part]
        labels = _labels(rows, chosen)
        moved = _swapped(rows, chosen, order, basis)
        logits = _logits(loaded, layer, rows.tokens[part], moved, labels)
        right = np.array(mx.argmax(logits, axis=-1)) == labels[2]
        np.logical_and.at(found, chosen[labels[0]], right)
    return found


def _unswapped(loaded: LoadedModel, rows: _Rows, layer: int) -> Bools:
    """Whether the base itself gives the answer `[swap]`: nothing is swapped in no subspace."""
    return _hits(loaded, layer, rows, np.zeros((rows.own.shape[-1], 1)))
