"""Gates of a mixture of experts against the vocabulary: which words each expert's row points at.

cos(gate row, unembedding row) for every expert and token, as the writeups have it: the gate's bias
and the norms before either matrix are left out (methods, *Router projection*).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lazarus_bench.analysis.axes import ExpertCosines, ExpertHits
from lazarus_bench.analysis.isotropic import isotropic
from lazarus_bench.analysis.measured import Measured
from lazarus_bench.analysis.router_null import ExtremeNull
from lazarus_bench.analysis.router_stream import Rows, dense, row_count, strongest
from lazarus_bench.analysis.vocabulary import known_words
from lazarus_bench.analysis.word_classes import GENERAL, category
from lazarus_bench.backend import nn
from lazarus_bench.errors import NotApplicable
from lazarus_bench.models.anatomy import blocks, head, router
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.words import WordTokens

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]

TOP = 20
"""Tokens kept for each expert. The writeup prints three or four of a number it does not state; 20
is what the writeups keep elsewhere (A's substring rule)."""


@dataclass(frozen=True, kw_only=True)
class Gates:
    """Every gate row of a model, `rows` `[row, d]`, and whose it is: `layer`, `expert` `[row]`."""

    layer: Ints
    expert: Ints
    rows: Singles


@dataclass(frozen=True, kw_only=True)
class RouterProjection:
    """The tokens that gate rows, or random rows in their place, are nearest to.

    `layer` and `expert` `[row]` are 0-based; `tokens` and `cosines` `[row, k]`, the nearest token
    first; `categories` `[row]` the class that at least half of a row's tokens fall into.
    """

    layer: Ints
    expert: Ints
    tokens: Ints
    cosines: Singles
    categories: tuple[str, ...]

    @property
    def scores(self) -> ExpertCosines:
        """Largest cosine over the vocabulary `[row]`."""
        return np.asarray(self.cosines[:, 0], dtype=np.float64)

    @property
    def semantic(self) -> ExpertHits:
        """Whether a row has a category other than GENERAL `[row]`."""
        return np.array([name != GENERAL for name in self.categories])

    def names(self, words: Sequence[WordTokens]) -> ExpertHits:
        """Whether a row has any spelling of any of `words` among its tokens `[row]`."""
        wanted = [token for word in words for token in word.variants]
        return np.asarray(np.isin(self.tokens, wanted).any(axis=1))

    def by_layer(self, values: npt.ArrayLike) -> Floats:
        """Mean over the experts of each layer `[layer]` of `values` `[row]`."""
        given = np.asarray(values, dtype=np.float64)
        return np.array([given[self.layer == layer].mean() for layer in np.unique(self.layer)])


def routed_layers(loaded: LoadedModel) -> dict[int, nn.Module]:
    """The gate of every layer that has one; some families keep a few layers dense.

    Raises:
        NotApplicable: the model is dense.
    """
    every = enumerate(blocks(loaded.model, loaded.anatomy))
    gates_of = {layer: router(block, loaded.anatomy) for layer, block in every}
    found = {layer: gate for layer, gate in gates_of.items() if gate is not None}
    if not found:
        family = loaded.config.get("model_type")
        raise NotApplicable(
            f"{loaded.name} has no router, its {family!r} blocks are dense: name a mixture of "
            f"experts"
        )
    return found


def gates(loaded: LoadedModel) -> Gates:
    """Every gate row, layer by layer.

    Raises:
        NotApplicable: the model is dense.
    """
    found = routed_layers(loaded)
    sizes = [row_count(gate) for gate in found.values()]
    rows = [np.array(dense(gate, 0, row_count(gate))) for gate in found.values()]
    return Gates(
        layer=np.repeat(np.array(list(found)), sizes),
        expert=np.concatenate([np.arange(size) for size in sizes]),
        rows=np.concatenate(rows),
    )


def unembedding_of(loaded: LoadedModel) -> Rows:
    """The layer whose rows are the vocabulary's, the embedding where the two are tied."""
    return head(loaded.model, loaded.anatomy)[0]


def project_gates(loaded: LoadedModel, k: int = TOP) -> RouterProjection:
    """The `k` tokens nearest to every gate row.

    Raises:
        NotApplicable: the model is dense.
        UserError: `k` is below 1, or a weight is not finite.
    """
    found = gates(loaded)
    return _project(loaded, found, found.rows, k)


def project_random(loaded: LoadedModel, k: int = TOP, seed: int = 0) -> RouterProjection:
    """The same of as many isotropic random rows in the gates' place: what chance gives.

    Raises:
        NotApplicable: the model is dense.
        UserError: `k` is below 1, or a weight is not finite.
    """
    found = gates(loaded)
    drawn = isotropic(seed).normal(size=found.rows.shape)
    return _project(loaded, found, drawn, k)


def _project(loaded: LoadedModel, owners: Gates, rows: npt.ArrayLike, k: int) -> RouterProjection:
    nearest = strongest(rows, unembedding_of(loaded), k)
    texts = {int(i): loaded.tokenizer.decode([int(i)]) for i in np.unique(nearest.tokens)}
    return RouterProjection(
        layer=owners.layer,
        expert=owners.expert,
        tokens=nearest.tokens,
        cosines=nearest.cosines,
        categories=tuple(category([texts[int(i)] for i in row]) for row in nearest.tokens),
    )


def router_null(loaded: LoadedModel) -> ExtremeNull:
    """What random directions reach on a vocabulary of this size and width, by calculation."""
    width = gates(loaded).rows.shape[1]
    return ExtremeNull(width=width, vocabulary=row_count(unembedding_of(loaded)))


def random_gates(run: Measured, k: int = TOP) -> RouterProjection:
    """`project_random` of as many rows as there are gates, drawn with the run's own seed."""
    return run.read(project_random, k, run.seed)


def experts_naming(run: Measured, words: Sequence[str], projection: RouterProjection) -> ExpertHits:
    """Whether each expert has one of `words`, in any spelling, among its tokens `[expert]`.

    Words that are no single token here are left out.

    Raises:
        NotApplicable: none of them is.
    """
    return projection.names(known_words(run.loaded, words))
