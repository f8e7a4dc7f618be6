"""A model's tokens as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lazarus_bench.report import printed
from lazarus_bench.report.escaping import visible

if TYPE_CHECKING:
    from lazarus_bench.models.load import LoadedModel

_BEFORE = "a"
"""A text to decode tokens behind."""

Strings = npt.NDArray[np.object_]


def words(loaded: LoadedModel, ids: npt.NDArray[np.int64]) -> Strings:
    """The text of every id, in an array of the same shape; each id is decoded once.

    A tokenizer such as SentencePiece's leaves out the blank that a text begins with, and with it
    the difference between two tokens: each is decoded behind another, whose text is taken off.
    """
    known, places = np.unique(ids, return_inverse=True)
    before = list(loaded.tokenizer.encode(_BEFORE, add_special_tokens=False))
    texts = np.array([following(loaded, before, [token]) for token in known], dtype=np.object_)
    return np.asarray(texts[places].reshape(ids.shape))


def following(loaded: LoadedModel, before: Sequence[int], ids: Sequence[int]) -> str:
    """The text of `ids` as it follows that of `before`, with the blank that stands between them."""
    decode = loaded.tokenizer.decode
    after = [int(token) for token in ids]
    start, whole = decode(list(before)), decode([*before, *after])
    return whole.removeprefix(start) if whole.startswith(start) else decode(after)


def named(token: str) -> str:
    """A token as a table names it: blanks show as ␣, control characters as escapes."""
    return visible(token)


def head(tokens: Iterable[str], probability: Iterable[float]) -> list[str]:
    """Tokens with their probabilities, a cell each."""
    pairs = zip(tokens, probability, strict=True)
    return [f"{named(token)} {printed.number(float(p))}" for token, p in pairs]
