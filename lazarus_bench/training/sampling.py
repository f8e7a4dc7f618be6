"""Sampling answers at temperature 1, and scoring them: what any policy thinks of what was sampled.

Prompts of one length share a batch and a KV cache, so no padding enters the model before an answer;
scored answers are padded on the right, where causal masks make it invisible. A prompt is read once,
however many answers continue it, each distinct beginning once, and only states that predict an
answer's token are unembedded. The same holds inside `value_and_grad`, where gradients flow through
the cached keys and values: a step of 32 prompts of 7 tokens with 16 answers of 2 feeds about 400
positions instead of 4,096.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.exp import log_sum_exp
from lazarus_bench.models.anatomy import Anatomy, unembed
from lazarus_bench.models.taps import tapped

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Samples:
    """`group` sampled answers to each prompt, all arrays `[prompt, group, step]`.

    `tokens` of each answer, its end-of-text token included where it reached one; `mask` says which
    are the answer's; `log_probs` are the sampling policy's, in nats, 0 off the mask.
    """

    prompts: tuple[tuple[int, ...], ...]
    tokens: Ints
    mask: Bools
    log_probs: Floats

    def of(self, prompts: slice) -> Samples:
        """The samples of some of the prompts."""
        return Samples(
            prompts=self.prompts[prompts],
            tokens=self.tokens[prompts],
            mask=self.mask[prompts],
            log_probs=self.log_probs[prompts],
        )

    def text_tokens(self, prompt: int, answer: int, ends: Collection[int]) -> list[int]:
        """The answer's tokens without the end-of-text token."""
        chosen = self.tokens[prompt, answer][self.mask[prompt, answer]].tolist()
        return [token for token in chosen if token not in ends]


def sample(
    model: nn.Module,
    anatomy: Anatomy,
    prompts: Sequence[Sequence[int]],
    *,
    group: int,
    tokens: int,
    ends: Collection[int],
    seed: tuple[int, ...],
) -> Samples:
    """Draw `group` answers a prompt from the model's own distribution, at temperature 1.

    Args:
        model: the policy.
        anatomy: its family's record.
        prompts: token ids, any lengths.
        group: answers a prompt.
        tokens: most tokens of an answer.
        ends: the tokens that end one.
        seed: the draws depend on nothing else but the model and the prompts.

    Raises:
        UserError: the model's logits are not finite.
    """
    shape = (len(prompts), group, tokens)
    drawn = np.zeros(shape, dtype=np.int32)
    mask = np.zeros(shape, dtype=np.bool_)
    log_probs = np.zeros(shape, dtype=np.float32)
    rng = np.random.default_rng(seed)
    for rows in rows_by_length(prompts):
        batch = mx.array([list(prompts[row]) for row in rows])
        part = _sample_one_length(model, anatomy, batch, group, tokens, ends, rng)
        for whole, piece in zip((drawn, mask, log_probs), part, strict=True):
            whole[rows] = piece.reshape(len(rows), group, tokens)
    longest = max(int(mask.any(axis=(0, 1)).sum()), 1)
    return Samples(
        prompts=tuple(tuple(prompt) for prompt in prompts),
        tokens=drawn[:, :, :longest],
        mask=mask[:, :, :longest],
        log_probs=log_probs[:, :, :longest],
    )


def _sample_one_length(
    model: nn.Module,
    anatomy: Anatomy,
    batch: mx.array,
    group: int,
    tokens: int,
    ends: Collection[int],
    rng: np.random.Generator,
) -> tuple[Ints, Bools, Floats]:
    """Answers `[prompt · group, step]`, each distinct beginning read once."""
    count = batch.shape[0] * group
    drawn = np.zeros((count, tokens), dtype=np.int32)
    mask = np.zeros((count, tokens), dtype=np.bool_)
    log_probs = np.zeros((count, tokens), dtype=np.float32)
    cache = prompt_cache(model)
    states = residuals(model, anatomy, batch, cache)[-1][:, -1]
    alive = np.arange(count)
    node = alive // group
    for step in range(tokens):
        chosen, value = _draw(unembed(model, anatomy, states), node, rng)
        drawn[alive, step], log_probs[alive, step], mask[alive, step] = chosen, value, True
        goes_on = ~np.isin(chosen, list(ends))
        if step + 1 == tokens or not goes_on.any():
            break
        alive = alive[goes_on]
        pairs = np.stack([node[goes_on], chosen[goes_on]], axis=1)
        begun, node = np.unique(pairs, axis=0, return_inverse=True)
        cache = continued(cache, mx.array(begun[:, 0]))
        states = residuals(model, anatomy, mx.array(begun[:, 1:]), cache)[-1][:, -1]
    return drawn, mask, log_probs


def _draw(logits: mx.array, node: Rows, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """A token for each answer from its node's row of `logits`, and its log-probability.

    By inversion, in numpy: a Gumbel number for every answer and token, and mlx's exp() on a CPU,
    would cost more than the model's forward.
    """
    shifted = np.array(logits.astype(mx.float32))
    shifted -= shifted.max(axis=1, keepdims=True)
    heaps = np.cumsum(np.exp(shifted), axis=1, dtype=np.float64)
    totals = heaps[:, -1:]
    if not np.isfinite(totals).all():
        raise UserError(
            "the policy's logits are no longer finite: lower the learning rate, or check that the "
            "base model's own logits are finite"
        )
    # One sorted line for all rows: row i lies between i and i + 1.
    line = (heaps / totals + np.arange(len(heaps))[:, None]).ravel()
    at = np.searchsorted(line, node + rng.random(len(node)), side="right")
    chosen = at - node * shifted.shape[1]
    value = shifted[node, chosen] - np.log(totals[node, 0])
    return chosen.astype(np.int32), value.astype(np.float32)


def rows_by_length(prompts: Sequence[Sequence[int]]) -> list[list[int]]:
    """Indices of the prompts of each length, shortest first."""
    groups: dict[int, list[int]] = {}
    for index, prompt in enumerate(prompts):
        groups.setdefault(len(prompt), []).append(index)
    return [rows for _, rows in sorted(groups.items())]


def prompt_cache(model: nn.Module) -> list[Any]:
    """An empty cache a layer, of the family's own kind.

    Caches that keep everything are exchanged for mlx-lm's concatenating ones: those that grow in
    place reserve 256 positions, which for many short rows are mostly copies of zeros.
    """
    from mlx_lm.models.cache import ConcatenateKVCache, KVCache, make_prompt_cache

    concatenating: type[Any] = ConcatenateKVCache
    made = make_prompt_cache(model)
    return [concatenating() if type(layer) is KVCache else layer for layer in made]


def continued(cache: list[Any], rows: mx.array) -> list[Any]:
    """A copy of `cache` whose row i is the old row `rows[i]`; the old one stays as it is."""
    copies = [copy.copy(layer) for layer in cache]
    for layer in copies:
        layer.keys, layer.values = layer.keys[rows], layer.values[rows]
    return copies


def residuals(
    model: nn.Module, anatomy: Anatomy, tokens: mx.array, cache: list[Any]
) -> list[mx.array]:
    """The residual after each block `[batch, time, d]` for `tokens` that go on from `cache`."""
    with tapped(model, anatomy) as states:
        model(tokens, cache=cache)
    return states


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
    how many answers are the same, 0 of a label that only pads, and `which` `[prompt]` the prompts'
    indices in the samples.
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


UNIT = 64
"""Rows of a scoring come in half of this, or in multiples."""


def _repeated(indices: Rows) -> tuple[Rows, Bools]:
    """`indices` with the first one repeated, up to one of few sizes, and which are repetitions.

    A compiled step is traced anew for every shape, so there must be few.
    """
    size = -(-len(indices) // UNIT) * UNIT if len(indices) > UNIT // 2 else UNIT // 2
    repetition = np.arange(size) >= len(indices)
    return np.where(repetition, indices[0], np.pad(indices, (0, size - len(indices)))), repetition


def _scoring(samples: Samples, rows: list[int]) -> Scoring:
    """The distinct answers to prompts of one length: those of a group that are alike count once."""
    marked = np.where(samples.mask, samples.tokens, -1)[rows]
    groups = [np.unique(g, axis=0, return_index=True, return_counts=True)[1:] for g in marked]
    first, counts = (np.concatenate(parts) for parts in zip(*groups, strict=True))
    owner = np.repeat(np.arange(len(rows)), [len(found) for found, _ in groups])
    tokens = samples.tokens[rows][owner, first]
    lengths = samples.mask[rows][owner, first].sum(axis=1)
    widths = _widths(lengths)
    every, padding = _repeated(np.arange(len(widths)))
    labels = [np.stack([every, np.zeros_like(every), ~padding], axis=1)]  # (answer, step, counts)
    parts = []
    for width in np.unique(widths[widths > 0]).tolist():
        chosen, _ = _repeated(np.flatnonzero(widths == width))
        real = int((widths == width).sum())
        at = np.argwhere(np.arange(width) < lengths[chosen[:real]][:, None] - 1)
        which, padding = _repeated(np.arange(len(at)))
        at = at[which]
        fed = tokens[chosen][:, :width]
        part = Continuations(
            owner=mx.array(owner[chosen]),
            fed=mx.array(np.pad(fed, ((0, 0), (0, width - fed.shape[1])))),
            rows=mx.array(at[:, 0]),
            columns=mx.array(at[:, 1]),
        )
        parts.append(part)
        labels.append(np.stack([chosen[at[:, 0]], at[:, 1] + 1, ~padding], axis=1))
    answer, step, counted = np.concatenate(labels).T
    return Scoring(
        prompts=mx.array([list(samples.prompts[row]) for row in rows]),
        owner=mx.array(owner[every]),
        continuations=tuple(parts),
        targets=mx.array(tokens[answer, step]),
        places=np.stack([np.array(rows)[owner[answer]], first[answer], step], axis=1),
        counts=counts[answer] * counted,
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
