"""Erasure: what becomes of answers when a layer's states no longer tell a class of prompts.

What a linear probe can know of the class is taken out of the residual after a layer, and the model
runs on (Y. Elazar et al., Amnesic probing, TACL 2021). Three methods choose what is taken out, each
by an affine map that keeps the mean μ of the states, h ↦ h − L R (h − μ):

- "leace": L R = W⁺ U Uᵀ W with the whitening W = (Σ_xx^½)⁺ and U an orthonormal basis of the
  columns of W Σ_xz. Of all affine maps after which no linear classifier does better than a
  constant, this one moves the states least (N. Belrose et al., LEACE: Perfect linear concept
  erasure in closed form, NeurIPS 2023, theorem 4.3). Σ are moments of the states x and the one-hot
  classes z of the prompts that it is fitted on.
- "mean": the orthogonal projection along the differences of the classes' means, the columns of Σ_xz
  (mean projection, ibid.). It erases as much, and moves the states more.
- "lens": the orthogonal projection along the directions in which the lens's logits of the classes'
  names rise at μ. It takes away what the lens reads, and what a probe may read elsewhere stays.

At the "last" prompt position, the default, are the states that probes read: what is erased there is
what a probe knows. Later layers may still fetch the class from earlier positions, such as the
operator's. With "all" each position has an eraser of its own, fitted on the states there; it is
counted from the prompt's end, and there is nothing left to fetch. Decoded tokens are erased as the
last prompt position is.

The answers may need any subspace of a few dimensions. So the null erases, by the same method and of
the same rank, what random labels would: normal numbers in place of the classes, uncorrelated with
them. Its directions are as likely as states of one class vary along them; an isotropic subspace
would lie where states hardly vary, and cost less than that of any label. Of "lens" it is isotropic,
since a word's direction owes nothing to the states.

A fresh probe falls to chance on the prompts that the eraser was fitted on, and so it does where it
is tested on others. One that is fitted on others finds the class again as far as their means differ
from those: by about √(2 d / n) standard deviations, with n prompts of a class in d dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from lazarus_bench.analysis.answers import answer, first_tokens, read_likelihood, read_next
from lazarus_bench.analysis.measured import (
    SHARE,
    Axes,
    Bools,
    Floats,
    Hits,
    Ints,
    Measured,
    Singles,
)
from lazarus_bench.analysis.nulls import TIE, isotropic
from lazarus_bench.analysis.operations import class_words
from lazarus_bench.analysis.probe import PREDICTING, classifier_for, one_blas_thread
from lazarus_bench.analysis.probe_prompts import ProbePrompts, in_classes, in_symbols, split
from lazarus_bench.analysis.prompts import (
    MAX_VALUES,
    batches_by_length,
    batches_of_logits,
    last_states,
    readable_prompts,
    symbol_tokens,
    token_texts,
    wide,
)
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.figures.layers import LayerCurves, LayerSeries, NullBand
from lazarus_bench.figures.tables import prompt_cell, table, wrapped
from lazarus_bench.figures.text import number, visible
from lazarus_bench.models.anatomy import unembed
from lazarus_bench.models.edits import Erase
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.taps import edited, residual_stream
from lazarus_bench.tasks.arithmetic import Problem

Method = Literal["leace", "mean", "lens"]
Positions = Literal["last", "all"]
DrawnHits = Annotated[Bools, Axes(("draws", "prompts"), SHARE)]
DrawnFloats = Annotated[Floats, Axes(("draws", "prompts"))]
FittedHits = Annotated[Bools, Axes(("fitted prompts",), SHARE)]
ByPrompt = Annotated[Floats, Axes(("prompts",))]

DRAWS = 20
"""Random subspaces of a null: the least p is 1/21."""

RESOLUTION = 1e-5
"""What varies by less than this share of the states' length is float32's rounding."""

UPPER = 0.95


@dataclass(frozen=True, kw_only=True)
class Eraser:
    """h ↦ h − L R (h − μ), for each of the last positions of a prompt; float64.

    `mean` μ `[position, d]`, `left` L `[position, d, rank]`, `right` R `[position, rank, d]`, the
    last prompt position last. Where less is erased than elsewhere, zeros fill the rank up.
    """

    mean: Floats
    left: Floats
    right: Floats

    @property
    def rank(self) -> int:
        """Dimensions that are taken out."""
        return int(self.left.shape[2])

    def erase(self, states: npt.ArrayLike) -> Floats:
        """States of the last prompt position `[..., d]`, erased, in float64.

        Raises:
            UserError: a state is not finite.
        """
        given = wide(states)
        away = (given - self.mean[-1]) @ self.right[-1].T
        return np.asarray(given - away @ self.left[-1].T)

    def edit(self, layer: int, length: int) -> Erase:
        """The edit after `layer` of prompts of `length` tokens."""
        kept = min(len(self.mean), length)
        mean, left, right = (
            mx.array(part[-kept:].astype(np.float32)) for part in (self.mean, self.left, self.right)
        )
        return Erase(layer=layer, start=length - kept, mean=mean, left=left, right=right)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A position of the prompts that an eraser is fitted on.

    `rows` `[row]` are the prompts that have it, `states` `[row, d]` theirs in float64, `classes`
    `[row]` theirs, `directions` `[direction, d]` what "lens" erases.
    """

    rows: Ints
    states: Floats
    classes: Ints
    directions: Floats | None = None

    @cached_property
    def mean(self) -> Floats:
        """The mean state μ `[d]`."""
        return np.asarray(self.states.mean(axis=0))

    @cached_property
    def deviations(self) -> tuple[Floats, Floats]:
        """Principal axes `[axis, d]` of the states, and their standard deviations `[axis]`."""
        _, sizes, axes = np.linalg.svd(self.states - self.mean, full_matrices=False)
        sizes = sizes / np.sqrt(max(len(self.states) - 1, 1))
        kept = sizes > RESOLUTION * np.sqrt((self.states**2).sum(axis=1).mean())
        return axes[kept], sizes[kept]

    def of_classes(self) -> Floats:
        """Σ_xz `[d, class]`, with the one-hot classes z, up to a factor."""
        told = (self.classes[:, None] == np.unique(self.classes)).astype(np.float64)
        return np.asarray((self.states - self.mean).T @ (told - told.mean(axis=0)))

    def of_labels(self, labels: Floats) -> Floats:
        """Σ_xz `[d, label]` of random `labels` `[row, label]` with the states about their class."""
        within = self.states.copy()
        for label in np.unique(self.classes):
            within[self.classes == label] -= within[self.classes == label].mean(axis=0)
        return np.asarray(within.T @ labels)

    def maps(self, cross: Floats, method: Method, rank: int | None) -> tuple[Floats, Floats]:
        """L `[d, k]` and R `[k, d]` that take the columns of `cross` `[d, n]` out of the states.

        k is their rank or, where that is less, `rank`: then the strongest directions go.
        """
        axes, scales = self.deviations
        if method == "lens":  # Its directions need not be among those in which the states vary.
            axes = np.eye(cross.shape[0])
        if method != "leace":
            scales = np.ones(len(axes))
        basis, sizes, _ = np.linalg.svd((axes @ cross) / scales[:, None], full_matrices=False)
        basis = basis[:, sizes > 1e-8 * sizes.max(initial=0.0)][:, :rank]
        return (axes.T * scales) @ basis, basis.T @ (axes / scales[:, None])


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What erasers of one layer are made of: `places` of classified prompts, the last one last."""

    places: tuple[Place, ...]
    method: Method = "leace"
    limit: int | None = None

    @cached_property
    def _own(self) -> list[tuple[Floats, Floats]]:
        found = []
        for place in self.places:
            cross = place.of_classes() if place.directions is None else place.directions.T
            found.append(place.maps(cross, self.method, self.limit))
        return found

    @property
    def rank(self) -> int:
        """Dimensions that are taken out at the last position."""
        return int(self._own[-1][0].shape[1])

    @cached_property
    def eraser(self) -> Eraser:
        """What erases the classes."""
        return self._eraser(self._own)

    def at_random(self, draw: int) -> Eraser:
        """What erases as many random labels in the classes' place; another for each `draw`."""
        ranks = [left.shape[1] for left, _ in self._own]
        prompts = 1 + max(int(place.rows.max()) for place in self.places)
        size = self.places[0].states.shape[1] if self.method == "lens" else prompts
        drawn = isotropic(draw).normal(size=(size, max(ranks)))
        maps = []
        for place, rank in zip(self.places, ranks, strict=True):
            cross = drawn if self.method == "lens" else place.of_labels(drawn[place.rows])
            maps.append(place.maps(cross[:, :rank], self.method, rank))
        return self._eraser(maps)

    def _eraser(self, maps: Sequence[tuple[Floats, Floats]]) -> Eraser:
        mean = np.stack([place.mean for place in self.places])
        left = np.zeros((*mean.shape, max(own.shape[1] for own, _ in maps)))
        right = np.zeros((len(mean), left.shape[2], mean.shape[1]))
        for at, (own_left, own_right) in enumerate(maps):
            left[at, :, : own_left.shape[1]] = own_left
            right[at, : own_right.shape[0]] = own_right
        return Eraser(mean=mean, left=left, right=right)

    def taken(self, eraser: Eraser) -> float:
        """Share of the variance at the last prompt position by which `eraser` moves the states."""
        states = self.places[-1].states
        moved = ((eraser.erase(states) - states) ** 2).sum()
        return float(moved / ((states - states.mean(axis=0)) ** 2).sum())


def fit(
    states: npt.ArrayLike,
    classes: npt.ArrayLike,
    method: Method = "leace",
    directions: npt.ArrayLike | None = None,
    rank: int | None = None,
) -> Fitted:
    """Fit on states `[prompt, d]` of one position and their `classes` `[prompt]`.

    "lens" erases `directions` `[direction, d]`, whatever they are. With `rank`, only so many
    directions go, those that tell the classes apart best.

    Raises:
        UserError: a state is not finite.
    """
    given, told = wide(states), np.asarray(classes)
    place = Place(
        rows=np.arange(len(given)),
        states=given,
        classes=told,
        directions=None if directions is None else wide(directions),
    )
    return Fitted(places=(place,), method=method, limit=rank)


def lens_directions(loaded: LoadedModel, state: npt.ArrayLike, tokens: Sequence[int]) -> Floats:
    """Gradients of the lens's logits of `tokens` at a state `[d]`, `[token, d]`."""
    at = mx.array(np.asarray(state, dtype=np.float32))

    def logit(state: mx.array, token: int) -> mx.array:
        return unembed(loaded.model, loaded.anatomy, state)[token]

    return np.array([np.array(mx.grad(logit)(at, token)) for token in tokens], dtype=np.float64)


def fitted_after(
    loaded: LoadedModel,
    prompts: Sequence[Sequence[int]],
    classes: Sequence[int],
    layers: Sequence[int],
    method: Method = "leace",
    positions: Positions = "last",
    rank: int | None = None,
    names: Sequence[str] = (),
) -> list[Fitted]:
    """What erases the `classes` of `prompts`, token ids of any lengths, after each of `layers`.

    The classes are numbers of `names`, which "lens" needs: single-token words.

    Raises:
        UserError: there is no such method or layer, all prompts are of one class, their states do
            not differ, or the rank is more than what tells the classes apart.
        NotApplicable: a name is not a single token ("lens").
    """
    for value, known in ((method, get_args(Method)), (positions, get_args(Positions))):
        if value not in known:
            raise UserError(f"{value!r} cannot be erased by: choose {', '.join(known)}")
    for layer in layers:
        if not 0 <= layer < loaded.depth:
            raise UserError(f"layer {layer} is not in this model: choose 0 to {loaded.depth - 1}")
    told = np.asarray(classes)
    if len(np.unique(told)) < 2:
        raise UserError("an eraser needs prompts of at least two classes: give more of another")
    tokens = [word.bare for word in class_words(loaded, names)] if method == "lens" else []
    read = _read_places(loaded, prompts, positions)
    found = []
    for layer in layers:
        places = [
            Place(rows=rows, states=wide(states[:, layer]), classes=told[rows])
            for rows, states in read
        ]
        if tokens:
            places = [
                replace(place, directions=lens_directions(loaded, place.mean, tokens))
                for place in places
            ]
        found.append(Fitted(places=tuple(places), method=method, limit=rank))
        if not (most := replace(found[-1], limit=None).rank):
            raise UserError(
                f"after layer {layer} the last position is the same in all prompts fitted on, so "
                f"there is nothing to erase: choose a later layer, or prompts that end differently"
            )
        if rank is not None and not 1 <= rank <= most:
            raise UserError(f"rank {rank} cannot be erased: choose 1 to {most}")
    return found


def _read_places(
    loaded: LoadedModel, prompts: Sequence[Sequence[int]], positions: Positions
) -> list[tuple[Ints, Singles]]:
    """For each position from the prompts' end, the last one last: who has it, `[row, layer, d]`."""
    if positions == "last":
        return [(np.arange(len(prompts)), last_states(loaded, prompts))]
    longest = max(map(len, prompts))
    values = longest * loaded.depth * int(loaded.config.get("hidden_size", 1 << 12))
    found: list[list[tuple[list[int], Singles]]] = [[] for _ in range(longest)]
    for rows, tokens in batches_by_length(prompts, max(1, MAX_VALUES // values)):
        stream = residual_stream(loaded.model, loaded.anatomy, tokens)
        states = np.array(mx.stack(stream, axis=2).astype(mx.float32))
        for at in range(-tokens.shape[1], 0):
            found[at].append((rows, states[:, at]))
    return [
        (np.concatenate([rows for rows, _ in each]), np.concatenate([own for _, own in each]))
        for each in found
    ]


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """Answers as they are, with the classes erased after `layer`, and with random subspaces.

    `correct` says whether a prompt is answered rightly, `log_probability` is that of the answer's
    first token, in nats: `[prompt]`, and `[draw, prompt]` of the random subspaces.

    `probed_before`, `probed` and `refitted` `[fitted prompt]` are the hits of `fresh_probe`, and
    `chance` the share of the most frequent class. `taken` and `random_taken` `[draw]` are the
    shares of the variance at the last prompt position by which the states move.
    """

    layer: int
    rank: int
    correct_before: Hits
    correct: Hits
    random_correct: DrawnHits
    log_probability_before: ByPrompt
    log_probability: ByPrompt
    random_log_probability: DrawnFloats
    probed_before: FittedHits
    probed: FittedHits
    refitted: FittedHits
    chance: float
    taken: float
    random_taken: Annotated[Floats, Axes(("draws",))]

    @property
    def excess(self) -> Annotated[Floats, Axes(("prompts",), (-1.0, 1.0))]:
        """Accuracy with the classes erased minus the mean with random subspaces `[prompt]`."""
        return np.asarray(self.correct - self.random_correct.mean(axis=0))

    @property
    def excess_log_probability(self) -> ByPrompt:
        """The same of the answer's log-probability `[prompt]`, in nats."""
        return np.asarray(self.log_probability - self.random_log_probability.mean(axis=0))

    @property
    def lost(self) -> float:
        """Mean log-probability of the answers that is lost with the classes, in nats."""
        return float((self.log_probability_before - self.log_probability).mean())

    @property
    def random_lost(self) -> Floats:
        """The same with each random subspace `[draw]`."""
        return np.asarray((self.log_probability_before - self.random_log_probability).mean(axis=1))

    @property
    def p_value(self) -> float:
        """Chance that a random subspace costs as much log-probability, the classes' counted in."""
        reached = (self.random_lost >= self.lost - TIE).sum()
        return float((1 + reached) / (1 + len(self.random_lost)))

    def to_json(self) -> dict[str, Any]:
        """Arrays `[prompt]` and, of random subspaces, `[draw, prompt]`; p by log-probability."""
        return {
            "layer": self.layer,
            "rank": self.rank,
            "correct": self.correct,
            "correct_before": self.correct_before,
            "correct_of_random_subspaces": self.random_correct,
            "log_probability": self.log_probability,
            "log_probability_before": self.log_probability_before,
            "log_probability_of_random_subspaces": self.random_log_probability,
            "p": self.p_value,
            "variance_taken": self.taken,
            "variance_taken_of_random_subspaces": self.random_taken,
            "probe_accuracy": float(self.probed.mean()),
            "probe_accuracy_before": float(self.probed_before.mean()),
            "refitted_probe_accuracy": float(self.refitted.mean()),
            "chance": self.chance,
        }


Reader = Callable[[list[int]], tuple[Bools, Floats]]
"""Whether some prompts, given by their numbers, are answered, and the answers' log-probability."""


def measure_erasure(
    loaded: LoadedModel,
    prompts: Sequence[Sequence[int]],
    layer: int,
    fitted: Fitted,
    read: Reader,
    draws: int,
    probed: ProbePrompts,
) -> Erasure:
    """Read `prompts` as they are, with the classes erased and with `draws` random subspaces.

    `probed` are what the eraser was fitted on.

    Raises:
        UserError: there is no draw, a token of a prompt is not in the vocabulary, or `probed` are
            too few of a class to probe.
    """
    if draws < 1:
        raise UserError(f"erasure needs at least 1 random subspace to compare with, not {draws}")

    def under(eraser: Eraser | None) -> tuple[Bools, Floats]:
        correct, log_p = np.zeros(len(prompts), dtype=np.bool_), np.zeros(len(prompts))
        for rows, tokens in batches_of_logits(loaded, prompts):
            edits = [] if eraser is None else [eraser.edit(layer, tokens.shape[1])]
            with edited(loaded.model, loaded.anatomy, edits):
                correct[rows], log_p[rows] = read(rows)
        return correct, log_p

    own, random = fitted.eraser, [fitted.at_random(draw) for draw in range(draws)]
    drawn = [under(eraser) for eraser in random]
    before, after = under(None), under(own)
    fresh = fresh_probe(fitted, probed)
    return Erasure(
        layer=layer,
        rank=own.rank,
        correct_before=before[0],
        correct=after[0],
        random_correct=np.stack([correct for correct, _ in drawn]),
        log_probability_before=before[1],
        log_probability=after[1],
        random_log_probability=np.stack([log_p for _, log_p in drawn]),
        probed_before=fresh[0],
        probed=fresh[1],
        refitted=fresh[2],
        chance=float(np.unique(probed.labels, return_counts=True)[1].max() / len(probed)),
        taken=fitted.taken(own),
        random_taken=np.array([fitted.taken(eraser) for eraser in random]),
    )


def _log(probability: Floats) -> Floats:
    """Natural logarithms; of 0, which underflow leaves, that of the least positive number."""
    return np.asarray(np.log(np.maximum(probability, np.finfo(np.float64).tiny)))


def erasure(
    run: Measured,
    problems: Sequence[Problem],
    layer: int,
    fitted_on: Sequence[Problem],
    method: Method = "leace",
    positions: Positions = "last",
    rank: int | None = None,
    draws: int = DRAWS,
) -> Erasure:
    """Erase the operation after `layer`, fitted on problems in symbols, and judge others by it.

    Correct is an exact match. Where operands tell the operation, they are erased with it: ask and
    fit `crossed` problems.

    Raises:
        UserError: a problem is in both, those fitted on are too few to probe, or the layer, method
            or rank does not exist.
        NotApplicable: an operation's name is not a single token ("lens").
    """
    if shared := {problem.key for problem in problems} & {problem.key for problem in fitted_on}:
        raise UserError(
            f"{len(shared)} of the problems are also what the eraser is fitted on: give others"
        )
    loaded, source, encoded = run.loaded, in_symbols(fitted_on), symbol_tokens(run.loaded, problems)
    sources = symbol_tokens(loaded, fitted_on)
    how = (method, positions, rank, source.classes)
    (fitted,) = fitted_after(loaded, sources, source.labels, [layer], *how)

    def read(rows: list[int]) -> tuple[Bools, Floats]:
        own = [problems[row] for row in rows]
        return answer(loaded, own).correct, _log(read_likelihood(loaded, own).probability)

    return measure_erasure(loaded, encoded, layer, fitted, read, draws, source)


def fresh_probe(fitted: Fitted, prompts: ProbePrompts) -> Bools:
    """Hits `[3, prompt]` of linear probes on prompts held out, by operand pair or by text.

    One is fitted on the other prompts as they are, one on them erased, and one on a half of them
    that is erased by what is fitted on the other half.

    Raises:
        UserError: there are too few prompts of a class.
    """
    place = fitted.places[-1]
    found = np.zeros((3, len(prompts)), dtype=np.bool_)
    folds = split(prompts, "pairs").folds

    def erased(rows: Ints) -> Floats:
        states, classes = place.states[rows], place.classes[rows]
        part = replace(place, rows=rows, states=states, classes=classes)
        return replace(fitted, places=(part,)).eraser.erase(place.states)

    for fold in np.unique(folds):
        tested = folds == fold
        rest = np.flatnonzero(~tested)
        half = rest[np.argsort(place.classes[rest], kind="stable")]
        ways = ((place.states, rest), (erased(rest), rest), (erased(half[::2]), half[1::2]))
        for at, (states, rows) in enumerate(ways):
            with one_blas_thread():
                fresh = classifier_for("pairs", PREDICTING).fit(states[rows], place.classes[rows])
                found[at, tested] = fresh.predict(states[tested]) == place.classes[tested]
    return found


@dataclass(frozen=True, kw_only=True)
class Erasures:
    """Classes erased after each of some layers: what becomes of the answers to `prompts`."""

    prompts: Sequence[str]
    answers: Sequence[str]
    answer_ids: Sequence[int]
    classes: Mapping[str, Sequence[str]]
    method: Method
    positions: Positions
    layers: Sequence[Erasure]

    def to_json(self) -> dict[str, Any]:
        """What was asked, and of each layer what `Erasure` has."""
        return {
            "prompts": self.prompts,
            "answers": self.answers,
            "answer_ids": list(self.answer_ids),
            "classes": self.classes,
            "method": self.method,
            "positions": self.positions,
            "layers": [each.to_json() for each in self.layers],
        }

    def text(self, room: int) -> str:
        """A table of layers, one of prompts, and what they say."""
        rows = []
        for each in self.layers:
            probed = (each.probed_before, each.probed, each.refitted)
            rows.append(
                [
                    f"L{each.layer}",
                    f"{each.lost:.2f}",
                    f"{each.random_lost.mean():.2f}",
                    f"{each.p_value:.3f}",
                    f"{each.correct_before.sum()} → {each.correct.sum()}",
                    f"{each.random_correct.sum(axis=1).mean():.1f}",
                    *(f"{hits.mean():.2f}" for hits in probed),
                    f"{each.taken:.0%}, {each.random_taken.mean():.0%}",
                ]
            )
        header = ["layer", "lost", "random", "p", "right", "at random"]
        header += ["probe", "erased", "refitted", "variance"]
        blocks = [table(header, rows, room, 4), self._by_prompt(room)]
        first, count = self.layers[0], len(self.layers[0].random_taken)
        where = "at the last position" if self.positions == "last" else "at all positions"
        note = (
            f"Erased after the layer, {where}, by {self.method}, rank {first.rank}: what tells "
            f"{', '.join(self.classes)} apart. lost: nats of the answer's log-probability, mean "
            f"over prompts; random: the same of {count} random subspaces of this rank; p: chance "
            f"that one of them costs as much. right: prompts answered before and after. "
            f"probe, erased: held-out accuracy of a linear probe fitted before and after erasing, "
            f"chance {first.chance:.2f}; refitted: of one fitted on other prompts than the eraser, "
            f"which finds the more the fewer prompts there were. variance: share of it by which "
            f"the states move, and with random subspaces."
        )
        return "\n\n".join([*blocks, wrapped(note, room)])

    def _by_prompt(self, room: int) -> str:
        rows = []
        for at, (prompt, said) in enumerate(zip(self.prompts, self.answers, strict=True)):
            for place, each in enumerate(self.layers):
                log_p = (
                    each.log_probability_before[at],
                    each.log_probability[at],
                    each.random_log_probability[:, at].mean(),
                )
                named = ["", ""] if place else [prompt_cell(prompt, room), visible(said)]
                chances = [number(float(np.exp(value))) for value in log_p]
                rows.append([*named, f"L{each.layer}", *chances])
        return table(["prompt", "answer", "layer", "as it is", "erased", "random"], rows, room, 3)

    def figure(self, subject: str) -> LayerCurves:
        """What is lost by layer, with the band of the null."""
        random = np.stack([each.random_lost for each in self.layers], axis=1)
        return LayerCurves(
            title=f"Answers without {', '.join(self.classes)}",
            subject=subject,
            unit="log-probability lost, nats",
            layers=tuple(each.layer for each in self.layers),
            series=(LayerSeries.of("erased", [[each.lost for each in self.layers]]),),
            null=NullBand(
                name="random subspaces",
                mean=tuple(random.mean(axis=0).tolist()),
                upper=float(np.quantile(random.max(axis=1), UPPER)),
            ),
        )


def erasures(
    loaded: LoadedModel,
    prompts: Sequence[str],
    classes: Mapping[str, Sequence[str]],
    layers: Sequence[int],
    *,
    method: Method = "leace",
    positions: Positions = "last",
    rank: int | None = None,
    draws: int = DRAWS,
    answers: Sequence[str] | None = None,
) -> Erasures:
    """Erase `classes`, fitted on their own prompts, after each of `layers`, and read `prompts`.

    `answers` are one a prompt, whose first token counts, and which is kept where it is the most
    probable; they are the model's own next tokens unless given.

    Raises:
        UserError: a prompt or an answer has no token, a prompt is longer than the model reads or is
            one of a class's, a class has too few prompts, or the method, layer or rank does not
            exist.
        NotApplicable: a class's name is not a single token ("lens").
    """
    source = in_classes(classes)
    for prompt in prompts:
        if prompt in source.texts:
            raise UserError(f"{prompt!r} is also a prompt of a class: ask another")
    encoded = readable_prompts(loaded, prompts)
    wanted = first_tokens(loaded, prompts, encoded, answers)

    def read(rows: list[int]) -> tuple[Bools, Floats]:
        own = [wanted[row] for row in rows]
        found = read_next(loaded, [encoded[row] for row in rows], own)
        return found.top == np.array(own), _log(found.probability)

    sources = readable_prompts(loaded, source.texts)
    how = (method, positions, rank, source.classes)
    every = fitted_after(loaded, sources, source.labels, layers, *how)
    measured = [
        measure_erasure(loaded, encoded, layer, fitted, read, draws, source)
        for layer, fitted in zip(layers, every, strict=True)
    ]
    return Erasures(
        prompts=prompts,
        answers=token_texts(loaded, wanted).tolist(),
        answer_ids=wanted,
        classes=classes,
        method=method,
        positions=positions,
        layers=measured,
    )
