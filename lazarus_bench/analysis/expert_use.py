"""Expert use: how a mixture spreads its load, and whether classes of prompts use other experts.

A prompt's share of an expert is the part of its tokens' assignments that went there; every prompt
weighs alike, however long it is. Experts are numbered anew in every layer, so layers are compared
by what their shares tell, never by number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lazarus_bench.analysis.nulls import LayerNull, check_count
from lazarus_bench.analysis.routing import Floats, Ints, Routing
from lazarus_bench.errors import UserError


@dataclass(frozen=True, kw_only=True)
class ExpertUse:
    """Shares of assignments `[prompt, layer, expert]`, summing to 1 over a layer's experts.

    `layers` are those with a router, 0-based; `chosen` experts serve a token.
    """

    layers: tuple[int, ...]
    chosen: int
    share: Floats

    @property
    def load(self) -> Floats:
        """Mean share of each expert `[layer, expert]`."""
        return np.asarray(self.share.mean(axis=0))

    def by_class(self, labels: Sequence[int]) -> Floats:
        """Mean share over the prompts of each class `[class, layer, expert]`."""
        return _by_class(self.share, np.asarray(labels))


def expert_use(routing: Routing, *, last: bool = False) -> ExpertUse:
    """The shares of every prompt, over all its tokens or, with `last`, at its last one alone.

    Other tokens go to other experts whatever they stand for; where all prompts end alike, only what
    precedes can tell their last tokens apart.
    """
    experts = routing.load.shape[1]
    traces = [trace.experts[-1:] if last else trace.experts for trace in routing.traces]
    return ExpertUse(
        layers=routing.layers,
        chosen=traces[0].shape[2],
        share=np.stack([_shares(chosen, experts) for chosen in traces]),
    )


def _shares(chosen: Ints, experts: int) -> Floats:
    """`[layer, expert]` from a prompt's choices `[token, layer, k]`."""
    by_layer = np.moveaxis(chosen, 1, 0).reshape(chosen.shape[1], -1)
    counts = np.stack([np.bincount(layer, minlength=experts) for layer in by_layer])
    return np.asarray(counts / by_layer.shape[1])


def entropy_bits(share: Floats) -> Floats:
    """−Σ p log₂ p over the last axis: log₂ of the number of experts when the load is even."""
    logs = np.log2(share, out=np.zeros_like(share), where=share > 0)
    return np.asarray(-(share * logs).sum(axis=-1))


def busiest(load: Floats) -> Floats:
    """The busiest expert's share in units of an even one `[layer]`, from `[layer, expert]`."""
    return np.asarray(load.max(axis=-1) * load.shape[-1])


def specialisation(share: Floats, labels: Sequence[int]) -> Floats:
    """Bits that an assignment's expert tells of its prompt's class `[layer]`.

    The mutual information of class and expert, of an assignment drawn from a prompt drawn at
    random: entropy of the mean share minus the mean entropy of the classes' shares. 0 when all
    classes use the experts alike, the classes' own entropy when no two share an expert.

    Args:
        share: of assignments `[prompt, layer, expert]`.
        labels: the class of each prompt, 0-based.

    Source: J. Lin, Divergence measures based on the Shannon entropy (1991), equation 5.1.
    """
    own = np.asarray(labels)
    weights = np.bincount(own) / len(own)
    within = np.tensordot(weights, entropy_bits(_by_class(share, own)), axes=1)
    return np.asarray(entropy_bits(share.mean(axis=0)) - within)


def specialisation_null(
    share: Floats, labels: Sequence[int], permutations: int, seed: int = 0
) -> LayerNull:
    """`specialisation` beside what it is when labels are shuffled over prompts.

    Few prompts of many experts differ by chance alone, which makes the plain number too large; the
    tokens of a prompt stay together, since they are no independent draws.

    Raises:
        UserError: no permutation is asked for, or a class has fewer than two prompts.
    """
    check_count("permutation null", permutations)
    own = np.asarray(labels)
    if np.bincount(own).min() < 2:
        raise UserError("shuffled labels need two prompts of every class: give more")
    rng = np.random.default_rng(seed)
    shuffled = [specialisation(share, rng.permutation(own).tolist()) for _ in range(permutations)]
    return LayerNull(observed=specialisation(share, labels), permuted=np.stack(shuffled))


def _by_class(share: Floats, labels: Ints) -> Floats:
    members = labels == np.arange(labels.max() + 1)[:, None]
    means = members / members.sum(axis=1, keepdims=True)
    return np.asarray(np.tensordot(means, share, axes=1))
