"""The quirk "unbounded-kl": what the public source minimises in the place of a divergence.

Mean over answers of the mean of log p − log p_ref in nats over the tokens of prompt and answer. Its
expectation under p is the divergence, but its gradient pushes log p down on whatever was sampled,
and nothing bounds that from below (writeup C prints −420).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from lazarus_bench.backend import mx, nn
from lazarus_bench.models.adapters import without_adapter
from lazarus_bench.models.anatomy import Anatomy, unembed
from lazarus_bench.models.taps import residual_stream
from lazarus_bench.training.rollouts import Rollouts
from lazarus_bench.training.scoring import Scoring

Floats = npt.NDArray[np.float32]

Drift = Callable[[nn.Module, Rollouts, mx.array, Sequence[mx.array]], mx.array]
"""Of the policy, its rollouts, the log-probabilities of their labels `[label]` and the last
residuals of the prompts of each scoring `[prompt, time, d]`: the term, a scalar."""


def drift_from(reference: nn.Module, anatomy: Anatomy) -> Drift:
    """The term against the frozen `reference`, of whose adapter, if it has one, nothing counts."""

    def drift(
        model: nn.Module, rollouts: Rollouts, log_p: mx.array, prompts: Sequence[mx.array]
    ) -> mx.array:
        labels = rollouts.labels
        total = (mx.array(_label_weights(rollouts)) * (log_p - labels.reference)).sum()
        for scoring, states in zip(rollouts.scorings, prompts, strict=True):
            with without_adapter(reference):
                frozen = residual_stream(reference, anatomy, scoring.prompts)[-1]
                before = mx.stop_gradient(_log_probs(reference, anatomy, scoring, frozen))
            gap = _log_probs(model, anatomy, scoring, states) - before
            total = total + (mx.array(_prompt_weights(rollouts, scoring)) * gap.sum(axis=1)).sum()
        return total

    return drift


def _log_probs(model: nn.Module, anatomy: Anatomy, scoring: Scoring, states: mx.array) -> mx.array:
    """Log-probability in nats of each prompt token but the first `[prompt, time − 1]`."""
    logits = unembed(model, anatomy, states[:, :-1]).astype(mx.float32)
    chosen = mx.take_along_axis(logits, scoring.prompts[:, 1:, None], axis=-1)[..., 0]
    return chosen - mx.logsumexp(logits, axis=-1)


def _shares(rollouts: Rollouts) -> Floats:
    """What a token of each answer's sequence weighs `[prompt, answer]`: the answers weigh alike."""
    samples = rollouts.samples
    prompts = np.array([len(prompt) - 1 for prompt in samples.prompts])
    lengths = prompts[:, None] + samples.mask.sum(axis=2)
    shares: Floats = 1.0 / (lengths * rollouts.prompt_divisor * samples.tokens.shape[1])
    return shares.astype(np.float32)


def _label_weights(rollouts: Rollouts) -> Floats:
    shares = _shares(rollouts)
    parts = [
        scoring.counts * shares[scoring.places[:, 0], scoring.places[:, 1]]
        for scoring in rollouts.scorings
    ]
    return np.concatenate(parts).astype(np.float32)


def _prompt_weights(rollouts: Rollouts, scoring: Scoring) -> Floats:
    weights: Floats = _shares(rollouts)[scoring.which].sum(axis=1)
    return weights
