"""A model's tokens as text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lazarus_bench.report import printed
from lazarus_bench.report.escaping import visible

if TYPE_CHECKING:
    from lazarus_bench.models.load import LoadedModel

Strings = npt.NDArray[np.object_]


def words(loaded: LoadedModel, ids: npt.NDArray[np.int64]) -> Strings:
    """The text of every id, in an array of the same shape; each id is decoded once."""
    known, places = np.unique(ids, return_inverse=True)
    texts = np.array([loaded.tokenizer.decode([int(token)]) for token in known], dtype=np.object_)
    return np.asarray(texts[places].reshape(ids.shape))


def named(token: str) -> str:
    """A token as a table names it: blanks show as ␣, control characters as escapes."""
    return visible(token)


def head(tokens: Iterable[str], probability: Iterable[float]) -> list[str]:
    """Tokens with their probabilities, a cell each."""
    pairs = zip(tokens, probability, strict=True)
    return [f"{named(token)} {printed.number(float(p))}" for token, p in pairs]
