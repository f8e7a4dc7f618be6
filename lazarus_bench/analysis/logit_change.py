"""How far a training moved the logits, and what is left of it. No mlx here."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def change_kept(kept: Floats, whole: Floats, base: Floats) -> Floats:
    """How much of the way from `base` to `whole` the logits of `kept` go, `[prompt]`.

    ⟨kept − base, whole − base⟩ / ‖whole − base‖²: 1 where nothing is lost, 0 where what is left has
    nothing to do with it. All are `[prompt, token]`; what all tokens share does not count, as it
    changes no probability.

    Raises:
        ValueError: `whole` is `base` on a prompt.
    """
    change, left = _centred(whole - base), _centred(kept - base)
    size: Floats = (change**2).sum(axis=1)
    if not size.all():
        raise ValueError("there is no change of which a share could be kept")
    share: Floats = (left * change).sum(axis=1) / size
    return share


def change_size(changed: Floats, base: Floats) -> Floats:
    """Root mean square over tokens of changed − base, without what all tokens share `[prompt]`."""
    size: Floats = np.sqrt((_centred(changed - base) ** 2).mean(axis=1))
    return size


def _centred(logits: Floats) -> Floats:
    centred: Floats = logits - logits.mean(axis=1, keepdims=True)
    return centred
