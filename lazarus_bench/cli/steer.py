"""`lazarus-bench steer`: what prompts are continued with when a direction is added to a layer."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lazarus_bench.cli import pictures, subject, terminal
from lazarus_bench.cli.prompts import read_prompts, read_words
from lazarus_bench.cli.results import check_output, give
from lazarus_bench.cli.tokens import Strings, following, head, named, words
from lazarus_bench.errors import UserError
from lazarus_bench.figures import HeatGroup, HeatMap
from lazarus_bench.report import printed
from lazarus_bench.report.printed import cut

if TYPE_CHECKING:
    from lazarus_bench.analysis.lens import Floats
    from lazarus_bench.analysis.steering import Steered
    from lazarus_bench.models.load import LoadedModel


@dataclass(frozen=True, kw_only=True)
class _Arm:
    """The prompts as they are (strength 0), or steered after a layer; arrays `[prompt, ...]`.

    `tokens` `[prompt, k]` spell the next ones, most probable first; `texts` what follows; `random`
    is how far random directions as long move the next token, mean over the draws.
    """

    layer: int
    strength: float
    steered: Steered
    tokens: Strings
    texts: Sequence[str]
    random: Floats

    @property
    def name(self) -> str:
        """How a table names it."""
        return f"L{self.layer} × {self.strength:g}" if self.strength else "as it is"


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What the flags say, read and checked."""

    prompts: Sequence[str]
    toward: Sequence[str]
    away: Sequence[str]
    targets: Sequence[str]
    strengths: Sequence[float]


def run(options: argparse.Namespace) -> int:
    """Steer `options.prompts` and show what follows them.

    Raises:
        UserError: a flag cannot be honoured, or the model cannot be read.
    """
    check_output(options)
    pictures.check_plot(options.plot)
    asked = _asked(options)
    found = subject.find(options.model, options.adapter)
    loaded = found.load()
    layers = subject.chosen_layers(loaded, options.layer, every=options.all_layers)
    subject.check_top(loaded, options.top_k)
    lengths, arms = _steer(loaded, asked, layers, options)
    if options.plot is not None:
        _draw(asked, arms, found.label, options.plot)
    give(options, found, _result(asked, arms, lengths), _shown(asked, arms, found.label, options))
    return 0


def _asked(options: argparse.Namespace) -> _Asked:
    for flag, least in (("tokens", 1), ("draws", 1)):
        if getattr(options, flag) < least:
            raise UserError(f"--{flag} {getattr(options, flag)} is too few: give {least} or more")
    strengths = list(dict.fromkeys(options.strength or [1.0]))
    for strength in strengths:
        if not np.isfinite(strength) or strength == 0:
            raise UserError(f"--strength {strength:g} steers nowhere: give a number other than 0")
    toward, away = read_prompts([options.toward]), read_prompts([options.away])
    if sorted(toward) == sorted(away):
        raise UserError("--toward and --away have the same prompts: the direction would be none")
    return _Asked(
        prompts=read_prompts(options.prompts),
        toward=toward,
        away=away,
        targets=read_words(options.targets or ()),
        strengths=strengths,
    )


def _steer(
    loaded: LoadedModel, asked: _Asked, layers: Sequence[int], options: argparse.Namespace
) -> tuple[list[float], list[_Arm]]:
    """The direction's length at each of `layers`, and all arms, the prompts as they are first."""
    from lazarus_bench.analysis import steering
    from lazarus_bench.analysis.answers import check_room

    encoded = subject.encode(loaded, asked.prompts)
    check_room(loaded, encoded, options.tokens)
    targets = np.array(subject.target_tokens(loaded, asked.targets), dtype=np.int64)
    wanted = steering.Asked(targets=targets, top=options.top_k, length=options.tokens)
    with terminal.busy(f"reading {len(asked.toward) + len(asked.away)} prompts for the direction"):
        sides = [subject.encode(loaded, side) for side in (asked.toward, asked.away)]
        directions = steering.directions(loaded, *sides)
    arms = []
    with terminal.busy(f"steering {len(encoded)} prompts"):
        for layer, strength in _arms(layers, asked.strengths):
            own = directions[layer]
            steered = steering.read_steered(loaded, encoded, wanted, layer, own, strength)
            random = steering.moved_at_random(
                loaded, encoded, layer, own, strength, options.draws if strength else 1
            )
            arms.append(_arm(loaded, encoded, layer, strength, steered, random))
    lengths = np.linalg.norm(directions[list(layers)], axis=1)
    return [float(length) for length in lengths], arms


def _arms(layers: Sequence[int], strengths: Sequence[float]) -> Iterator[tuple[int, float]]:
    yield layers[0], 0.0
    for layer in layers:
        for strength in strengths:
            yield layer, strength


def _arm(
    loaded: LoadedModel,
    encoded: Sequence[Sequence[int]],
    layer: int,
    strength: float,
    steered: Steered,
    random: Floats,
) -> _Arm:
    return _Arm(
        layer=layer,
        strength=strength,
        steered=steered,
        tokens=words(loaded, steered.reading.top_ids[:, -1]),
        texts=[
            following(loaded, before, ids)
            for before, ids in zip(encoded, steered.continuations, strict=True)
        ],
        random=np.asarray(random.mean(axis=0)),
    )


def _result(asked: _Asked, arms: Sequence[_Arm], lengths: Sequence[float]) -> dict[str, Any]:
    """Of every arm, arrays `[prompt, ...]`; `lens_target_probability` `[prompt, layer, target]`."""
    plain, *steered = arms
    return {
        "prompts": asked.prompts,
        "toward": asked.toward,
        "away": asked.away,
        "targets": asked.targets,
        "layers": list(dict.fromkeys(arm.layer for arm in steered)),
        "direction_lengths": list(lengths),
        "as_it_is": _told(plain),
        "steered": [
            {
                "layer": arm.layer,
                "strength": arm.strength,
                **_told(arm),
                "total_variation": arm.steered.moved,
                "total_variation_of_random_directions": arm.random,
            }
            for arm in steered
        ],
    }


def _told(arm: _Arm) -> dict[str, Any]:
    reading = arm.steered.reading
    return {
        "continuations": list(arm.texts),
        "top_tokens": arm.tokens,
        "top_ids": reading.top_ids[:, -1],
        "top_probability": reading.top_probability[:, -1],
        "target_probability": reading.probability[:, -1],
        "lens_target_probability": reading.probability,
    }


def _shown(asked: _Asked, arms: Sequence[_Arm], label: str, options: argparse.Namespace) -> str:
    room = terminal.width()
    header = ["prompt", "steered", "continued by", *map(named, asked.targets), "moved", "random"]
    header += [f"top {1 + at}" for at in range(options.top_k)]
    rows = [
        [terminal.prompt_cell(prompt, room) if not arm.strength else "", *_cells(arm, at)]
        for at, prompt in enumerate(asked.prompts)
        for arm in arms
    ]
    return "\n\n".join(
        [cut(label, room), terminal.table(header, rows, room, 3), _said(asked, room)]
    )


def _cells(arm: _Arm, at: int) -> list[str]:
    reading = arm.steered.reading
    far = [arm.steered.moved[at], arm.random[at]] if arm.strength else []
    return [
        arm.name,
        named(arm.texts[at]),
        *(printed.number(p) for p in reading.probability[at, -1]),
        *([printed.number(p) for p in far] or ["", ""]),
        *head(arm.tokens[at], reading.top_probability[at, -1]),
    ]


def _many(prompts: Sequence[str]) -> str:
    return "1 prompt" if len(prompts) == 1 else f"{len(prompts)} prompts"


def _said(asked: _Asked, room: int) -> str:
    return terminal.wrapped(
        f"Added after the layer, from the last prompt token on: strength × (mean state of "
        f"{_many(asked.toward)} toward, minus that of {_many(asked.away)} away). moved: total "
        f"variation of the next token's distribution, 0 to 1; random: the same of random "
        f"directions as long, on average. A direction that moves no more than those says nothing.",
        room,
    )


def _draw(asked: _Asked, arms: Sequence[_Arm], label: str, file: str) -> None:
    """The lens at every layer: of the targets, else of what the steered model then says."""
    steered = [arm for arm in arms if arm.strength]
    groups = [
        HeatGroup(
            name=f"{arm.name}: {name}",
            rows=tuple(
                pictures.heat_row(prompt, name, values)
                for prompt, values in zip(asked.prompts, probability, strict=True)
            ),
        )
        for arm in arms
        for name, probability in _drawn(asked, arm)
    ]
    layer = steered[0].layer
    item = HeatMap(
        title="Lens under steering", subject=label, layer=layer, seeds=1, groups=tuple(groups)
    )
    pictures.write(item, file, sorted({arm.layer for arm in steered}))


def _drawn(asked: _Asked, arm: _Arm) -> Iterator[tuple[str, Floats]]:
    reading = arm.steered.reading
    if not asked.targets:
        yield "the most probable token", reading.top_probability[:, :, 0]
    for at, target in enumerate(asked.targets):
        yield named(target), reading.probability[:, :, at]
