"""Ablations on any prompts: how likely an answer stays when a part of the model is taken out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np

from lazarus_bench.analysis.interventions import mean_contributions_of
from lazarus_bench.analysis.lens import MAX_LOGITS, Floats, Ints, batches_by_length, lens_logits
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.exponentials import log_sum_exp
from lazarus_bench.models.edits import Ablate, Part
from lazarus_bench.models.heads import head_values, without_heads, written_by
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.taps import edited


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What is taken out of a layer: one of its parts or, where given, a head of its attention."""

    layer: int
    part: Part = "layer"
    head: int | None = None

    def __str__(self) -> str:
        if self.head is not None:
            return f"L{self.layer} head {self.head}"
        return f"L{self.layer}" if self.part == "layer" else f"L{self.layer} {self.part}"


@dataclass(frozen=True, kw_only=True)
class NextToken:
    """What follows each prompt: `probability` of its answer, the most probable token and its own.

    All `[prompt]`.
    """

    probability: Floats
    top: Ints
    top_probability: Floats


def read_next(
    loaded: LoadedModel, prompts: Sequence[Sequence[int]], answers: Sequence[int]
) -> NextToken:
    """Read what the model, under whatever edits are in force, expects after each prompt.

    Args:
        loaded: the model.
        prompts: token ids, any lengths.
        answers: one token a prompt.

    Raises:
        UserError: a token of a prompt is not in the vocabulary.
    """
    chance, best_chance = np.zeros(len(prompts)), np.zeros(len(prompts))
    best = np.zeros(len(prompts), dtype=np.int64)
    for rows, layer, logits in lens_logits(loaded, prompts):
        if layer < loaded.depth - 1:
            continue  # Never computed: mlx is lazy.
        log_p = logits.astype(mx.float32)
        log_p = log_p - log_sum_exp(log_p)
        asked = mx.array([answers[row] for row in rows])[:, None]
        wanted = mx.take_along_axis(log_p, asked, axis=-1)[:, 0]
        best[rows] = np.array(mx.argmax(log_p, axis=-1))
        best_chance[rows] = np.exp(np.array(log_p.max(axis=-1), dtype=np.float64))
        chance[rows] = np.exp(np.array(wanted, dtype=np.float64))
    return NextToken(probability=chance, top=best, top_probability=best_chance)


def read_without(
    loaded: LoadedModel,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[int],
    removals: Sequence[Removal],
    means: Mapping[Removal, Floats] | None = None,
) -> NextToken:
    """The same with everything in `removals` taken out at once.

    With `means`, as of `means_of`, each one's mean stands in its place; else nothing does.

    Raises:
        UserError: a removal is not in the model.
    """
    with ExitStack() as stack:
        for removal in removals:
            stack.enter_context(removed(loaded, removal, None if means is None else means[removal]))
        return read_next(loaded, prompts, answers)


@contextmanager
def removed(loaded: LoadedModel, removal: Removal, instead: Floats | None = None) -> Iterator[None]:
    """Within the block, the model runs without `removal`, or with `instead` `[d]` in its place.

    Raises:
        UserError: it is not in the model.
    """
    mean = None if instead is None else mx.array(instead.astype(np.float32))
    if removal.head is not None:
        with without_heads(loaded, removal.layer, (removal.head,), mean):
            yield
        return
    edit = Ablate(layer=removal.layer, part=removal.part, contribution=mean)
    with edited(loaded.model, loaded.anatomy, (edit,)):
        yield


def means_of(
    loaded: LoadedModel, prompts: Sequence[Sequence[int]], removals: Sequence[Removal]
) -> dict[Removal, Floats]:
    """What each of `removals` writes on average `[d]`: to stand in its place.

    Over prompts and all positions but the first (*mean ablation*, Wang et al. 2022).

    Raises:
        UserError: no prompt has a second token, or a block lacks a part.
    """
    whole = {r.part: r for r in removals if r.head is None}
    parts = {part: mean_contributions_of(loaded, prompts, part) for part in whole}
    values = _mean_values(loaded, prompts) if any(r.head is not None for r in removals) else []
    return {
        removal: np.asarray(parts[removal.part][removal.layer])
        if removal.head is None
        else _written(loaded, removal.layer, removal.head, values[removal.layer])
        for removal in removals
    }


def _written(loaded: LoadedModel, layer: int, head: int, values: mx.array) -> Floats:
    written = written_by(loaded, layer, head, values)
    return np.array(written.astype(mx.float32), dtype=np.float64)


def _mean_values(loaded: LoadedModel, prompts: Sequence[Sequence[int]]) -> list[mx.array]:
    """Mean of what the heads of each layer hand on `[heads · width]`; a projection is linear."""
    if max(map(len, prompts), default=0) < 2:
        raise UserError("a mean contribution needs prompts of two tokens or more to be taken over")
    totals, count = [np.zeros(())] * loaded.depth, 0
    for _, tokens in batches_by_length(prompts, max(1, MAX_LOGITS >> 12)):
        sums = [v[:, 1:].astype(mx.float32).sum(axis=(0, 1)) for v in head_values(loaded, tokens)]
        pairs = zip(totals, sums, strict=True)
        totals = [total + np.array(own, dtype=np.float64) for total, own in pairs]
        count += tokens.shape[0] * (tokens.shape[1] - 1)
    return [mx.array((total / count).astype(np.float32)) for total in totals]
