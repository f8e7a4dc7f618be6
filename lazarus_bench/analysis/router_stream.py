"""The strongest cosines of many directions with a vocabulary, streamed over blocks of both.

A vocabulary of 201,088 rows of 2,880 numbers is 2.3 GB in float32; here no more than a block of it
is ever cast, whatever holds it: an array in half precision, a file mapped into memory, or a
quantised layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError

Ints = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]
Rows = mx.array | npt.NDArray[Any] | nn.Module
"""Rows `[row, d]`: an array of any dtype, a memory-mapped one, or a layer, quantised or not."""

TOKENS = 4096
"""Unembedding rows held in float32 at a time: 47 MB at d = 2,880."""

DIRECTIONS = 1024
"""Directions against which they are held at a time: 17 MB of cosines."""


@dataclass(frozen=True, kw_only=True)
class Strongest:
    """The tokens nearest each direction `[direction, k]`, the nearest first, and their cosines."""

    tokens: Ints
    cosines: Singles


def row_count(rows: Rows) -> int:
    """Number of rows."""
    return int((rows.weight if isinstance(rows, nn.Module) else rows).shape[0])


def dense(rows: Rows, start: int, stop: int) -> mx.array:
    """Rows `start` to `stop` `[row, d]` in float32; nothing else of them is cast or dequantised."""
    if not isinstance(rows, nn.Module):
        return mx.array(rows[start:stop]).astype(mx.float32)
    if "scales" not in rows:
        return dense(rows.weight, start, stop)
    biases = rows.get("biases")
    whole: mx.array = mx.dequantize(
        rows.weight[start:stop],
        rows.scales[start:stop],
        None if biases is None else biases[start:stop],
        group_size=rows.group_size,
        bits=rows.bits,
        mode=rows.mode,
    )
    return whole.astype(mx.float32)


def unit(rows: mx.array) -> mx.array:
    """Rows `[row, d]` at length one; rows of zeros stay zero."""
    lengths = mx.linalg.norm(rows, axis=1, keepdims=True)
    return rows / mx.where(lengths > 0, lengths, 1.0)


def strongest(directions: npt.ArrayLike, unembedding: Rows, k: int) -> Strongest:
    """The `k` tokens of largest cosine with each direction (methods, *Router projection*).

    Args:
        directions: `[direction, d]`, of any length.
        unembedding: one row a token, of the same width.
        k: how many tokens; all of them where the vocabulary is smaller.

    Raises:
        UserError: `k` is below 1, or a cosine is not finite.
    """
    if k < 1:
        raise UserError(f"a projection keeps at least 1 token, not {k}")
    given = unit(mx.array(np.asarray(directions, dtype=np.float32)))
    best = _Best(len(given), min(k, row_count(unembedding)))
    for first, rows in _blocks(unembedding):
        for start in range(0, len(given), DIRECTIONS):
            best.take(start, first, np.array(given[start : start + DIRECTIONS] @ rows.T))
    return Strongest(tokens=best.tokens, cosines=best.cosines)


def _blocks(unembedding: Rows) -> Iterator[tuple[int, mx.array]]:
    """Unit rows of one block of tokens at a time, and the block's first token."""
    for start in range(0, row_count(unembedding), TOKENS):
        rows = unit(dense(unembedding, start, start + TOKENS))
        mx.eval(rows)
        yield start, rows


class _Best:
    """The largest cosines seen so far `[direction, k]`, in order; equal ones by token."""

    def __init__(self, directions: int, k: int) -> None:
        self.cosines: Singles = np.full((directions, k), -np.inf, dtype=np.float32)
        self.tokens: Ints = np.full((directions, k), -1, dtype=np.int64)

    def take(self, start: int, first: int, cosines: Singles) -> None:
        """Merge one block `[direction, token]` of the directions from `start` on.

        Raises:
            UserError: a cosine is not finite.
        """
        rows, k = slice(start, start + len(cosines)), self.tokens.shape[1]
        if not np.isfinite(cosines).all():
            raise UserError(
                "a gate or the unembedding is not finite: copy the model's weights again"
            )
        new = np.argpartition(cosines, max(cosines.shape[1] - k, 0), axis=1)[:, -k:]
        found = np.take_along_axis(cosines, new, axis=1)
        all_cosines = np.concatenate([self.cosines[rows], found], axis=1)
        all_tokens = np.concatenate([self.tokens[rows], new + first], axis=1)
        order = np.lexsort((all_tokens, -all_cosines), axis=1)[:, :k]
        self.cosines[rows] = np.take_along_axis(all_cosines, order, axis=1)
        self.tokens[rows] = np.take_along_axis(all_tokens, order, axis=1)
