"""The logit lens: what each layer would say if it were the last (nostalgebraist 2020).

p = softmax(scale · unembed(final_norm(h))) in float32 over the whole vocabulary, h the residual
stream after block l at the last prompt position (methods, *Lens*). Layer l is 0-based, "after block
l"; the last layer's lens equals the model's logits.

Two quirks are the lens's own: under "non-causal-lens" the layers are called without a mask, under
"bf16-lens" probabilities are rounded to bfloat16.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lazarus_bench.analysis.largest import Floats32, largest
from lazarus_bench.backend import EXP, mx, on_accelerator
from lazarus_bench.errors import UserError
from lazarus_bench.exponentials import log_sum_exp, log_sum_exp_of, row_blocks
from lazarus_bench.models.anatomy import part, unembed
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.taps import residual_stream

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MAX_LOGITS = 1 << 25
"""Most logits held at once (prompts × vocabulary of one layer): 128 MiB in float32."""


@dataclass(frozen=True, kw_only=True)
class LensReading:
    """Lens probabilities at the last prompt position.

    `probability` `[prompt, layer, target]` of the asked tokens; `top_ids` and `top_probability`
    `[prompt, layer, k]`, most probable first.
    """

    probability: Floats
    top_ids: Ints
    top_probability: Floats


def batches_by_length(
    prompts: Sequence[Sequence[int]], limit: int
) -> Iterator[tuple[list[int], mx.array]]:
    """Indices and tokens `[batch, time]` of prompts of one length, at most `limit` at a time."""
    groups: dict[int, list[int]] = defaultdict(list)
    for index, prompt in enumerate(prompts):
        groups[len(prompt)].append(index)
    for _, indices in sorted(groups.items()):
        for start in range(0, len(indices), limit):
            chosen = indices[start : start + limit]
            yield chosen, mx.array([list(prompts[i]) for i in chosen])


def check_tokens(loaded: LoadedModel, prompts: Sequence[Sequence[int]]) -> None:
    """Make sure that every token of `prompts` has an embedding: MLX reads past the end for others.

    Raises:
        UserError: one has none.
    """
    known = int(part(loaded.model, loaded.anatomy.embedding).weight.shape[0])
    for token in {token for prompt in prompts for token in prompt}:
        if not 0 <= token < known:
            raise UserError(f"{loaded.name}: there is no token {token}: choose 0 to {known - 1}")


def _read_layer(logits: mx.array, targets: Ints, top: int) -> tuple[Floats, Ints, Floats]:
    """One layer: probabilities of `targets` `[batch, target]` and the `top` most probable."""
    logits = logits.astype(mx.float32)
    if EXP != "numpy" or on_accelerator():
        return _read_by_mlx(logits, mx.array(targets), top)
    values = np.asarray(logits)
    parts = [
        _read_rows(values[rows], targets[rows], top) for rows in row_blocks(*values.shape)
    ]  # so few rows that what is made of them stays in a core's cache
    wanted, ids, best = (np.concatenate(part) for part in zip(*parts, strict=True))
    return np.exp(wanted), ids, np.exp(best)


def _read_rows(values: Floats32, targets: Ints, top: int) -> tuple[Floats, Ints, Floats]:
    """Logarithms of the probabilities; the logits `[row, token]` are numpy's own."""
    ids = largest(values, top)
    best = np.take_along_axis(values, ids, axis=1)
    log_z = log_sum_exp_of(values, best[:, :1])
    wanted = np.take_along_axis(values, targets, axis=1) - log_z
    return wanted.astype(np.float64), ids, (best - log_z).astype(np.float64)


def _read_by_mlx(logits: mx.array, targets: mx.array, top: int) -> tuple[Floats, Ints, Floats]:
    """The same where mlx computes on an accelerator, or was told to by itself."""
    log_z = log_sum_exp(logits)
    wanted = mx.take_along_axis(logits, targets, axis=-1) - log_z
    best = mx.argpartition(-logits, top - 1, axis=-1)[:, :top]
    best_logits = mx.take_along_axis(logits, best, axis=-1)
    order = mx.argsort(-best_logits, axis=-1)
    ids = mx.take_along_axis(best, order, axis=-1)
    values = mx.take_along_axis(best_logits, order, axis=-1) - log_z
    mx.eval(wanted, ids, values)
    return (
        np.exp(np.array(wanted, dtype=np.float64)),
        np.array(ids, dtype=np.int64),
        np.exp(np.array(values, dtype=np.float64)),
    )


def read_lens(
    loaded: LoadedModel, prompts: Sequence[Sequence[int]], targets: Ints, top: int = 20
) -> LensReading:
    """Read every layer in one forward a batch, one layer's logits at a time.

    Args:
        loaded: the model.
        prompts: token ids, any lengths.
        targets: token ids to report `[prompt, target]`.
        top: how many of the most probable tokens to keep.

    Raises:
        UserError: a token of a prompt is not in the vocabulary.
    """
    shape = (len(prompts), loaded.depth)
    probability = np.zeros((*shape, targets.shape[1]))
    top_ids = np.zeros((*shape, top), dtype=np.int64)
    top_probability = np.zeros((*shape, top))
    for rows, layer, logits in lens_logits(loaded, prompts):
        reading = _read_layer(logits, targets[rows], top)
        probability[rows, layer], top_ids[rows, layer], top_probability[rows, layer] = reading
        del logits  # so that the next layer's take its place
    if loaded.quirk == "bf16-lens":
        probability, top_probability = in_bfloat16(probability), in_bfloat16(top_probability)
    return LensReading(probability=probability, top_ids=top_ids, top_probability=top_probability)


def lens_logits(
    loaded: LoadedModel, prompts: Sequence[Sequence[int]]
) -> Iterator[tuple[list[int], int, mx.array]]:
    """Some prompts' indices, a layer, and the logits `[prompt, token]` there, until all are read.

    One forward a batch, one layer's logits at a time; the order depends on the prompts alone.

    Raises:
        UserError: a token of a prompt is not in the vocabulary.
    """
    check_tokens(loaded, prompts)
    causal = loaded.quirk != "non-causal-lens"
    for rows, tokens in batches_by_length(prompts, max(1, MAX_LOGITS // _vocabulary(loaded))):
        residuals = residual_stream(loaded.model, loaded.anatomy, tokens, causal=causal)
        states = [h[:, -1, :] for h in residuals]
        mx.eval(states)
        for layer, state in enumerate(states):
            yield rows, layer, unembed(loaded.model, loaded.anatomy, state)


def in_bfloat16(values: Floats) -> Floats:
    """The nearest bfloat16 numbers: eight significant bits, so two decimal digits."""
    rounded = mx.array(values.astype(np.float32)).astype(mx.bfloat16).astype(mx.float32)
    return np.array(rounded, dtype=np.float64)


def total_variation(
    one: LoadedModel, other: LoadedModel, prompts: Sequence[Sequence[int]]
) -> Floats:
    """½ Σ |p − q| over the vocabulary, p and q the lenses of two models, `[prompt, layer]`.

    0 where they agree, 1 where no token has probability in both. The models have the same
    vocabulary and as many layers.

    Raises:
        UserError: a token of a prompt is not in the vocabulary.
    """
    distance = np.zeros((len(prompts), one.depth))
    pairs = zip(lens_logits(one, prompts), lens_logits(other, prompts), strict=True)
    for (rows, layer, first), (_, _, second) in pairs:
        p, q = (mx.softmax(logits.astype(mx.float32), axis=-1) for logits in (first, second))
        distance[rows, layer] = np.array(mx.abs(p - q).sum(axis=-1) / 2)
    return distance


def _vocabulary(loaded: LoadedModel) -> int:
    return int(loaded.config.get("vocab_size", 1 << 17))
