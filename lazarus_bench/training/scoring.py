"""Scoring: what any policy thinks of sampled answers, differentiably and without waste.

An answer that was drawn several times is read once and counted, and only states that predict an
answer's token are unembedded. Prompts of one length share a forward, so no padding enters the model
before an answer; answers are padded on the right, where causal masks make it invisible.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lazarus_bench.backend import mx, nn
from lazarus_bench.exponentials import log_sum_exp
from lazarus_bench.models.anatomy import Anatomy, unembed
from lazarus_bench.training.sampling import (
    Ints,
    Rows,
    Samples,
    continued,
    prompt_cache,
    residuals,
    rows_by_length,
)


@dataclass(frozen=True, kw_only=True)
class Continuations:
    """Answers of similar length: `fed` `[answer, step]` goes on from prompt `owner` `[answer]`.

    The state at (`rows`, `columns`) `[label]` predicts the label.
    """

    owner: mx.array
    fed: mx.array
    rows: mx.array
    columns: mx.array


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """One prompt length: its `prompts` `[prompt, time]` and where each label is predicted.

    Labels are ordered: the first token of every distinct answer, predicted by the last prompt
    position of its `owner`, then those of each of `continuations`. `targets` `[label]` are the
    tokens, `places` `[label, 3]` their (prompt, answer, step) in the samples, `counts` `[label]`
    how many answers are the same, and `which` `[prompt]` the prompts' indices in the samples.
    """

    prompts: mx.array
    owner: mx.array
    continuations: tuple[Continuations, ...]
    targets: mx.array
    places: Rows
    counts: Rows
    which: list[int]

    @property
    def size(self) -> int:
        """Tokens fed."""
        return self.prompts.size + sum(part.fed.size for part in self.continuations)


def scorings(samples: Samples) -> tuple[Scoring, ...]:
    """Lay samples out for `label_log_probs`, one record a prompt length."""
    return tuple(_scoring(samples, rows) for rows in rows_by_length(samples.prompts))


@dataclass(frozen=True, kw_only=True)
class _Distinct:
    """The distinct answers to prompts of one length, all arrays `[answer, ...]`.

    `owner` is the prompt's index among them, `first` that of the answer's first occurrence in its
    group, `counts` how often it occurs.
    """

    owner: Rows
    first: Rows
    counts: Rows
    tokens: Ints
    lengths: Rows


def _distinct(samples: Samples, rows: list[int]) -> _Distinct:
    marked = np.where(samples.mask, samples.tokens, -1)[rows]
    groups = [np.unique(g, axis=0, return_index=True, return_counts=True)[1:] for g in marked]
    owner = np.repeat(np.arange(len(rows)), [len(first) for first, _ in groups])
    first = np.concatenate([first for first, _ in groups])
    return _Distinct(
        owner=owner,
        first=first,
        counts=np.concatenate([counts for _, counts in groups]),
        tokens=samples.tokens[rows][owner, first],
        lengths=samples.mask[rows][owner, first].sum(axis=1),
    )


FORWARD = 64
"""Positions of padding that cost about as much as one more forward does by itself, on a CPU and a
lab model."""


def _widths(lengths: Rows) -> Rows:
    """Tokens to feed for each answer, all but its last, rounded up to one of a few widths.

    So one long answer does not pad all the short ones, and there are few forwards: answers of one
    power of two are fed with those of the next where the padding costs less than a forward.
    """
    fed = np.maximum(lengths - 1, 0)
    widths = np.where(fed > 0, 2 ** np.ceil(np.log2(np.maximum(fed, 1))), 0).astype(np.int64)
    for width, wider in pairwise(np.unique(widths[widths > 0]).tolist()):
        rows = widths == width
        if rows.sum() * (wider - width) < FORWARD:
            widths[rows] = wider
    return widths


def _continued(answers: _Distinct, chosen: Rows, width: int) -> tuple[Continuations, Rows]:
    """The `chosen` answers from their first token on, and their labels' (answer, step)."""
    labels = np.argwhere(np.arange(width) < answers.lengths[chosen][:, None] - 1)
    fed = answers.tokens[chosen][:, :width]
    part = Continuations(
        owner=mx.array(answers.owner[chosen]),
        fed=mx.array(np.pad(fed, ((0, 0), (0, width - fed.shape[1])))),
        rows=mx.array(labels[:, 0]),
        columns=mx.array(labels[:, 1]),
    )
    return part, np.stack([chosen[labels[:, 0]], labels[:, 1] + 1], axis=1)


def _scoring(samples: Samples, rows: list[int]) -> Scoring:
    answers = _distinct(samples, rows)
    widths = _widths(answers.lengths)
    parts = [
        _continued(answers, np.flatnonzero(widths == width), width)
        for width in np.unique(widths[widths > 0]).tolist()
    ]
    firsts = np.stack([np.arange(len(widths)), np.zeros_like(widths)], axis=1)
    answer, step = np.concatenate([firsts, *(labels for _, labels in parts)]).T
    places = [np.array(rows)[answers.owner[answer]], answers.first[answer], step]
    return Scoring(
        prompts=mx.array([list(samples.prompts[row]) for row in rows]),
        owner=mx.array(answers.owner),
        continuations=tuple(part for part, _ in parts),
        targets=mx.array(answers.tokens[answer, step]),
        places=np.stack(places, axis=1),
        counts=answers.counts[answer],
        which=rows,
    )


def label_log_probs(
    model: nn.Module, anatomy: Anatomy, scoring: Scoring
) -> tuple[mx.array, list[mx.array]]:
    """Log-probability in nats of each label `[label]`, and the prompts' residual a layer.

    Differentiable; only states that predict a label are unembedded.
    """
    cache = prompt_cache(model)
    prompts = residuals(model, anatomy, scoring.prompts, cache)
    first = _log_softmax(model, anatomy, prompts[-1][:, -1])
    count = scoring.owner.size
    found = [first[scoring.owner, scoring.targets[:count]]]
    states = []
    for part in scoring.continuations:
        tail = residuals(model, anatomy, part.fed, continued(cache, part.owner))[-1]
        states.append(tail[part.rows, part.columns])
    if states:
        later = _log_softmax(model, anatomy, mx.concatenate(states))
        found.append(mx.take_along_axis(later, scoring.targets[count:, None], axis=-1)[:, 0])
    return mx.concatenate(found), prompts


def _log_softmax(model: nn.Module, anatomy: Anatomy, states: mx.array) -> mx.array:
    logits = unembed(model, anatomy, states).astype(mx.float32)
    return logits - log_sum_exp(logits)
