"""Geometry of classes in hidden space: how far apart they lie and which way they point.

All functions take states `[prompt, layer, d]` and labels `[prompt]`, and work layer by layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from sklearn.metrics import silhouette_samples

from lazarus_bench.analysis.measured import (
    COSINE,
    Axes,
    ByLayer,
    Floats,
    Ints,
    PromptsByLayer,
    States,
)
from lazarus_bench.analysis.nulls import LayerNull, check_count
from lazarus_bench.analysis.probe import probe_directions
from lazarus_bench.analysis.probe_prompts import (
    HeldOut,
    ProbePrompts,
    check_classes,
    permuted,
    split,
)
from lazarus_bench.analysis.prompts import wide
from lazarus_bench.errors import UserError

PERMUTATIONS = 1000


def centre(states: States) -> Floats:
    """States minus their mean over prompts, in float64.

    Raises:
        UserError: a state is not finite.
    """
    given = wide(states)
    return np.asarray(given - given.mean(axis=0, keepdims=True))


def unit(vectors: npt.ArrayLike) -> Floats:
    """Vectors of length one along the last axis; a vector of zeros stays as it is."""
    given = np.asarray(vectors, dtype=np.float64)
    length = np.linalg.norm(given, axis=-1, keepdims=True)
    return np.asarray(np.divide(given, length, out=np.zeros_like(given), where=length > 0))


def cosine(first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
    """Cosine along the last axis, broadcast over the others; 0 for a vector of zeros."""
    return np.asarray((unit(first) * unit(second)).sum(axis=-1))


def cluster_separation(states: States, labels: npt.ArrayLike, centred: bool = True) -> Floats:
    """Mean cosine of pairs within a class minus that of pairs of two classes `[layer]`.

    The mean within is a macro mean over classes. The states are centred first: uncentred ones
    share a large mean that drives every cosine towards 1 (methods, *Cluster separation*).

    Raises:
        UserError: fewer than two classes, a class of one prompt, or a state that is not finite.
    """
    directions = unit(centre(states) if centred else wide(states))
    return np.asarray(_separations(directions, np.asarray(labels)[None])[0])


def _separations(directions: Floats, labellings: Ints) -> Floats:
    """Separation `[labelling, layer]` of unit vectors `[prompt, layer, d]`.

    Sums of cosines over pairs are squared lengths of sums of vectors, so no pair is formed.
    """
    own = (directions**2).sum(axis=-1)
    total = (directions.sum(axis=0) ** 2).sum(axis=-1)
    found = []
    for labels in labellings:
        members = np.stack([labels == label for label in np.unique(labels)]).astype(np.float64)
        sizes = members.sum(axis=1)
        if len(sizes) < 2 or sizes.min() < 2:
            raise UserError(
                "cluster separation needs two classes of two prompts each: ask for more problems"
            )
        sums = (np.tensordot(members, directions, axes=1) ** 2).sum(axis=-1)
        within = (sums - members @ own) / (sizes * (sizes - 1))[:, None]
        between = (total - sums.sum(axis=0)) / (len(labels) ** 2 - (sizes**2).sum())
        found.append(within.mean(axis=0) - between)
    return np.stack(found)


@dataclass(frozen=True, kw_only=True)
class Directions:
    """What tells one class from another, layer by layer: two readings, `[layer, d]` each.

    `probe` is w_a − w_b of a linear probe, `means` the difference of the class means. The first
    leaves out what the second shares with other differences, so they need not agree.
    """

    probe: Floats
    means: Floats

    @property
    def agreement(self) -> Annotated[Floats, Axes(("layers",), COSINE)]:
        """Cosine of the two at each layer `[layer]`."""
        return cosine(self.probe, self.means)

    @property
    def neighbours(self) -> Annotated[Floats, Axes(("pairs of layers",), COSINE)]:
        """Cosine of each layer's direction with the next layer's `[layer − 1]`."""
        return cosine(self.probe[:-1], self.probe[1:])


def mean_difference(states: States, labels: npt.ArrayLike, first: int, second: int) -> Floats:
    """Mean of the states of class `first` minus that of class `second` `[layer, d]`.

    Raises:
        UserError: no prompt is of one of the two classes, or a state is not finite.
    """
    check_classes(np.asarray(labels).tolist(), (first, second))
    given, values = np.asarray(labels), wide(states)
    return np.asarray(values[given == first].mean(axis=0) - values[given == second].mean(axis=0))


def directions(states: States, prompts: ProbePrompts, between: tuple[str, str]) -> Directions:
    """What tells the classes `between` apart at every layer, by a probe and by their means."""
    first, second = map(prompts.classes.index, between)
    return Directions(
        probe=probe_directions(states, prompts.labels, first, second),
        means=mean_difference(states, prompts.labels, first, second),
    )


def separation(states: States, prompts: ProbePrompts, centred: bool = True) -> ByLayer:
    """Cluster separation of the prompts' classes `[layer]`."""
    return cluster_separation(states, prompts.labels, centred)


def permuted_separation(
    states: States,
    prompts: ProbePrompts,
    held_out: HeldOut = "pairs",
    centred: bool = True,
    permutations: int = PERMUTATIONS,
) -> LayerNull:
    """The same under labels permuted inside the split: whole blocks, inside their strata.

    Raises:
        UserError: as `cluster_separation`, or there is no permutation.
    """
    check_count("separation null", permutations)
    given, own_split = np.array(prompts.labels), split(prompts, held_out)
    drawn = permuted(given, own_split, permutations, np.random.default_rng(0))
    directions = unit(centre(states) if centred else wide(states))
    values = _separations(directions, np.concatenate([given[None], drawn]))
    return LayerNull(observed=values[0], permuted=values[1:])


def class_silhouettes(states: States, prompts: ProbePrompts) -> PromptsByLayer:
    """Silhouette of each prompt in cosine distance of the centred states `[prompt, layer]`.

    Source: P. Rousseeuw, J. Comput. Appl. Math. 20 (1987), as scikit-learn computes it.
    """
    by_layer = np.moveaxis(centre(states), 1, 0)
    found = [silhouette_samples(each, prompts.labels, metric="cosine") for each in by_layer]
    return np.stack(found, axis=1)
