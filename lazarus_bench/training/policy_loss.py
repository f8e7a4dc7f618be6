"""GRPO's formulas: advantages in a group, the clipped ratio, the k3 estimate of the divergence.

Sources: Shao et al. 2024, "DeepSeekMath", eqs. 3 and 4; Schulman et al. 2017 (the clip); Schulman
2020, "Approximating KL divergence" (k3); methods, *GRPO*.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lazarus_bench.backend import mx

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
