"""Random directions without preference: the chance beside every direction that means something."""

from __future__ import annotations

import numpy as np

_STREAM = 0x69736F


def isotropic(seed: int) -> np.random.Generator:
    """A generator whose normal rows are random directions, unrelated to any model of the lab.

    NumPy takes the seed (s, 0), from which the lab draws the weights of seed s, for s: rows drawn
    from s would be the weights' own first draws, which are the embedding's.
    """
    return np.random.default_rng((seed, _STREAM))
