"""GRPO's formulas: advantages in a group, the clipped ratio, the k3 estimate of the divergence.

Sources: Shao et al. 2024, "DeepSeekMath", eqs. 3 and 4; Schulman et al. 2017 (the clip); Schulman
2020, "Approximating KL divergence" (k3); methods, *GRPO*.

The quirk "unbounded-kl" is what public code minimises in the place of a divergence: the mean over
answers of the mean of log p − log p_ref in nats over the tokens of prompt and answer. Its
expectation under p is the divergence, but its gradient pushes log p down on whatever was sampled,
and nothing bounds that from below (one source prints −420).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from lazarus_bench.backend import mx, nn
from lazarus_bench.models.adapters import without_adapter
from lazarus_bench.models.anatomy import Anatomy, unembed
from lazarus_bench.models.taps import residual_stream

if TYPE_CHECKING:
    from lazarus_bench.training.rollouts import Rollouts
    from lazarus_bench.training.sampling import Scoring

Floats = npt.NDArray[np.float64]

EPSILON = 1e-4
"""Added to a group's standard deviation; a group that agrees has advantage 0 whatever it is."""


def advantages(rewards: Floats) -> Floats:
    """(r − mean) / (std + ε) within each group; `rewards` and result `[prompt, answer]`."""
    centred = rewards - rewards.mean(axis=1, keepdims=True)
    spread = rewards.std(axis=1, keepdims=True)
    agreed = np.ptp(rewards, axis=1, keepdims=True) == 0
    scaled: Floats = np.where(agreed, 0.0, centred / (spread + EPSILON))
    return scaled


def k3(log_p: mx.array, reference: mx.array) -> mx.array:
    """exp(d) − d − 1 with d = log p_ref − log p: never negative, in nats, elementwise."""
    d = reference - log_p
    # expm1 keeps the digits that exp(d) − 1 loses near 0; the maximum takes off its rounding.
    return mx.maximum(mx.expm1(d) - d, 0.0)


def clipped_gain(log_p: mx.array, old: mx.array, advantage: mx.array, clip: float) -> mx.array:
    """min(ρ A, clip(ρ, 1 − ε, 1 + ε) A), ρ the ratio to the sampling policy, elementwise."""
    ratio = mx.exp(log_p - old)
    return mx.minimum(ratio * advantage, mx.clip(ratio, 1 - clip, 1 + clip) * advantage)


def clipped_share(
    log_p: mx.array, old: mx.array, advantage: mx.array, weight: mx.array, clip: float
) -> mx.array:
    """Share by `weight` of what has an advantage whose clipped gain has no gradient; 0 of nothing.

    The gain is flat where the ratio lies beyond the clip on the advantage's own side.
    """
    ratio = mx.exp(log_p - old)
    flat = mx.where(advantage > 0, ratio > 1 + clip, ratio < 1 - clip)
    counted = weight * (advantage != 0)
    return mx.stop_gradient((counted * flat).sum() / mx.maximum(counted.sum(), 1e-12))


def batch_entropy(logits: mx.array) -> mx.array:
    """Entropy in nats of the mean distribution over the rows of `logits` `[prompt, token]`."""
    mean = mx.softmax(logits, axis=-1).mean(axis=0)
    return -(mean * mx.log(mx.maximum(mean, 1e-30))).sum()


Drift: TypeAlias = "Callable[[nn.Module, Rollouts, mx.array, Sequence[mx.array]], mx.array]"
"""Of the policy, its rollouts, the log-probabilities of their labels `[label]` and the last
residuals of the prompts of each scoring `[prompt, time, d]`: the term, a scalar."""


def drift_from(reference: nn.Module, anatomy: Anatomy) -> Drift:
    """The term against the frozen `reference`, of whose adapter, if it has one, nothing counts."""

    def drift(
        model: nn.Module, rollouts: Rollouts, log_p: mx.array, prompts: Sequence[mx.array]
    ) -> mx.array:
        of_labels, *of_prompts = rollouts.sequence_weights
        total = (of_labels * (log_p - rollouts.labels.reference)).sum()
        for scoring, states, each in zip(rollouts.scorings, prompts, of_prompts, strict=True):
            with without_adapter(reference):
                frozen = residual_stream(reference, anatomy, scoring.prompts)[-1]
                before = mx.stop_gradient(_log_probs(reference, anatomy, scoring, frozen))
            gap = _log_probs(model, anatomy, scoring, states) - before
            total = total + (each * gap.sum(axis=1)).sum()
        return total

    return drift


def _log_probs(model: nn.Module, anatomy: Anatomy, scoring: Scoring, states: mx.array) -> mx.array:
    """Log-probability in nats of each prompt token but the first `[prompt, time − 1]`."""
    logits = unembed(model, anatomy, states[:, :-1]).astype(mx.float32)
    chosen = mx.take_along_axis(logits, scoring.prompts[:, 1:, None], axis=-1)[..., 0]
    return chosen - mx.logsumexp(logits, axis=-1)
