"""How spread a distribution over tokens is, and how far two of them are apart, in bits.

Distributions are given as logarithms to base e, `log_softmax`'s, so that a token of no probability
to speak of costs no precision.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_BIT = np.log(2.0)


def log_softmax(logits: npt.ArrayLike) -> Floats:
    """Logits `[..., token]` as the logarithm of their softmax, in float64."""
    given = np.asarray(logits, dtype=np.float64)
    given = given - given.max(axis=-1, keepdims=True)
    return np.asarray(given - np.log(np.exp(given).sum(axis=-1, keepdims=True)))


def entropy(log_p: Floats) -> Floats:
    """−Σ p log₂ p over the last axis: 0 for one certain token, log₂ of their number at most."""
    return np.asarray(-_expected(log_p, log_p) / _BIT)


def kl(log_p: Floats, log_q: Floats) -> Floats:
    """D(p ‖ q) = Σ p log₂(p / q) over the last axis; infinite where q excludes what p has.

    Source: S. Kullback and R. Leibler, On information and sufficiency, Ann. Math. Statist. 22
    (1951).
    """
    with np.errstate(invalid="ignore"):
        ratio = log_p - log_q
    return np.asarray(np.maximum(_expected(log_p, ratio) / _BIT, 0.0))


def jensen_shannon(log_p: Floats, log_q: Floats) -> Floats:
    """½ D(p ‖ m) + ½ D(q ‖ m), m the mean of p and q, over the last axis: 0 to 1 bit, symmetric.

    Source: J. Lin, Divergence measures based on the Shannon entropy, IEEE Trans. Inf. Theory 37
    (1991).
    """
    middle = np.logaddexp(log_p, log_q) - _BIT
    return np.asarray(np.minimum((kl(log_p, middle) + kl(log_q, middle)) / 2, 1.0))


def _expected(log_p: Floats, values: Floats) -> Floats:
    """Mean of `values` under p; a token without probability counts nothing."""
    p = np.exp(log_p)
    return np.asarray(np.where(p > 0, p * np.where(p > 0, values, 0.0), 0.0).sum(axis=-1))
