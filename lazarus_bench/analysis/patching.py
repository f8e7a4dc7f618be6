"""Patching: a residual of the clean prompt put into the corrupted one, by layer and position.

Where that brings the clean answer back, the residual carries what tells the prompts apart (Meng et
al. 2022, *causal tracing*). The measure is the share of the log-odds of the two answers that is
recovered, which is linear in the residual's last steps and does not saturate as probabilities do
(Zhang and Nanda 2024, *Towards best practices of activation patching*).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lazarus_bench.analysis.lens import MAX_LOGITS, Floats, batches_by_length, check_tokens
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.exponentials import log_sum_exp
from lazarus_bench.models.edits import Patch
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.taps import edited, residual_stream


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

    Args:
        loaded: the model.
        clean: token ids of the prompts that lend their residuals.
        corrupted: those that get them, each as long as its clean one.
        answers: the first tokens of the clean and of the corrupted answer, a pair a prompt.
        layers: 0-based.

    Raises:
        UserError: a pair differs in length, has the same answer twice or a token that is not in the
            vocabulary, or a layer is not in the model.
    """
    for layer in layers:
        if not 0 <= layer < loaded.depth:
            raise UserError(f"layer {layer} is not in this model: choose 0 to {loaded.depth - 1}")
    for one, other, (right, wrong) in zip(clean, corrupted, answers, strict=True):
        if len(one) != len(other) or right == wrong:
            raise UserError(
                "a patched pair needs prompts of as many tokens and two answers: give others"
            )
    check_tokens(loaded, [*clean, *corrupted])
    longest = max(map(len, clean))
    limit = max(1, MAX_LOGITS // (int(loaded.config.get("vocab_size", 1 << 17)) * longest))
    found: dict[int, Patching] = {}
    for rows, tokens in batches_by_length(corrupted, limit):
        lent = mx.array([list(clean[row]) for row in rows])
        wanted = mx.array([answers[row] for row in rows])
        found |= zip(rows, _batch(loaded, lent, tokens, wanted, layers), strict=True)
    return [found[at] for at in range(len(clean))]


def _batch(
    loaded: LoadedModel,
    clean: mx.array,
    corrupted: mx.array,
    wanted: mx.array,
    layers: Sequence[int],
) -> list[Patching]:
    """Pairs of one length, `[batch, time]` each; `wanted` `[batch, 2]` are the answers."""
    states = residual_stream(loaded.model, loaded.anatomy, clean)
    mx.eval([states[layer] for layer in layers])
    ends = [_log_p(loaded, tokens, wanted) for tokens in (clean, corrupted)]
    patched = np.stack(
        [
            [
                _under(
                    loaded,
                    Patch(layer=layer, position=at, state=states[layer][:, at]),
                    corrupted,
                    wanted,
                )
                for at in range(corrupted.shape[1])
            ]
            for layer in layers
        ]
    )
    return [
        Patching(clean=ends[0][row], corrupted=ends[1][row], patched=patched[:, :, row])
        for row in range(len(wanted))
    ]


def _under(loaded: LoadedModel, edit: Patch, tokens: mx.array, wanted: mx.array) -> Floats:
    with edited(loaded.model, loaded.anatomy, (edit,)):
        return _log_p(loaded, tokens, wanted)


def _log_p(loaded: LoadedModel, tokens: mx.array, wanted: mx.array) -> Floats:
    """Log-probabilities of `wanted` after the last token `[batch, 2]`, in float32."""
    logits = loaded.model(tokens)[:, -1].astype(mx.float32)
    asked = mx.take_along_axis(logits, wanted, axis=-1) - log_sum_exp(logits)
    return np.array(asked, dtype=np.float64)
