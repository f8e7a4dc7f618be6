"""Directions of the residual stream against the vocabulary: which words they point at, if any.

`strongest` streams over blocks of directions and of the vocabulary: 201,088 rows of 2,880 numbers
are 2.3 GB in float32, and no more than a block of them is ever cast, whatever holds them: an array
in half precision, a file mapped into memory, or a quantised layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lazarus_bench.analysis.measured import Floats, Ints, Measured, Singles
from lazarus_bench.analysis.nulls import isotropic
from lazarus_bench.analysis.probe_prompts import ProbePrompts
from lazarus_bench.analysis.prompts import MAX_LOGITS
from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.models.anatomy import head
from lazarus_bench.models.anatomy import part as part_of
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.prompts import WordTokens, word_tokens

Rows = mx.array | npt.NDArray[Any] | nn.Module
"""Rows `[row, d]`: an array of any dtype, a memory-mapped one, or a layer, quantised or not."""

TOKENS = 4096
"""Unembedding rows held in float32 at a time: 47 MB at d = 2,880."""

DIRECTIONS = 1024
"""Directions against which they are held at a time: 17 MB of cosines."""

TOP = 30
"""Tokens listed at either end."""

RANDOM_DIRECTIONS = 1000


@dataclass(frozen=True, kw_only=True)
class WordsInDirection:
    """Where declared words stand among all tokens, ordered by their cosine with a direction.

    `rank` `[word]` is the bare token's, 1 the most positive of `vocabulary`; `z` `[word]` its
    cosine in standard deviations over random directions. `hits` counts the words of which any
    variant is among the `TOP` tokens at either end, `random_hits` `[draw]` the same for random
    directions.
    """

    words: tuple[WordTokens, ...]
    vocabulary: int
    rank: Ints
    z: Floats
    hits: int
    random_hits: Ints

    @property
    def percentile(self) -> Floats:
        """Share of the vocabulary that ranks before the word `[word]`, in (0, 1)."""
        return np.asarray((self.rank - 0.5) / self.vocabulary)

    @property
    def end_distance(self) -> Floats:
        """Share of the vocabulary between the word and the nearer end `[word]`, at most ½."""
        return np.minimum(self.percentile, 1 - self.percentile)

    @property
    def p_value(self) -> float:
        """Chance that a random direction hits at least as many words."""
        reached = int((self.random_hits >= self.hits).sum())
        return (1 + reached) / (1 + len(self.random_hits))


def known_words(loaded: LoadedModel, words: Sequence[str]) -> tuple[WordTokens, ...]:
    """Those of `words` that are single tokens here.

    Raises:
        NotApplicable: none of them is.
    """
    found: list[WordTokens] = []
    for word in words:
        try:
            found.append(word_tokens(loaded.tokenizer, word))
        except NotApplicable:
            continue
    if not found:
        raise NotApplicable(f"none of {', '.join(words)} is a single token in this tokenizer")
    return tuple(found)


def unit_rows(loaded: LoadedModel) -> mx.array:
    """Every row of the unembedding at length one `[token, d]`, in float32; zero rows stay zero.

    Raises:
        UserError: a row is not finite.
    """
    module, _ = head(loaded.model, loaded.anatomy)
    rows = dense(module, 0, row_count(module))
    if not mx.isfinite(rows).all():
        raise UserError(f"{loaded.name}: its unembedding is not finite: copy its weights again")
    return unit(rows)


def unit_directions(loaded: LoadedModel, vectors: npt.ArrayLike, normed: bool = False) -> mx.array:
    """Vectors `[vector, d]` at length one; `normed` passes them through the final norm first.

    The norm weighs their coordinates by its gain, as a lens does.

    Raises:
        UserError: a vector is of another width than the model's states, zero, or not finite.
    """
    given = np.atleast_2d(np.asarray(vectors, dtype=np.float32))
    width = int(part_of(loaded.model, loaded.anatomy.norm).weight.shape[0])
    good = given.shape[1] == width and np.isfinite(given).all() and np.abs(given).max(axis=1).all()
    if not good:
        raise UserError(
            f"{loaded.name}: a direction is a vector of {width} finite numbers, not all zero"
        )
    # A vector has no length of its own here, and the norm's epsilon would shrink a short one.
    level = mx.array(given / np.sqrt((given**2).mean(axis=1, keepdims=True)))
    if normed:
        level = part_of(loaded.model, loaded.anatomy.norm)(level).astype(mx.float32)
    return level / mx.linalg.norm(level, axis=1, keepdims=True)


def words_in_direction(
    loaded: LoadedModel,
    direction: npt.ArrayLike,
    words: Sequence[WordTokens],
    normed: bool = False,
    draws: int = RANDOM_DIRECTIONS,
    seed: int = 0,
) -> WordsInDirection:
    """Rank `words` along a direction `[d]`, beside `draws` random isotropic ones.

    Raises:
        UserError: as `unit_directions` and `unit_rows`.
    """
    rows, bare = unit_rows(loaded), np.array([word.bare for word in words])
    own = np.array(unit_directions(loaded, direction, normed) @ rows.T)
    k = min(TOP, own.shape[1] // 2)
    rng, size, parts = isotropic(seed), max(1, MAX_LOGITS // rows.shape[0]), []
    for start in range(0, draws, size):
        drawn = rng.normal(size=(min(size, draws - start), rows.shape[1]))
        cosines = np.array(unit_directions(loaded, drawn, normed) @ rows.T)
        parts.append((cosines[:, bare], _hits(cosines, words, k)))
    chance, random_hits = (np.concatenate(found) for found in zip(*parts, strict=True))
    return WordsInDirection(
        words=tuple(words),
        vocabulary=own.shape[1],
        rank=_ranks(own, bare)[0],
        z=own[0, bare] / chance.std(axis=0, dtype=np.float64),
        hits=int(_hits(own, words, k)[0]),
        random_hits=random_hits,
    )


def _ranks(cosines: Singles, tokens: Ints) -> Ints:
    """Rank of `tokens` in each row `[row, token]`; 1 is the most positive."""
    above = [(cosines > cosines[:, token, None]).sum(axis=1) for token in tokens]
    return 1 + np.stack(above, axis=1)


def _hits(cosines: Singles, words: Sequence[WordTokens], k: int) -> Ints:
    """How many words have a variant among the `k` tokens at either end `[row]`."""
    found = np.zeros(len(cosines), dtype=np.int64)
    for word in words:
        ranks = _ranks(cosines, np.array(word.variants))
        found += ((ranks <= k) | (ranks > cosines.shape[1] - k)).any(axis=1)
    return found


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
    return dequantised(rows, slice(start, stop))


def dequantised(layer: nn.Module, chosen: Any) -> mx.array:
    """The weights of a quantised layer at the indices `chosen`, in float32."""
    biases = layer.get("biases")
    weights: mx.array = mx.dequantize(
        layer.weight[chosen],
        layer.scales[chosen],
        None if biases is None else biases[chosen],
        group_size=layer.group_size,
        bits=layer.bits,
        mode=layer.mode,
    )
    return weights.astype(mx.float32)


def unit(rows: mx.array) -> mx.array:
    """Rows `[row, d]` at length one; rows of zeros stay zero."""
    lengths = mx.linalg.norm(rows, axis=1, keepdims=True)
    return rows / mx.where(lengths > 0, lengths, 1.0)


def strongest(directions: npt.ArrayLike, unembedding: Rows, k: int) -> Strongest:
    """The `k` tokens of largest cosine with each direction (methods, *Router projection*).

    `directions` are `[direction, d]`, of any length; `unembedding` has one row a token. A smaller
    vocabulary is given whole.

    Raises:
        UserError: `k` is below 1, or a cosine is not finite.
    """
    if k < 1:
        raise UserError(f"a projection keeps at least 1 token, not {k}")
    given = unit(mx.array(np.asarray(directions, dtype=np.float32)))
    k = min(k, row_count(unembedding))
    best: Singles = np.full((len(given), k), -np.inf, dtype=np.float32)
    tokens: Ints = np.full((len(given), k), -1, dtype=np.int64)
    for first in range(0, row_count(unembedding), TOKENS):
        rows = unit(dense(unembedding, first, first + TOKENS))
        mx.eval(rows)
        for start in range(0, len(given), DIRECTIONS):
            cosines = np.array(given[start : start + DIRECTIONS] @ rows.T)
            if not np.isfinite(cosines).all():
                raise UserError(
                    "a gate or the unembedding is not finite: copy the model's weights again"
                )
            part = slice(start, start + len(cosines))
            new = np.argpartition(cosines, max(cosines.shape[1] - k, 0), axis=1)[:, -k:]
            found = np.take_along_axis(cosines, new, axis=1)
            all_cosines = np.concatenate([best[part], found], axis=1)
            all_tokens = np.concatenate([tokens[part], new + first], axis=1)
            order = np.lexsort((all_tokens, -all_cosines), axis=1)[:, :k]  # Equal ones by token.
            best[part] = np.take_along_axis(all_cosines, order, axis=1)
            tokens[part] = np.take_along_axis(all_tokens, order, axis=1)
    return Strongest(tokens=tokens, cosines=best)


def words_along_probe(
    run: Measured,
    prompts: ProbePrompts,
    layer: int,
    between: tuple[str, str],
    words: Sequence[str],
    normed: bool = False,
) -> WordsInDirection:
    """Where `words` stand along w_a − w_b of a probe fitted on all prompts at `layer`.

    a and b are the classes `between`. Words that are no single token are left out; `normed` passes
    the direction through the final norm first.

    Raises:
        NotApplicable: no word is a single token.
    """
    from lazarus_bench.analysis.probe import class_weights  # scikit-learn takes a second to import

    first, second = map(prompts.classes.index, between)
    weights = class_weights(run.states(prompts.texts)[:, layer], prompts.labels)
    known = known_words(run.loaded, words)
    return words_in_direction(run.loaded, weights[first] - weights[second], known, normed)
