"""`lazarus-bench patch`: a clean prompt's residual in a corrupted one, by layer and position."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lazarus_bench.cli import pictures, subject, terminal
from lazarus_bench.cli.answers import first_tokens, read_answers
from lazarus_bench.cli.grid import grid, hundredths
from lazarus_bench.cli.prompts import read_prompts
from lazarus_bench.cli.results import check_output, give
from lazarus_bench.cli.tokens import named, words
from lazarus_bench.errors import UserError
from lazarus_bench.figures import HeatGroup, HeatMap, linear
from lazarus_bench.report import printed
from lazarus_bench.report.printed import cut

if TYPE_CHECKING:
    from lazarus_bench.analysis.patching import Patching
    from lazarus_bench.models.load import LoadedModel

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """A clean and a corrupted prompt, their tokens, their two answers and what patching does."""

    clean: str
    corrupted: str
    tokens: Sequence[tuple[str, str]]
    answers: tuple[str, str]
    answer_ids: tuple[int, int]
    patching: Patching

    @property
    def positions(self) -> list[str]:
        """Each position's number and its token, both prompts' where they differ."""
        return [
            f"{at} {named(one)}" if one == other else f"{at} {named(one)} → {named(other)}"
            for at, (one, other) in enumerate(self.tokens)
        ]


def run(options: argparse.Namespace) -> int:
    """Patch every layer and position of `options` and show how much of the answer comes back.

    Raises:
        UserError: a flag cannot be honoured, or the model cannot be read.
    """
    check_output(options)
    pictures.check_plot(options.plot)
    clean, corrupted = read_prompts([options.clean]), read_prompts([options.corrupted])
    if len(clean) != len(corrupted):
        raise UserError(
            f"there are {len(clean)} prompts in CLEAN and {len(corrupted)} in CORRUPTED: give as "
            f"many of both"
        )
    answers = [
        read_answers(flag, given, len(clean))
        for flag, given in (
            ("--clean-answers", options.clean_answers),
            ("--corrupted-answers", options.corrupted_answers),
        )
    ]
    found = subject.find(options.model, options.adapter)
    loaded = found.load()
    layers = subject.chosen_layers(loaded, options.layer, every=not options.layer)
    pairs = _patch(loaded, clean, corrupted, answers, layers)
    if options.plot is not None:
        _draw(pairs, found.label, layers, loaded.depth, options.plot)
    give(options, found, _result(pairs, layers), _shown(pairs, layers, found.label))
    return 0


def _patch(
    loaded: LoadedModel,
    clean: Sequence[str],
    corrupted: Sequence[str],
    answers: Sequence[Sequence[str] | None],
    layers: Sequence[int],
) -> list[_Pair]:
    from lazarus_bench.analysis.patching import patch_pairs

    encoded = [subject.encode(loaded, side) for side in (clean, corrupted)]
    _check_lengths(clean, corrupted, encoded[0], encoded[1])
    with terminal.busy(f"patching {len(clean)} pairs of prompts in {len(layers)} layers"):
        sides = [
            first_tokens(loaded, texts, tokens, given)
            for texts, tokens, given in zip((clean, corrupted), encoded, answers, strict=True)
        ]
        wanted = list(zip(*sides, strict=True))
        spelt = words(loaded, np.array(wanted))
        _check_answers(clean, corrupted, wanted, spelt[:, 0].tolist())
        patched = patch_pairs(loaded, encoded[0], encoded[1], wanted, layers)
    return [
        _Pair(
            clean=clean[at],
            corrupted=corrupted[at],
            tokens=_spelt(loaded, encoded[0][at], encoded[1][at]),
            answers=(str(spelt[at, 0]), str(spelt[at, 1])),
            answer_ids=wanted[at],
            patching=patching,
        )
        for at, patching in enumerate(patched)
    ]


def _check_lengths(
    clean: Sequence[str],
    corrupted: Sequence[str],
    clean_tokens: Sequence[Sequence[int]],
    corrupted_tokens: Sequence[Sequence[int]],
) -> None:
    for one, other, first, second in zip(
        clean, corrupted, clean_tokens, corrupted_tokens, strict=True
    ):
        if len(first) != len(second):
            raise UserError(
                f"{one!r} has {len(first)} tokens and {other!r} {len(second)}: a patch goes "
                f"position by position: give prompts of equally many tokens"
            )
        if first == second:
            raise UserError(f"{one!r} is patched into itself: give a prompt that differs")


def _check_answers(
    clean: Sequence[str],
    corrupted: Sequence[str],
    wanted: Sequence[tuple[int, int]],
    answers: Sequence[str],
) -> None:
    for one, other, (right, wrong), answer in zip(clean, corrupted, wanted, answers, strict=True):
        if right == wrong:
            raise UserError(
                f"{one!r} and {other!r} are both answered by {answer!r}: give --clean-answers and "
                f"--corrupted-answers whose first tokens differ"
            )


def _spelt(
    loaded: LoadedModel, clean: Sequence[int], corrupted: Sequence[int]
) -> list[tuple[str, str]]:
    texts = words(loaded, np.array([clean, corrupted]))
    return [(str(one), str(other)) for one, other in texts.T]


def _result(pairs: Sequence[_Pair], layers: Sequence[int]) -> dict[str, Any]:
    """Of every pair, arrays `[layer, position]` in the order of `layers`."""
    return {
        "layers": list(layers),
        "pairs": [
            {
                "clean": pair.clean,
                "corrupted": pair.corrupted,
                "clean_tokens": [one for one, _ in pair.tokens],
                "corrupted_tokens": [other for _, other in pair.tokens],
                "answers": list(pair.answers),
                "answer_ids": list(pair.answer_ids),
                "clean_log_probability": pair.patching.clean,
                "corrupted_log_probability": pair.patching.corrupted,
                "probability": pair.patching.probability,
                "log_probability": pair.patching.patched,
                "recovered": pair.patching.recovered,
            }
            for pair in pairs
        ],
    }


def _shown(pairs: Sequence[_Pair], layers: Sequence[int], label: str) -> str:
    room = terminal.width()
    blocks = [_block(pair, layers, room) for pair in pairs]
    mean = _mean(pairs)
    if mean is not None:
        rows = [f"position {at}" for at in range(mean.shape[1])]
        blocks.append(f"mean of {len(pairs)} pairs\n{_table(rows, mean, layers, room)}")
    return "\n\n".join([cut(label, room), *blocks, _said(room)])


def _mean(pairs: Sequence[_Pair]) -> Floats | None:
    """Mean recovered over pairs `[layer, position]`, where several have as many positions."""
    if len(pairs) < 2 or len({len(pair.tokens) for pair in pairs}) > 1:
        return None
    return np.asarray(np.mean([pair.patching.recovered for pair in pairs], axis=0))


def _block(pair: _Pair, layers: Sequence[int], room: int) -> str:
    clean, corrupted = (terminal.prompt_cell(p, 3 * room) for p in (pair.clean, pair.corrupted))
    patching, (right, wrong) = pair.patching, map(named, pair.answers)
    lines = [
        cut(f"{clean} → {corrupted}", room),
        terminal.wrapped(
            f"answers '{right}' and '{wrong}': {_chances(patching.clean)} of the clean prompt, "
            f"{_chances(patching.corrupted)} of the corrupted one",
            room,
        ),
        _table(pair.positions, patching.recovered, layers, room),
    ]
    return "\n".join(lines)


def _chances(log_p: Floats) -> str:
    return " and ".join(printed.number(float(p)) for p in np.exp(log_p))


def _table(names: Sequence[str], values: Floats, layers: Sequence[int], room: int) -> str:
    rows = [
        [cut(name, max(8, room // 3)), *map(hundredths, values[:, at])]
        for at, name in enumerate(names)
    ]
    return grid(["position", *(f"L{layer}" for layer in layers)], rows, room, kept=1)


def _said(room: int) -> str:
    return terminal.wrapped(
        "Each cell: the share of the two answers' log-odds that the clean prompt's residual after "
        "that layer at that position brings back, alone: 0 nothing, 1 all of it.",
        room,
    )


def _draw(pairs: Sequence[_Pair], label: str, layers: Sequence[int], depth: int, file: str) -> None:
    groups = tuple(_group(pair, layers, depth) for pair in pairs)
    title = "Share of the answer's log-odds that a patch recovers"
    item = HeatMap(title=title, subject=label, layer=layers[0], seeds=1, groups=groups)
    pictures.write(item, file, (), linear(1.0))


def _group(pair: _Pair, layers: Sequence[int], depth: int) -> HeatGroup:
    whole = np.full((depth, len(pair.tokens)), np.nan)
    whole[list(layers)] = pair.patching.recovered
    clean, corrupted = (
        terminal.prompt_cell(p, 3 * pictures.LONGEST) for p in (pair.clean, pair.corrupted)
    )
    return HeatGroup(
        name=f"{clean} → {corrupted}",
        rows=tuple(
            pictures.heat_row(name, pair.answers[0], row.tolist())
            for name, row in zip(pair.positions, whole.T, strict=True)
        ),
    )
