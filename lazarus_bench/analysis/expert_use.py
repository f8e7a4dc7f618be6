"""Expert use: how a mixture spreads its load, and whether classes of prompts use other experts.

A prompt's share of an expert is the part of its tokens' assignments that went there; every prompt
weighs alike, however long it is. Experts are numbered anew in every layer, so layers are compared
by what their shares tell, never by number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lazarus_bench.analysis.measured import Floats, Ints
from lazarus_bench.analysis.nulls import LayerNull, check_count
from lazarus_bench.analysis.prompts import readable_prompts
from lazarus_bench.analysis.routing import Routing, read_routing
from lazarus_bench.errors import UserError
from lazarus_bench.figures.heatmap import Heat, expert_rows, heat
from lazarus_bench.figures.tables import table, wrapped
from lazarus_bench.figures.text import number
from lazarus_bench.models.load import LoadedModel

NAMED = 2
"""Experts that a table names for each class."""

UPPER = 0.95


@dataclass(frozen=True, kw_only=True)
class ExpertUse:
    """Shares of assignments `[prompt, layer, expert]`, summing to 1 over a layer's experts.

    `layers` are those with a router, 0-based; `chosen` experts serve a token.
    """

    layers: tuple[int, ...]
    chosen: int
    share: Floats


def expert_use(routing: Routing, *, last: bool = False) -> ExpertUse:
    """The shares of every prompt, over all its tokens or, with `last`, at its last one alone.

    Other tokens go to other experts whatever they stand for; where all prompts end alike, only what
    precedes can tell their last tokens apart.
    """
    experts = routing.load.shape[1]
    traces = [trace.experts[-1:] if last else trace.experts for trace in routing.traces]

    def shares(chosen: Ints) -> Floats:
        """`[layer, expert]` from a prompt's choices `[token, layer, k]`."""
        by_layer = np.moveaxis(chosen, 1, 0).reshape(chosen.shape[1], -1)
        counts = np.stack([np.bincount(layer, minlength=experts) for layer in by_layer])
        return np.asarray(counts / by_layer.shape[1])

    return ExpertUse(
        layers=routing.layers,
        chosen=traces[0].shape[2],
        share=np.stack([shares(chosen) for chosen in traces]),
    )


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

    `share` is of assignments `[prompt, layer, expert]`, `labels` the class of each prompt, 0-based.

    Source: J. Lin, Divergence measures based on the Shannon entropy (1991), equation 5.1.
    """
    own = np.asarray(labels)
    weights = np.bincount(own) / len(own)
    within = np.tensordot(weights, entropy_bits(by_class(share, own)), axes=1)
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


def by_class(share: Floats, labels: Ints) -> Floats:
    """Mean share over the prompts of each class `[class, layer, expert]`."""
    members = labels == np.arange(labels.max() + 1)[:, None]
    means = members / members.sum(axis=1, keepdims=True)
    return np.asarray(np.tensordot(means, share, axes=1))


@dataclass(frozen=True, kw_only=True)
class ClassUse:
    """Which experts serve which class: `share` `[class, layer, expert]` of the chosen `layers`."""

    classes: Mapping[str, Sequence[str]]
    position: str
    layers: Sequence[int]
    depth: int
    whole: ExpertUse
    share: Floats
    null: LayerNull

    @property
    def places(self) -> list[int]:
        """Indices of the chosen layers among the routed ones."""
        return [self.whole.layers.index(layer) for layer in self.layers]

    @property
    def load(self) -> Floats:
        """Mean share of each expert `[layer, expert]` of the chosen layers."""
        return np.asarray(self.whole.share.mean(axis=0)[self.places])

    def to_json(self) -> dict[str, Any]:
        """Everything of the chosen layers, in the order of `layers`; entropies in bits."""
        null, load = self.null, self.load
        return {
            "classes": self.classes,
            "position": self.position,
            "layers": list(self.layers),
            "experts": load.shape[1],
            "chosen": self.whole.chosen,
            "load": load,
            "entropy_bits": entropy_bits(load),
            "even_entropy_bits": float(np.log2(load.shape[1])),
            "busiest": busiest(load),
            "idle": (load == 0).sum(axis=1),
            "share": dict(zip(self.classes, self.share, strict=True)),
            "told_bits": null.observed[self.places],
            "p": null.layer_p_values[self.places],
            "null": {
                "how": "labels shuffled over prompts",
                "permutations": len(null.permuted),
                "mean_bits": null.permuted.mean(axis=0)[self.places],
                "best_layer_mean_bits": float(null.maxima.mean()),
                "best_layer_upper95_bits": float(np.quantile(null.maxima, UPPER)),
            },
        }

    def text(self, room: int) -> str:
        """A table of layers, with the experts that each class uses most."""
        null, experts = self.null, self.load.shape[1]

        def most(share: Floats) -> str:
            order = np.argsort(-share, kind="stable")[:NAMED]
            return ", ".join(f"e{expert} {share[expert]:.2f}" for expert in order)

        rows = [
            [
                f"L{layer}",
                f"{null.observed[place]:.2f}",
                f"{null.permuted[:, place].mean():.2f}",
                f"{null.layer_p_values[place]:.3f}",
                f"{entropy_bits(load):.2f}",
                f"{busiest(load):.1f}×",
                str(int((load == 0).sum())),
                *(most(share[at]) for share in self.share),
            ]
            for at, (layer, place, load) in enumerate(
                zip(self.layers, self.places, self.load, strict=True)
            )
        ]
        header = ["layer", "told", "null", "p", "entropy", "busiest", "idle", *self.classes]
        where = "at the last token" if self.position == "last" else "over all tokens"
        note = (
            f"{self.whole.chosen} of {experts} experts serve a token; shares of assignments "
            f"{where}, every prompt alike. told: bits that an assignment's expert tells of its "
            f"prompt's class; null: mean under {len(null.permuted)} shuffles of the labels; p "
            f"compares with the best layer of each shuffle, which has "
            f"{number(float(null.maxima.mean()))} bits on average. entropy: of the load in "
            f"bits, {np.log2(experts):.2f} when even; busiest: the largest load in even ones; "
            f"idle: experts without a token. An expert's number means nothing in another layer."
        )
        return f"{table(header, rows, room)}\n\n{wrapped(note, room)}"

    def figure(self, subject: str) -> Heat:
        """Expert by layer for each class: the share of assignments."""
        groups = [
            (name, expert_rows(name, share, self.layers, self.depth))
            for name, share in zip(self.classes, self.share, strict=True)
        ]
        title, largest = "Share of assignments by expert", float(self.share.max())
        return heat(title, subject, groups, self.layers[0], largest=largest or 1.0)


def class_use(
    loaded: LoadedModel,
    classes: Mapping[str, Sequence[str]],
    layers: Sequence[int],
    permutations: int,
    *,
    last: bool = False,
) -> ClassUse:
    """Trace the prompts of every class, and compare the experts they use with shuffled labels.

    Raises:
        NotApplicable: the model is dense, or how its family weighs its experts is not known.
        UserError: a prompt has no token or more than the model reads, or a class has one prompt.
    """
    texts = [text for prompts in classes.values() for text in prompts]
    labels = [at for at, prompts in enumerate(classes.values()) for _ in prompts]
    use = expert_use(read_routing(loaded, readable_prompts(loaded, texts)), last=last)
    shares = by_class(use.share, np.asarray(labels))
    return ClassUse(
        classes=classes,
        position="last" if last else "all",
        layers=layers,
        depth=loaded.depth,
        whole=use,
        share=shares[:, [use.layers.index(layer) for layer in layers]],
        null=specialisation_null(use.share, labels, permutations),
    )
