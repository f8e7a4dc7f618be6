"""A linear probe of every layer for classes of prompts, beside what permuted labels give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lazarus_bench.analysis.measured import Ints
from lazarus_bench.analysis.nulls import LayerNull
from lazarus_bench.analysis.probe import Probe, permutation_null, probe, transfer
from lazarus_bench.analysis.probe_prompts import (
    ORDERED_FOLDS,
    PAIR_FOLDS,
    HeldOut,
    in_classes,
)
from lazarus_bench.analysis.prompts import last_states, readable_prompts
from lazarus_bench.errors import UserError
from lazarus_bench.figures.layers import LayerCurves, LayerSeries, NullBand
from lazarus_bench.figures.tables import prompt_cell, table, wrapped
from lazarus_bench.figures.text import number
from lazarus_bench.models.load import LoadedModel

PROTOCOLS: Mapping[str, tuple[HeldOut, int]] = {
    "held-out": ("pairs", PAIR_FOLDS),
    "in-order": ("in-order", ORDERED_FOLDS),
}
"""The split behind each protocol, and its folds."""

UPPER = 0.95


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """The probes of all layers with their null; `predicted` `[test prompt, layer]` are classes."""

    classes: Mapping[str, Sequence[str]]
    protocol: str
    probe: Probe
    null: LayerNull
    test: Sequence[str]
    predicted: Ints

    @property
    def names(self) -> list[str]:
        """The classes, in the order given."""
        return list(self.classes)

    @property
    def upper(self) -> float:
        """95th percentile of the best layer's accuracy under permuted labels."""
        return float(np.quantile(self.null.maxima, UPPER))

    def to_json(self) -> dict[str, Any]:
        """Everything `[layer]`, all layers in order; `p` compares with the null's best layer."""
        null = self.null
        return {
            "classes": self.classes,
            "protocol": self.protocol,
            "folds": PROTOCOLS[self.protocol][1],
            "accuracy": self.probe.accuracy,
            "best_layer": self.probe.best_layer,
            "p": null.layer_p_values,
            "null": {
                "how": "labels permuted inside folds",
                "permutations": len(null.permuted),
                "mean": null.permuted.mean(axis=0),
                "best_layer_mean": float(null.maxima.mean()),
                "best_layer_upper95": self.upper,
            },
            "test": [
                {"prompt": prompt, "predicted": [self.names[at] for at in layers]}
                for prompt, layers in zip(self.test, self.predicted, strict=True)
            ],
        }

    def text(self, room: int) -> str:
        """A table of layers, and one of the test prompts."""
        null, best = self.null, self.probe.best_layer
        means, p_values = null.permuted.mean(axis=0), null.layer_p_values
        rows = [
            [
                f"L{layer}{' best' if layer == best else ''}",
                f"{accuracy:.2f}",
                f"{p_values[layer]:.3f}",
                f"{means[layer]:.2f}",
            ]
            for layer, accuracy in enumerate(self.probe.accuracy)
        ]
        note = (
            f"accuracy: held out, of {len(self.probe.gold)} prompts; chance "
            f"{1 / len(self.names):.2f}. null: mean under {len(null.permuted)} permutations of the "
            f"labels. The best layer of a permutation has {null.maxima.mean():.2f} on average and "
            f"at most {self.upper:.2f} in 95% of them; p compares with that best layer, "
            f"{number(null.p_value)} for the best here."
        )
        parts = [table(["layer", "accuracy", "p", "null"], rows, room), wrapped(note, room)]
        if self.test:
            rows = []
            for prompt, layers in zip(self.test, self.predicted, strict=True):
                counted = Counter(self.names[at] for at in layers).most_common()
                votes = ", ".join(f"{name} {count}" for name, count in counted)
                rows.append([prompt_cell(prompt, room), self.names[layers[best]], votes])
            parts.append(table(["test prompt", f"at L{best}", "over layers"], rows, room))
        return "\n\n".join(parts)

    def figure(self, subject: str) -> LayerCurves:
        """Accuracy by layer with the null's band."""
        return LayerCurves(
            title=f"Probe for {', '.join(self.names)}",
            subject=subject,
            unit="held-out accuracy",
            layers=tuple(range(len(self.probe.accuracy))),
            series=(LayerSeries.of("accuracy", [self.probe.accuracy.tolist()]),),
            null=NullBand(
                name="permuted labels",
                mean=tuple(self.null.permuted.mean(axis=0).tolist()),
                upper=self.upper,
            ),
        )


def check_classes(classes: Mapping[str, Sequence[Hashable]], protocol: str) -> None:
    """Make sure that every class has a different prompt for each fold of `protocol`.

    Raises:
        UserError: one has fewer.
    """
    folds = PROTOCOLS[protocol][1]
    for name, prompts in classes.items():
        count = len(set(prompts))
        if count < folds:
            other = " or --protocol in-order (4 folds)" if count == ORDERED_FOLDS else ""
            raise UserError(
                f"{folds} folds need {folds} different prompts of a class, and {name} has {count}: "
                f"give more{other}"
            )


def classifier(
    loaded: LoadedModel,
    classes: Mapping[str, Sequence[str]],
    protocol: str,
    permutations: int,
    test: Sequence[str] = (),
) -> Classifier:
    """Probe every layer for the class of a prompt, and put `test` into classes.

    Each text is a group of its own, so that no fold tests what it was trained on.

    Raises:
        UserError: a prompt has no token or more than the model reads, or a class has too few.
    """
    check_classes(classes, protocol)
    prompts = in_classes(classes)
    held_out = PROTOCOLS[protocol][0]
    states = last_states(loaded, readable_prompts(loaded, [*prompts.texts, *test]))
    own, others = states[: len(prompts)], states[len(prompts) :]
    predicted = np.zeros((0, own.shape[1]), dtype=np.int64)
    if test:
        predicted = transfer(own, prompts.labels, others, held_out)
    return Classifier(
        classes=classes,
        protocol=protocol,
        probe=probe(own, prompts, held_out),
        null=permutation_null(own, prompts, held_out, permutations),
        test=test,
        predicted=predicted,
    )
