"""Attribution patching: what patching every component would do, estimated in one backward pass.

Patching a clean prompt's activation x into a corrupted run changes the log-odds m of the two
answers, to first order, by

    (x_clean − x_corrupted) · ∂m/∂x, at the corrupted run

(Nanda 2023, *Attribution patching*; Kramár et al. 2024, *AtP: an efficient and scalable method*).
One backward pass gives all components at once: attention, MLP and residual of every layer at every
position. It is exact in a linear model, and wrong where a gradient is not the difference, as behind
a saturated attention. So each result carries the exact effects of a sample of components, with the
rank correlation and the mean absolute error of the estimates there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np

from lazarus_bench.analysis.direct import Direct, direct_logits
from lazarus_bench.analysis.measured import COSINE, Axes, Floats, Ints
from lazarus_bench.analysis.patching import PromptPair, read_pairs
from lazarus_bench.analysis.prompts import MAX_VALUES, batches_by_length, vocabulary_size
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.figures.heatmap import Heat, heat, prompt_title, spread
from lazarus_bench.figures.tables import cut, grid, hundredths, prompt_cell, wrapped
from lazarus_bench.figures.text import number, visible
from lazarus_bench.models.edits import Add, Part
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.taps import contributions, edited, residual_stream
from lazarus_bench.models.texts import check_tokens
from lazarus_bench.tasks.arithmetic import Problem

COMPONENTS: tuple[Part, ...] = ("attention", "mlp", "layer")
"""Parts of a layer; of "layer" it is the residual after it."""

_NAMES = {"attention": "attention", "mlp": "MLP", "layer": "residual after the layer"}

SAMPLE = 48
"""Components of a pair that are patched exactly, at most."""


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """One pair: the log-odds of its answers in both prompts, and what each component would change.

    `estimate` `[part, layer, position]`, parts as in `COMPONENTS`, in nats of log-odds. `sampled`
    `[component, 3]` are indices into it, and `exact` `[component]` what patching them did.
    """

    clean: float
    corrupted: float
    estimate: Floats
    sampled: Ints
    exact: Floats

    @property
    def gap(self) -> float:
        """Log-odds in the clean prompt minus those in the corrupted one."""
        return self.clean - self.corrupted

    @property
    def recovered(self) -> Floats:
        """`estimate` as a share of the gap, as in `patching.Patching`; NaN without a gap."""
        return np.asarray(self.estimate / (self.gap if self.gap else np.nan))

    @property
    def estimated(self) -> Floats:
        """The estimates of the sampled components `[component]`."""
        return np.asarray(self.estimate[tuple(self.sampled.T)])

    @property
    def spearman(self) -> float:
        """Rank correlation of estimates and exact effects; NaN where either is constant."""
        if len(self.exact) < 2 or not (np.ptp(self.exact) and np.ptp(self.estimated)):
            return math.nan
        from scipy.stats import spearmanr  # Takes most of a second to import.

        return float(spearmanr(self.estimated, self.exact).statistic)

    @property
    def error(self) -> float:
        """Mean absolute error of the estimates, in nats of log-odds."""
        return float(np.abs(self.estimated - self.exact).mean())


@dataclass(frozen=True, kw_only=True)
class AttributedPair(PromptPair):
    """A pair of prompts, its attribution, and the clean prompt's direct one where it was asked."""

    attribution: Attribution
    direct: Direct | None = None


@dataclass(frozen=True, kw_only=True)
class Attributed:
    """Attribution patching of pairs of prompts in a model of `depth` layers, `layers` to show."""

    layers: Sequence[int]
    depth: int
    pairs: Sequence[AttributedPair] = field(default_factory=tuple)

    @property
    def spearman(self) -> Annotated[Floats, Axes(("prompts",), COSINE)]:
        """Each pair's rank correlation with exact patching `[pair]`."""
        return np.array([pair.attribution.spearman for pair in self.pairs])

    @property
    def error(self) -> Annotated[Floats, Axes(("prompts",))]:
        """Each pair's mean absolute error `[pair]`, in nats of log-odds."""
        return np.array([pair.attribution.error for pair in self.pairs])

    def to_json(self) -> dict[str, Any]:
        """Of every pair, arrays `[layer, position]` in the order of `layers` for each component."""
        return {"layers": list(self.layers), "pairs": [self._json(pair) for pair in self.pairs]}

    def _json(self, pair: AttributedPair) -> dict[str, Any]:
        own = pair.attribution
        rank = own.spearman
        found = {
            "clean": pair.clean,
            "corrupted": pair.corrupted,
            "clean_tokens": [one for one, _ in pair.tokens],
            "corrupted_tokens": [other for _, other in pair.tokens],
            "answers": list(pair.answers),
            "answer_ids": list(pair.answer_ids),
            "clean_log_odds": own.clean,
            "corrupted_log_odds": own.corrupted,
            "effect": {
                part: own.estimate[at, list(self.layers)] for at, part in enumerate(COMPONENTS)
            },
            "checked": [
                {
                    "component": COMPONENTS[part],
                    "layer": int(layer),
                    "position": int(position),
                    "estimate": float(estimate),
                    "exact": float(exact),
                }
                for (part, layer, position), estimate, exact in zip(
                    own.sampled, own.estimated, own.exact, strict=True
                )
            ],
            "spearman": None if math.isnan(rank) else rank,
            "mean_absolute_error": own.error,
        }
        if pair.direct is not None:
            found["direct"] = {
                "embedding": pair.direct.embedding,
                "attention": pair.direct.attention,
                "mlp": pair.direct.mlp,
                "constant": pair.direct.constant,
                "logit_difference": pair.direct.difference,
            }
        return found

    def text(self, room: int) -> str:
        """For each pair a table for each component, position by layer, and what was checked."""
        blocks = [block for pair in self.pairs for block in self._blocks(pair, room)]
        note = (
            "Each cell: the share of the two answers' log-odds that patching the clean prompt's "
            "activation there would bring back, to first order: 0 nothing, 1 all of it. Its error "
            "is that against exact patching of a sample."
        )
        if any(pair.direct is not None for pair in self.pairs):
            note += (
                " direct: what a component itself adds to the difference of the answers' logits in "
                "the clean prompt, with the final norm's scale held fixed."
            )
        return "\n\n".join([*blocks, wrapped(note, room)])

    def _blocks(self, pair: AttributedPair, room: int) -> Iterator[str]:
        own, (right, wrong) = pair.attribution, map(visible, pair.answers)
        clean, corrupted = (prompt_cell(text, 3 * room) for text in (pair.clean, pair.corrupted))
        note = (
            f"log-odds of '{right}' against '{wrong}': {hundredths(own.clean)} in the clean "
            f"prompt, {hundredths(own.corrupted)} in the corrupted one; checked on "
            f"{len(own.exact)} components: Spearman {hundredths(own.spearman)}, mean absolute "
            f"error {number(own.error)}"
        )
        yield f"{cut(f'{clean} → {corrupted}', room)}\n{wrapped(note, room)}"
        columns = [f"L{layer}" for layer in self.layers]
        for part, values in zip(COMPONENTS, own.recovered, strict=True):
            rows = [
                [cut(name, max(8, room // 3)), *map(hundredths, values[list(self.layers), at])]
                for at, name in enumerate(pair.positions)
            ]
            yield cut(_NAMES[part], room) + "\n" + grid(["position", *columns], rows, room, kept=1)
        if pair.direct is not None:
            shown = pair.direct
            rows = [
                [name, *map(hundredths, values[list(self.layers)])]
                for name, values in (("attention", shown.attention), ("MLP", shown.mlp))
            ]
            sums = (
                f"direct: embedding {hundredths(shown.embedding)}, biases "
                f"{hundredths(shown.constant)}; all layers and these sum to "
                f"{hundredths(shown.difference)}"
            )
            yield f"{wrapped(sums, room)}\n{grid(['direct', *columns], rows, room, kept=1)}"

    def figure(self, subject: str) -> Heat:
        """Position by layer for each component of each pair: the share recovered."""
        groups = []
        for pair in self.pairs:
            title = f"{prompt_title(pair.clean)} → {prompt_title(pair.corrupted)}"
            for part, values in zip(COMPONENTS, pair.attribution.recovered, strict=True):
                chosen = values[list(self.layers)]
                rows = [
                    (name, pair.answers[0], spread(chosen[:, at], self.layers, self.depth))
                    for at, name in enumerate(pair.positions)
                ]
                groups.append((f"{title}: {_NAMES[part]}", rows))
        title = "Share of the answer's log-odds that patching would recover, to first order"
        return heat(title, subject, groups, self.layers[0], largest=1.0)


def attribution(
    loaded: LoadedModel,
    clean: Sequence[str],
    corrupted: Sequence[str],
    layers: Sequence[int] | None = None,
    clean_answers: Sequence[str] | None = None,
    corrupted_answers: Sequence[str] | None = None,
    *,
    sample: int = SAMPLE,
    seed: int = 0,
    direct: bool = False,
) -> Attributed:
    """`attribute_pairs` of a user's prompts, a clean one and a corrupted one each.

    The answers' first tokens count; they are the model's own next tokens unless given. `layers` are
    those to show, all unless given. With `direct`, direct logit attribution of the clean prompts.

    Raises:
        UserError: a prompt or an answer has no token, a pair differs in length, is one prompt or
            has one answer; nothing is to be sampled; or a block lacks a part.
    """
    asked = read_pairs(loaded, clean, corrupted, clean_answers, corrupted_answers)
    sides = [[[ids[side] for ids in pair.ids] for pair in asked] for side in (0, 1)]
    answers = [pair.answer_ids for pair in asked]
    found = attribute_pairs(loaded, sides[0], sides[1], answers, sample=sample, seed=seed)
    shares: Sequence[Direct | None] = [None] * len(asked)
    if direct:
        shares = direct_logits(loaded, sides[0], answers)
    pairs = [
        AttributedPair(**vars(pair), attribution=own, direct=share)
        for pair, own, share in zip(asked, found, shares, strict=True)
    ]
    every = range(loaded.depth) if layers is None else layers
    return Attributed(layers=tuple(every), depth=loaded.depth, pairs=tuple(pairs))


def attributed(
    loaded: LoadedModel,
    problems: Sequence[Problem],
    corrupted: Sequence[Problem],
    sample: int = SAMPLE,
    seed: int = 0,
) -> Attributed:
    """`attribution` of problems in symbols, each with its corrupted one, by their right answers.

    Raises:
        UserError: as `attribution`.
    """
    both = (problems, corrupted)
    clean, other = ([problem.symbols for problem in side] for side in both)
    right, wrong = ([str(problem.answer) for problem in side] for side in both)
    return attribution(loaded, clean, other, None, right, wrong, sample=sample, seed=seed)


def attribute_pairs(
    loaded: LoadedModel,
    clean: Sequence[Sequence[int]],
    corrupted: Sequence[Sequence[int]],
    answers: Sequence[tuple[int, int]],
    *,
    sample: int = SAMPLE,
    seed: int = 0,
) -> list[Attribution]:
    """Estimate what patching each component of each pair does; patch `sample` of them exactly.

    Prompts are token ids, those of a pair as many; `answers` the first tokens of the clean and of
    the corrupted answer. The sample is drawn by `seed` from the components that can have an effect:
    those at the first token that differs or later, in the last layer at the last one.

    Raises:
        UserError: a token is not in the vocabulary, `sample` is below 1, or a block lacks a part.
    """
    if sample < 1:
        raise UserError(f"a sample of {sample} components cannot be checked: give 1 or more")
    check_tokens(loaded, [*clean, *corrupted])
    found: dict[int, Attribution] = {}
    for rows, tokens in batches_by_length(corrupted, _limit(loaded, corrupted)):
        lent = mx.array([list(clean[row]) for row in rows])
        wanted = mx.array([answers[row] for row in rows])
        changes = _changes(loaded, lent, tokens)
        estimate = _estimates(loaded, tokens, wanted, changes)
        ends = [np.array(_odds(loaded, ids, wanted), dtype=np.float64) for ids in (lent, tokens)]
        if not (np.isfinite(estimate).all() and np.isfinite(ends).all()):
            raise UserError(f"{loaded.name}: its logits are not finite: copy its weights again")
        sampled = _sample(np.array(lent != tokens), loaded.depth, sample, seed)
        exact = [_patched(loaded, tokens, wanted, changes, one) - ends[1] for one in sampled]
        for place, row in enumerate(rows):
            found[row] = Attribution(
                clean=float(ends[0][place]),
                corrupted=float(ends[1][place]),
                estimate=estimate[:, :, place],
                sampled=sampled,
                exact=np.array(exact)[:, place],
            )
    return [found[at] for at in range(len(clean))]


def _limit(loaded: LoadedModel, prompts: Sequence[Sequence[int]]) -> int:
    """Pairs of one pass: it keeps both runs' activations and the slopes of each component."""
    width = int(loaded.config.get("hidden_size", 1 << 12))
    kept = 3 * len(COMPONENTS) * loaded.depth * width + vocabulary_size(loaded)
    return max(1, MAX_VALUES // (max(map(len, prompts)) * kept))


def _changes(loaded: LoadedModel, lent: mx.array, tokens: mx.array) -> list[list[mx.array]]:
    """Each component's activation in the clean run minus that in the corrupted one.

    Returns:
        `[part][layer]` of `[batch, time, d]`.
    """

    def read(ids: mx.array, part: Part) -> list[mx.array]:
        if part == "layer":
            return residual_stream(loaded.model, loaded.anatomy, ids)
        return contributions(loaded.model, loaded.anatomy, ids, part)

    changes = []
    for part in COMPONENTS:
        sides = zip(read(lent, part), read(tokens, part), strict=True)
        changes.append([(one - other).astype(mx.float32) for one, other in sides])
        mx.eval(changes[-1])
    return changes


def _odds(loaded: LoadedModel, tokens: mx.array, wanted: mx.array) -> mx.array:
    """Log-odds of the first of `wanted` against the second `[batch]`: the logits' difference."""
    logits = loaded.model(tokens)[:, -1].astype(mx.float32)
    pair = mx.take_along_axis(logits, wanted, axis=-1)
    odds: mx.array = pair[:, 0] - pair[:, 1]
    return odds


def _estimates(
    loaded: LoadedModel, tokens: mx.array, wanted: mx.array, changes: Sequence[Sequence[mx.array]]
) -> Floats:
    """The first-order effects `[part, layer, batch, time]`."""
    places = [(part, layer) for part in COMPONENTS for layer in range(loaded.depth)]

    def odds(shifts: list[mx.array]) -> mx.array:
        pairs = zip(places, shifts, strict=True)
        edits = [Add(layer=layer, part=part, change=shift) for (part, layer), shift in pairs]
        with edited(loaded.model, loaded.anatomy, edits):
            return _odds(loaded, tokens, wanted).sum()

    flat = [change for own in changes for change in own]
    slopes = mx.grad(odds)([mx.zeros_like(change) for change in flat])
    effects = [(change * slope).sum(axis=-1) for change, slope in zip(flat, slopes, strict=True)]
    values = np.array(mx.stack(effects), dtype=np.float64)
    return values.reshape(len(COMPONENTS), loaded.depth, *tokens.shape)


def _sample(differs: Ints, depth: int, count: int, seed: int) -> Ints:
    """`count` components `[component, 3]` that can have an effect, as part, layer, position."""
    time = differs.shape[1]
    first = int(np.argmax(differs.any(axis=0)))
    every = np.array(
        [
            (part, layer, at)
            for part in range(len(COMPONENTS))
            for layer in range(depth)
            for at in range(first if layer < depth - 1 else time - 1, time)
        ]
    )
    rng = np.random.default_rng((seed, time))
    kept = rng.choice(len(every), size=min(count, len(every)), replace=False)
    return np.asarray(every[np.sort(kept)])


def _patched(
    loaded: LoadedModel,
    tokens: mx.array,
    wanted: mx.array,
    changes: Sequence[Sequence[mx.array]],
    component: Ints,
) -> Floats:
    """The log-odds `[batch]` of the corrupted run with one component's change."""
    part, layer, position = map(int, component)
    here = (mx.arange(tokens.shape[1]) == position)[:, None]
    change = mx.where(here, changes[part][layer], 0)
    edit = Add(layer=layer, part=COMPONENTS[part], change=change)
    with edited(loaded.model, loaded.anatomy, (edit,)):
        return np.array(_odds(loaded, tokens, wanted), dtype=np.float64)
