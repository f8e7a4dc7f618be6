"""Patching: a residual of one prompt put into another, after one layer at one position.

Where a clean prompt's residual brings the clean answer back in a corrupted one, it carries what
tells the two apart (Meng et al. 2022, *causal tracing*). The measure is the share of the log-odds
of the two answers that is recovered, which is linear in the residual's last steps and does not
saturate as probabilities do (Zhang and Nanda 2024, *Towards best practices of activation
patching*).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lazarus_bench.analysis.answers import first_tokens
from lazarus_bench.analysis.behaviour import Behaviour, behaviour_under, states_after
from lazarus_bench.analysis.measured import Floats, Measured, States
from lazarus_bench.analysis.prompts import (
    batches_of_logits,
    readable_prompts,
    token_texts,
)
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.exponentials import log_sum_exp
from lazarus_bench.figures.heatmap import Heat, heat, prompt_title, spread
from lazarus_bench.figures.tables import cut, grid, hundredths, prompt_cell, wrapped
from lazarus_bench.figures.text import number, visible
from lazarus_bench.models.edits import Patch
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.taps import edited, residual_stream
from lazarus_bench.models.texts import check_tokens
from lazarus_bench.tasks.arithmetic import Problem


def patch(
    loaded: LoadedModel, problems: Sequence[Problem], layer: int, states: States
) -> Behaviour:
    """The behaviour with the last prompt position's residual after `layer` replaced.

    Each problem gets one of `states` `[prompt, d]`, as of `last_states` of others.

    Raises:
        UserError: there are no problems, the layer is not in the model, or there is not one fitting
            and finite state a problem.
        NotApplicable: an operation's name is not a single token.
    """

    def edit(own: mx.array, length: int) -> Patch:
        return Patch(layer=layer, position=length - 1, state=own)

    return behaviour_under(loaded, problems, "state", states, edit)


def patched(
    run: Measured, problems: Sequence[Problem], layer: int, sources: Sequence[Problem]
) -> Behaviour:
    """`patch` by a run's own states at the last position of the prompts of `sources`."""
    return patch(run.loaded, problems, layer, states_after(run, layer, sources))


@dataclass(frozen=True, kw_only=True)
class Patching:
    """One pair of prompts: log-probabilities of the clean answer and of the corrupted one, `[2]`.

    `clean` and `corrupted` of the prompts as they are; `patched` `[layer, position, 2]` of the
    corrupted prompt with the clean one's residual after that layer at that position.
    """

    clean: Floats
    corrupted: Floats
    patched: Floats

    @property
    def probability(self) -> Floats:
        """Probability of the clean answer `[layer, position]`."""
        return np.asarray(np.exp(self.patched[:, :, 0]))

    @property
    def gap(self) -> float:
        """Log-odds of the answers in the clean prompt minus those in the corrupted one."""
        return float(_odds(self.clean) - _odds(self.corrupted))

    @property
    def recovered(self) -> Floats:
        """Share of the gap that the patch closes `[layer, position]`: 0 nothing, 1 all of it.

        Below 0 the patch does harm, above 1 more than the clean prompt itself. NaN without a gap.
        """
        moved = _odds(self.patched) - _odds(self.corrupted)
        return np.asarray(moved / (self.gap if self.gap else np.nan))


def _odds(log_p: Floats) -> Floats:
    """Log-odds of the clean answer against the corrupted one, over the last axis."""
    return np.asarray(log_p[..., 0] - log_p[..., 1])


def patch_pairs(
    loaded: LoadedModel,
    clean: Sequence[Sequence[int]],
    corrupted: Sequence[Sequence[int]],
    answers: Sequence[tuple[int, int]],
    layers: Sequence[int],
) -> list[Patching]:
    """Patch every position of every pair after each of `layers`, one at a time.

    The residuals of the prompts `clean` are put into the `corrupted` ones, each as long; `answers`
    are the first tokens of the clean and of the corrupted answer, a pair a prompt, which differ.

    Raises:
        UserError: a token is not in the vocabulary.
    """
    check_tokens(loaded, [*clean, *corrupted])
    found: dict[int, Patching] = {}
    for rows, tokens in batches_of_logits(loaded, corrupted):
        lent = mx.array([list(clean[row]) for row in rows])
        wanted = mx.array([answers[row] for row in rows])
        states = residual_stream(loaded.model, loaded.anatomy, lent)
        mx.eval([states[layer] for layer in layers])
        ends = [_log_p(loaded, ids, wanted) for ids in (lent, tokens)]
        by_layer = []
        for layer in layers:
            by_position = []
            for at in range(tokens.shape[1]):
                edit = Patch(layer=layer, position=at, state=states[layer][:, at])
                with edited(loaded.model, loaded.anatomy, (edit,)):
                    by_position.append(_log_p(loaded, tokens, wanted))
            by_layer.append(by_position)
        both = np.array(by_layer)
        for place, row in enumerate(rows):
            found[row] = Patching(
                clean=ends[0][place], corrupted=ends[1][place], patched=both[:, :, place]
            )
    return [found[at] for at in range(len(clean))]


def _log_p(loaded: LoadedModel, tokens: mx.array, wanted: mx.array) -> Floats:
    """Log-probabilities of `wanted` after the last token `[batch, 2]`, in float32."""
    logits = loaded.model(tokens)[:, -1].astype(mx.float32)
    asked = mx.take_along_axis(logits, wanted, axis=-1) - log_sum_exp(logits)
    return np.array(asked, dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class PromptPair:
    """A clean and a corrupted prompt of as many tokens, those tokens, and their two answers."""

    clean: str
    corrupted: str
    tokens: Sequence[tuple[str, str]]
    ids: Sequence[tuple[int, int]]
    answers: tuple[str, str]
    answer_ids: tuple[int, int]

    @property
    def positions(self) -> list[str]:
        """Each position's number and its token, both prompts' where they differ."""
        return [
            f"{at} {visible(one)}" if one == other else f"{at} {visible(one)} → {visible(other)}"
            for at, (one, other) in enumerate(self.tokens)
        ]


@dataclass(frozen=True, kw_only=True)
class Pair(PromptPair):
    """A pair of prompts and what patching does."""

    patching: Patching


@dataclass(frozen=True, kw_only=True)
class Patched:
    """Pairs of prompts, each patched after each of `layers` of a model of `depth` layers."""

    layers: Sequence[int]
    depth: int
    pairs: Sequence[Pair]

    def to_json(self) -> dict[str, Any]:
        """Of every pair, arrays `[layer, position]` in the order of `layers`."""
        pairs = [
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
            for pair in self.pairs
        ]
        return {"layers": list(self.layers), "pairs": pairs}

    def text(self, room: int) -> str:
        """A table of positions and layers for each pair, and their mean where they have one."""

        def shown(names: Sequence[str], values: Floats) -> str:
            rows = [
                [cut(name, max(8, room // 3)), *map(hundredths, values[:, at])]
                for at, name in enumerate(names)
            ]
            return grid(["position", *(f"L{layer}" for layer in self.layers)], rows, room, kept=1)

        blocks = []
        for pair in self.pairs:
            clean, corrupted = (prompt_cell(p, 3 * room) for p in (pair.clean, pair.corrupted))
            patching, (right, wrong) = pair.patching, map(visible, pair.answers)
            ends = [
                " and ".join(number(float(p)) for p in np.exp(log_p))
                for log_p in (patching.clean, patching.corrupted)
            ]
            note = (
                f"answers '{right}' and '{wrong}': {ends[0]} of the clean prompt, {ends[1]} of the "
                f"corrupted one"
            )
            lines = [cut(f"{clean} → {corrupted}", room), wrapped(note, room)]
            blocks.append("\n".join([*lines, shown(pair.positions, patching.recovered)]))
        if len(self.pairs) > 1 and len({len(pair.tokens) for pair in self.pairs}) == 1:
            mean = np.mean([pair.patching.recovered for pair in self.pairs], axis=0)
            rows = [f"position {at}" for at in range(mean.shape[1])]
            blocks.append(f"mean of {len(self.pairs)} pairs\n{shown(rows, mean)}")
        note = (
            "Each cell: the share of the two answers' log-odds that the clean prompt's residual "
            "after that layer at that position brings back, alone: 0 nothing, 1 all of it."
        )
        return "\n\n".join([*blocks, wrapped(note, room)])

    def figure(self, subject: str) -> Heat:
        """Position by layer for each pair: the share recovered."""
        groups = []
        for pair in self.pairs:
            columns = zip(pair.positions, pair.patching.recovered.T, strict=True)
            rows = [
                (name, pair.answers[0], spread(values, self.layers, self.depth))
                for name, values in columns
            ]
            groups.append((f"{prompt_title(pair.clean)} → {prompt_title(pair.corrupted)}", rows))
        title = "Share of the answer's log-odds that a patch recovers"
        return heat(title, subject, groups, self.layers[0], largest=1.0)


def patching(
    loaded: LoadedModel,
    clean: Sequence[str],
    corrupted: Sequence[str],
    layers: Sequence[int],
    clean_answers: Sequence[str] | None = None,
    corrupted_answers: Sequence[str] | None = None,
) -> Patched:
    """`patch_pairs` of a user's prompts, a clean one and a corrupted one each.

    The answers' first tokens count; they are the model's own next tokens unless given.

    Raises:
        UserError: a prompt or an answer has no token, a pair differs in length, is one prompt or
            has one answer.
    """
    asked = read_pairs(loaded, clean, corrupted, clean_answers, corrupted_answers)
    sides = [[[ids[side] for ids in pair.ids] for pair in asked] for side in (0, 1)]
    wanted = [pair.answer_ids for pair in asked]
    found = patch_pairs(loaded, sides[0], sides[1], wanted, layers)
    pairs = [Pair(**vars(own), patching=one) for own, one in zip(asked, found, strict=True)]
    return Patched(layers=layers, depth=loaded.depth, pairs=pairs)


def read_pairs(
    loaded: LoadedModel,
    clean: Sequence[str],
    corrupted: Sequence[str],
    clean_answers: Sequence[str] | None = None,
    corrupted_answers: Sequence[str] | None = None,
) -> list[PromptPair]:
    """A user's prompts and answers as pairs that can be compared position by position.

    Raises:
        UserError: as `patching`.
    """
    encoded = [readable_prompts(loaded, side) for side in (clean, corrupted)]
    for one, other, first, second in zip(clean, corrupted, *encoded, strict=True):
        if len(first) != len(second):
            raise UserError(
                f"{one!r} has {len(first)} tokens and {other!r} {len(second)}: a patch goes "
                f"position by position: give prompts with the same number of tokens"
            )
        if first == second:
            raise UserError(f"{one!r} is patched into itself: give a prompt that differs")
    right = first_tokens(loaded, clean, encoded[0], clean_answers)
    wrong = first_tokens(loaded, corrupted, encoded[1], corrupted_answers)
    wanted = list(zip(right, wrong, strict=True))
    spelt = token_texts(loaded, wanted)
    for one, other, (own, lent), answer in zip(clean, corrupted, wanted, spelt[:, 0], strict=True):
        if own == lent:
            raise UserError(
                f"{one!r} and {other!r} are both answered by {answer!r}: give --clean-answers and "
                f"--corrupted-answers whose first tokens differ"
            )
    pairs = []
    for at, (own, lent) in enumerate(zip(*encoded, strict=True)):
        texts = token_texts(loaded, [own, lent])
        pairs.append(
            PromptPair(
                clean=clean[at],
                corrupted=corrupted[at],
                tokens=[(str(one), str(other)) for one, other in texts.T],
                ids=list(zip(own, lent, strict=True)),
                answers=(str(spelt[at, 0]), str(spelt[at, 1])),
                answer_ids=wanted[at],
            )
        )
    return pairs
