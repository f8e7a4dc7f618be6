"""Steering: what a model answers or goes on with when a direction is added after a layer.

The direction leads from the mean state of some prompts to that of others, and is added from the
last prompt position on, so in all that is generated (Rimsky et al. 2024).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from lazarus_bench.analysis.answers import check_room, greedy
from lazarus_bench.analysis.behaviour import Behaviour, behaviour_under, states_after
from lazarus_bench.analysis.lens import LensReading, read_lens
from lazarus_bench.analysis.measured import Floats, Ints, Measured, States
from lazarus_bench.analysis.nulls import isotropic
from lazarus_bench.analysis.prompts import (
    Strings,
    batches_of_logits,
    last_states,
    readable_prompts,
    text_after,
    token_cells,
    token_texts,
    top_header,
)
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.figures.heatmap import Heat, heat
from lazarus_bench.figures.tables import prompt_cell, table, wrapped
from lazarus_bench.figures.text import number, visible
from lazarus_bench.models.edits import Steer
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.taps import edited
from lazarus_bench.models.texts import check_tokens
from lazarus_bench.tasks.arithmetic import Operation, Problem


def contrast(states: States, problems: Sequence[Problem], toward: Operation) -> Floats:
    """The direction `[d]` toward an operation: mean of its prompts' states minus that of others.

    `states` are one layer's `[prompt, d]`, a problem each.

    Raises:
        UserError: the prompts are all of the operation, or none is.
    """
    own = np.array([problem.operation is toward for problem in problems])
    if own.all() or not own.any():
        raise UserError(
            f"a direction toward {toward} needs prompts of it and of other operations: give both"
        )
    values = np.asarray(states)
    return difference_of_means(values[own], values[~own])


def difference_of_means(toward: States, away: States) -> Floats:
    """Mean of states `[prompt, ...]` minus the mean of others, in float64 `[...]`."""
    means = [np.asarray(side, dtype=np.float64).mean(axis=0) for side in (toward, away)]
    return np.asarray(means[0] - means[1])


def random_direction(like: Floats, seed: int) -> Floats:
    """An isotropic random direction as long as `like` `[d]`: the control of steering."""
    drawn = isotropic(seed).normal(size=like.shape)
    return np.asarray(drawn * (np.linalg.norm(like) / np.linalg.norm(drawn)))


def steer(
    loaded: LoadedModel,
    problems: Sequence[Problem],
    layer: int,
    directions: Floats,
    strength: float = 1.0,
) -> Behaviour:
    """The behaviour with `strength` · the direction added after `layer`, of problems in symbols.

    There is one direction for all `[d]`, or one a problem `[prompt, d]`.

    Raises:
        UserError: there are no problems, the layer is not in the model, or the directions have
            another shape or are not finite.
        NotApplicable: an operation's name is not a single token.
    """
    if not np.isfinite(strength):
        raise UserError(f"strength {strength} is not finite: give a finite number of lengths")

    def edit(own: mx.array, length: int) -> Steer:
        return Steer(layer=layer, direction=own, strength=strength, start=length - 1)

    return behaviour_under(loaded, problems, "direction", directions, edit)


def steered(
    run: Measured,
    problems: Sequence[Problem],
    layer: int,
    toward: Sequence[Operation],
    fitted_on: Sequence[Problem],
    at_random: bool = False,
) -> Behaviour:
    """Each prompt moved after `layer` toward an operation, by its contrast on other prompts.

    With `at_random`, by random directions of the same length: the control.
    """
    states = states_after(run, layer, fitted_on)
    found = {}
    for seed, operation in enumerate(Operation):
        if operation in toward:
            own = contrast(states, fitted_on, operation)
            found[operation] = random_direction(own, seed) if at_random else own
    return steer(run.loaded, problems, layer, np.stack([found[each] for each in toward]))


@dataclass(frozen=True, kw_only=True)
class Arm:
    """Prompts as they are (strength 0), or steered after a layer; arrays `[prompt, ...]`.

    `tokens` `[prompt, k]` spell the next ones, most probable first; `continuations` and `texts` are
    what follows. `moved` is the total variation ½ Σ |p − q| between the next token's distributions
    with and without the direction, `random` that of random directions as long, mean over the draws.
    """

    layer: int
    strength: float
    reading: LensReading
    tokens: Strings
    continuations: Sequence[tuple[int, ...]]
    texts: Sequence[str]
    moved: Floats
    random: Floats

    def __str__(self) -> str:
        return f"L{self.layer} × {self.strength:g}" if self.strength else "as it is"

    def to_json(self) -> dict[str, Any]:
        """What follows; `lens_target_probability` is `[prompt, layer, target]`."""
        found = {
            "continuations": list(self.texts),
            "top_tokens": self.tokens,
            "top_ids": self.reading.top_ids[:, -1],
            "top_probability": self.reading.top_probability[:, -1],
            "target_probability": self.reading.probability[:, -1],
            "lens_target_probability": self.reading.probability,
        }
        if self.strength:
            found = {"layer": self.layer, "strength": self.strength, **found}
            found["total_variation"] = self.moved
            found["total_variation_of_random_directions"] = self.random
        return found

    def cells(self, at: int) -> list[str]:
        """The cells of one prompt."""
        far = [number(self.moved[at]), number(self.random[at])] if self.strength else ["", ""]
        return [
            str(self),
            visible(self.texts[at]),
            *(number(p) for p in self.reading.probability[at, -1]),
            *far,
            *token_cells(self.tokens[at], self.reading.top_probability[at, -1]),
        ]


def read_steered(
    loaded: LoadedModel,
    prompts: Sequence[Sequence[int]],
    layer: int,
    direction: Floats,
    strength: float,
    *,
    targets: Ints,
    top: int,
    length: int,
    draws: int = 1,
) -> Arm:
    """Steer by `strength` · `direction` `[d]` after `layer`, from each last prompt position on.

    Read are the tokens `targets` `[target]`, the `top` most probable ones and a continuation of
    `length` tokens, beside `draws` random directions. Strength 0 is the model as it is, bit for
    bit.

    Raises:
        UserError: a token of a prompt is not in the vocabulary, the layer is not in the model, or
            the direction has another width.
    """
    order: list[int] = []
    found, continued = [], []
    for rows, tokens, edit in _edits(loaded, prompts, layer, direction, strength):
        order += rows
        moved = _moved(loaded, tokens, edit)
        own = [prompts[row] for row in rows]
        with edited(loaded.model, loaded.anatomy, (edit,)):
            lens = read_lens(loaded, own, np.tile(targets, (len(own), 1)), top)
            continued += greedy(loaded, own, length)
        found.append((lens.probability, lens.top_ids, lens.top_probability, moved))
    back = np.argsort(order)
    probability, top_ids, top_probability, moved = (
        np.concatenate(part)[back] for part in zip(*found, strict=True)
    )
    continuations = [tuple(continued[at]) for at in back]
    pairs = zip(prompts, continuations, strict=True)
    random = moved_at_random(loaded, prompts, layer, direction, strength, draws if strength else 1)
    return Arm(
        layer=layer,
        strength=strength,
        reading=LensReading(
            probability=probability, top_ids=top_ids, top_probability=top_probability
        ),
        tokens=token_texts(loaded, top_ids[:, -1]),
        continuations=continuations,
        texts=[text_after(loaded, own, ids) for own, ids in pairs],
        moved=moved,
        random=np.asarray(random.mean(axis=0)),
    )


def moved_at_random(
    loaded: LoadedModel,
    prompts: Sequence[Sequence[int]],
    layer: int,
    like: Floats,
    strength: float,
    draws: int,
) -> Floats:
    """How far random directions as long as `like` `[d]` move the next token `[draw, prompt]`."""
    found = np.zeros((draws, len(prompts)))
    for draw in range(draws):
        drawn = random_direction(like, draw)
        for rows, tokens, edit in _edits(loaded, prompts, layer, drawn, strength):
            found[draw, rows] = _moved(loaded, tokens, edit)
    return found


def _edits(
    loaded: LoadedModel,
    prompts: Sequence[Sequence[int]],
    layer: int,
    direction: Floats,
    strength: float,
) -> Iterator[tuple[list[int], mx.array, Steer]]:
    """Prompts of one length, their tokens, and the edit that begins at their last position."""
    check_tokens(loaded, prompts)
    vector = mx.array(direction.astype(np.float32))
    for rows, tokens in batches_of_logits(loaded, prompts):
        start = tokens.shape[1] - 1
        yield rows, tokens, Steer(layer=layer, direction=vector, strength=strength, start=start)


def _moved(loaded: LoadedModel, tokens: mx.array, edit: Steer) -> Floats:
    def distribution() -> mx.array:
        return mx.softmax(loaded.model(tokens)[:, -1].astype(mx.float32), axis=-1)

    before = distribution()
    with edited(loaded.model, loaded.anatomy, (edit,)):
        after = distribution()
    return np.array(mx.abs(after - before).sum(axis=-1) / 2, dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Steering:
    """Prompts as they are, the first of `arms`, and under a direction; `lengths` are by layer."""

    prompts: Sequence[str]
    toward: Sequence[str]
    away: Sequence[str]
    targets: Sequence[str]
    layers: Sequence[int]
    lengths: Sequence[float]
    arms: Sequence[Arm]

    def to_json(self) -> dict[str, Any]:
        """Of every arm, arrays `[prompt, ...]`."""
        plain, *steered = self.arms
        return {
            "prompts": self.prompts,
            "toward": self.toward,
            "away": self.away,
            "targets": self.targets,
            "layers": list(self.layers),
            "direction_lengths": list(self.lengths),
            "as_it_is": plain.to_json(),
            "steered": [arm.to_json() for arm in steered],
        }

    def text(self, room: int) -> str:
        """A table with a row for each prompt and arm."""
        targets = map(visible, self.targets)
        header = ["prompt", "steered", "continued by", *targets, "moved", "random"]
        header += top_header(self.arms[0].tokens)
        rows = [
            ["" if arm.strength else prompt_cell(prompt, room), *arm.cells(at)]
            for at, prompt in enumerate(self.prompts)
            for arm in self.arms
        ]
        sides = [
            "1 prompt" if len(side) == 1 else f"{len(side)} prompts"
            for side in (self.toward, self.away)
        ]
        note = (
            f"Added after the layer, from the last prompt token on: strength × (mean state of "
            f"{sides[0]} toward, minus that of {sides[1]} away). moved: total variation of the "
            f"next token's distribution, 0 to 1; random: the same of random directions as long, on "
            f"average. A direction that moves no more than those says nothing."
        )
        return f"{table(header, rows, room, 3)}\n\n{wrapped(note, room)}"

    def figure(self, subject: str) -> Heat:
        """The lens at every layer, arm by arm: of the targets, else of the top token."""
        groups = []
        for arm in self.arms:
            reading = arm.reading
            drawn = [
                (visible(target), reading.probability[:, :, at])
                for at, target in enumerate(self.targets)
            ] or [("the most probable token", reading.top_probability[:, :, 0])]
            for name, values in drawn:
                pairs = zip(self.prompts, values, strict=True)
                groups.append((f"{arm}: {name}", [(prompt, name, own) for prompt, own in pairs]))
        return heat("Lens under steering", subject, groups, self.layers[0], self.layers)


def steering(
    loaded: LoadedModel,
    prompts: Sequence[str],
    toward: Sequence[str],
    away: Sequence[str],
    targets: Mapping[str, int],
    layers: Sequence[int],
    strengths: Sequence[float],
    *,
    top: int,
    length: int,
    draws: int,
) -> Steering:
    """Steer `prompts` after each of `layers` by each of `strengths`, beside random directions.

    The direction leads from the prompts `away` to those `toward`; `targets` are words with their
    tokens. `top`, `length` and `draws` are as in `read_steered`.

    Raises:
        UserError: a prompt has no token, or it and its continuation do not fit the context.
    """
    encoded = readable_prompts(loaded, prompts)
    check_room(loaded, encoded, length)
    ids = np.array(list(targets.values()), dtype=np.int64)
    sides = (last_states(loaded, readable_prompts(loaded, side)) for side in (toward, away))
    own = difference_of_means(*sides)
    every = [(layers[0], 0.0), *((layer, times) for layer in layers for times in strengths)]
    read = partial(read_steered, targets=ids, top=top, length=length, draws=draws)
    arms = [read(loaded, encoded, layer, own[layer], times) for layer, times in every]
    return Steering(
        prompts=prompts,
        toward=toward,
        away=away,
        targets=list(targets),
        layers=layers,
        lengths=[float(each) for each in np.linalg.norm(own[list(layers)], axis=1)],
        arms=arms,
    )
