"""Nonlinear probes: what a hidden layer reads of a class beyond a linear probe.

One hidden layer of `HIDDEN` rectified units on the standardised states of the last prompt position,
beside the linear probe of `analysis.probe`: same splits, same classes, same penalty (half the
squared weights of both layers, the cross-entropy summed over prompts; biases are free). A wide
enough layer reads whatever it memorises, so what counts is selectivity: accuracy minus that on a
control task, which gives each type of prompt a random class (J. Hewitt and P. Liang, Designing and
interpreting probes with control tasks, EMNLP 2019).

Fits are full-batch Adam (D. Kingma and J. Ba, ICLR 2015) for `STEPS` steps, the rate falling to 0
along a cosine. All labellings of a layer and fold start from the same weights and are fitted side
by side, as blocks of one wide network: some 12 ms of one core each for 160 states of 96 dimensions,
where scikit-learn's `MLPClassifier` takes 1.3 s.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from sklearn.preprocessing import StandardScaler

from lazarus_bench.analysis.logistic import Rows
from lazarus_bench.analysis.measured import (
    Axes,
    Bools,
    Floats,
    HitsByLayer,
    Ints,
    SharesByLayer,
    Singles,
    States,
)
from lazarus_bench.analysis.nulls import LayerNull, check_count
from lazarus_bench.analysis.probe import (
    CONTROL_DRAWS,
    PERMUTATIONS,
    control_task,
    one_blas_thread,
    probe,
)
from lazarus_bench.analysis.probe_prompts import (
    HeldOut,
    ProbePrompts,
    Split,
    in_classes,
    permuted,
    random_by_type,
    split,
)
from lazarus_bench.analysis.prompts import last_states, readable_prompts, wide
from lazarus_bench.figures.layers import LayerCurves, LayerSeries, NullBand
from lazarus_bench.figures.tables import hundredths, table, wrapped
from lazarus_bench.figures.text import number
from lazarus_bench.models.load import LoadedModel

HIDDEN = 32
STEPS = 200
RATE = 0.05
"""On states of development seed 100 the objective ends within 5% of where L-BFGS does."""
CHUNK = 1 << 17
"""Most activities held at once (rows × labellings × units): 512 KiB stay in the cache, where a fit
takes 12 ms; with a null's all at once it takes 18."""

DECAYS = (0.9, 0.999)
"""Of Adam's two moments."""

SelectivityByLayer = Annotated[Floats, Axes(("prompts", "layers"), (-1.0, 1.0))]


@dataclass(frozen=True, kw_only=True)
class Weights:
    """`hidden` `[rank, labelling, unit]`, `out` `[labelling, unit, class]` and its `bias`.

    `bias` is `[labelling, 1, class]`; that of the hidden units is the last row of `hidden`.
    """

    hidden: Singles
    out: Singles
    bias: Singles

    def active(self, coordinates: Singles) -> Singles:
        """Activities `[labelling, row, unit]` of rows `[row, rank]`."""
        rank, labellings, units = self.hidden.shape
        flat = coordinates @ self.hidden.reshape(rank, -1)
        np.maximum(flat, 0, out=flat)
        return np.asarray(flat.reshape(-1, labellings, units).swapaxes(0, 1))

    def predict(self, coordinates: Singles) -> Ints:
        """Classes `[labelling, row]` of rows `[row, rank]`."""
        return np.asarray((self.active(coordinates) @ self.out + self.bias).argmax(axis=2))


def fit_networks(rows: Rows, labels: Ints, classes: int, seed: int = 0) -> Weights:
    """A network for each of `labels` `[labelling, row]`, class indices from 0.

    All start from the weights of `seed`: normal, of variance 2 over the number of inputs (K. He et
    al., ICCV 2015).
    """
    z, rng = rows.coordinates, np.random.default_rng(seed)
    count, shapes = len(labels), ((z.shape[1], HIDDEN), (HIDDEN, classes))
    first, second = (
        (rng.normal(size=shape) * np.sqrt(2 / shape[0])).astype(np.float32) for shape in shapes
    )
    first[-1] = 0.0
    found = Weights(
        hidden=np.repeat(first[:, None], count, axis=1),
        out=np.repeat(second[None], count, axis=0),
        bias=np.zeros((count, 1, classes), dtype=np.float32),
    )
    own = (found.hidden, found.out, found.bias)
    moments = [(np.zeros_like(each), np.zeros_like(each)) for each in own]
    wanted = np.eye(classes, dtype=np.float32)[labels]
    for step in range(1, STEPS + 1):
        slow, fast = (1 - decay**step for decay in DECAYS)
        rate = RATE * 0.5 * (1 + np.cos(np.pi * (step - 1) / STEPS)) * np.sqrt(fast) / slow
        gradients = _gradients(found, z, wanted)
        for each, gradient, (mean, square) in zip(own, gradients, moments, strict=True):
            mean += (1 - DECAYS[0]) * (gradient - mean)
            square += (1 - DECAYS[1]) * (gradient * gradient - square)
            each -= np.float32(rate) * mean / (np.sqrt(square) + 1e-8)
    return found


def _gradients(weights: Weights, z: Singles, wanted: Singles) -> tuple[Singles, Singles, Singles]:
    """Gradients of the penalised cross-entropy by `hidden`, `out` and `bias`."""
    active = weights.active(z)
    scores = active @ weights.out + weights.bias
    scores -= scores.max(axis=2, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=2, keepdims=True)
    error = scores - wanted
    back = (error @ weights.out.swapaxes(1, 2)) * (active > 0)
    flat = back.swapaxes(0, 1).reshape(len(z), -1)
    hidden = np.asarray((z.T @ flat).reshape(weights.hidden.shape), dtype=np.float32)
    hidden[:-1] += weights.hidden[:-1]
    out = active.swapaxes(1, 2) @ error + weights.out
    return hidden, out, error.sum(axis=1, keepdims=True)


def _hits(
    states: States, labellings: Ints, classes: int, chosen: Split, held_out: HeldOut
) -> Bools:
    """Held-out hits `[labelling, prompt, layer]`."""
    wide(states)
    size = max(1, CHUNK // (len(chosen.folds) * HIDDEN))

    def of(layer: int) -> Bools:
        hits = np.empty(labellings.shape, dtype=np.bool_)
        for fold in np.unique(chosen.folds):
            tested = chosen.folds == fold
            train, test = states[~tested, layer], states[tested, layer]
            if held_out != "in-order":
                scaler = StandardScaler().fit(train)
                train, test = scaler.transform(train), scaler.transform(test)
            rows = Rows.of(train)
            for start in range(0, len(labellings), size):
                part = slice(start, start + size)
                fitted = fit_networks(rows, labellings[part][:, ~tested], classes)
                predicted = fitted.predict(rows.project(test))
                hits[part, tested] = predicted == labellings[part][:, tested]
        return hits

    with one_blas_thread(), ThreadPoolExecutor(os.cpu_count()) as threads:
        return np.stack(list(threads.map(of, range(states.shape[1]))), axis=2)


@dataclass(frozen=True, kw_only=True)
class Probes:
    """A linear and a nonlinear probe of every layer, and what each makes of the control task.

    `linear` and `nonlinear` say whether a held-out prediction is right; the controls are shares of
    the control tasks in which a held-out prompt is predicted right. All `[prompt, layer]`.
    """

    linear: HitsByLayer
    nonlinear: HitsByLayer
    linear_control: SharesByLayer
    nonlinear_control: SharesByLayer

    @property
    def linear_selectivity(self) -> SelectivityByLayer:
        """Hits of the linear probe minus those on its control task `[prompt, layer]`."""
        return np.asarray(self.linear - self.linear_control)

    @property
    def nonlinear_selectivity(self) -> SelectivityByLayer:
        """The same of the nonlinear probe `[prompt, layer]`."""
        return np.asarray(self.nonlinear - self.nonlinear_control)

    @property
    def added(self) -> Annotated[Floats, Axes(("prompts", "layers"), (-2.0, 2.0))]:
        """Selectivity, nonlinear minus linear `[prompt, layer]`."""
        return np.asarray(self.nonlinear_selectivity - self.linear_selectivity)


def nonlinear_probe(
    states: States,
    prompts: ProbePrompts,
    held_out: HeldOut = "pairs",
    draws: int = CONTROL_DRAWS,
    seed: int = 0,
) -> Probes:
    """Cross-validate both probes on every layer of states `[prompt, layer, d]`, a prompt a row.

    The control tasks, `draws` of them from `seed`, are the same for both.

    Raises:
        UserError: as `probe`; there is no draw.
    """
    linear_control = control_task(states, prompts, held_out, draws, seed)
    chosen, (known, gold) = split(prompts, held_out), np.unique(prompts.labels, return_inverse=True)
    tasks = random_by_type(len(known), chosen, draws, np.random.default_rng(seed))
    hits = _hits(states, np.concatenate([gold[None], tasks]), len(known), chosen, held_out)
    return Probes(
        linear=probe(states, prompts, held_out).hits,
        nonlinear=hits[0],
        linear_control=linear_control,
        nonlinear_control=hits[1:].mean(axis=0),
    )


def nonlinear_null(
    states: States,
    prompts: ProbePrompts,
    held_out: HeldOut = "pairs",
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> LayerNull:
    """Accuracy of the nonlinear probe of every layer under labels permuted inside the split.

    The permutations are those of `permutation_null`.

    Raises:
        UserError: as `probe`; there is no permutation.
    """
    check_count("permutation null", permutations)
    chosen, (known, gold) = split(prompts, held_out), np.unique(prompts.labels, return_inverse=True)
    drawn = permuted(gold, chosen, permutations, np.random.default_rng(seed))
    hits = _hits(states, np.concatenate([gold[None], drawn]), len(known), chosen, held_out)
    accuracy = hits.mean(axis=1)
    return LayerNull(observed=accuracy[0], permuted=accuracy[1:])


@dataclass(frozen=True, kw_only=True)
class NonlinearClassifier:
    """Both probes of every layer for classes of prompts, with the nonlinear one's null."""

    classes: Mapping[str, Sequence[str]]
    probes: Probes
    null: LayerNull

    @property
    def upper(self) -> float:
        """95th percentile of the best layer's accuracy under permuted labels."""
        return float(np.quantile(self.null.maxima, 0.95))

    def to_json(self) -> dict[str, Any]:
        """Everything `[layer]`, all layers in order; `p` compares with the null's best layer."""
        probes = self.probes
        return {
            "classes": self.classes,
            "linear": {
                "accuracy": probes.linear.mean(axis=0),
                "selectivity": probes.linear_selectivity.mean(axis=0),
            },
            "nonlinear": {
                "hidden_units": HIDDEN,
                "accuracy": probes.nonlinear.mean(axis=0),
                "selectivity": probes.nonlinear_selectivity.mean(axis=0),
                "p": self.null.layer_p_values,
                "null": {
                    "permutations": len(self.null.permuted),
                    "mean": self.null.permuted.mean(axis=0),
                    "best_layer_upper95": self.upper,
                },
            },
            "selectivity_added": probes.added.mean(axis=0),
        }

    def text(self, room: int) -> str:
        """A table of layers."""
        probes = self.probes
        columns = (
            probes.linear,
            probes.nonlinear,
            probes.linear_selectivity,
            probes.nonlinear_selectivity,
        )
        means = [column.mean(axis=0) for column in columns]
        rows = [
            [
                f"L{layer}",
                *(hundredths(float(mean[layer])) for mean in means),
                f"{self.null.layer_p_values[layer]:.3f}",
            ]
            for layer in range(len(means[0]))
        ]
        header = ["layer", "linear", "nonlinear", "selectivity", "nonlinear's", "p"]
        note = (
            f"linear, nonlinear: held-out accuracy of the probes, of {len(probes.linear)} prompts; "
            f"chance {1 / len(self.classes):.2f}. selectivity, nonlinear's: the same minus "
            f"accuracy for random classes. p: of the nonlinear accuracy, against the null's best "
            f"layer under {len(self.null.permuted)} permutations of the labels, "
            f"{number(self.null.p_value)} for the best here. The nonlinear probe reads more only "
            f"where it is more selective."
        )
        return f"{table(header, rows, room)}\n\n{wrapped(note, room)}"

    def figure(self, subject: str) -> LayerCurves:
        """Accuracy of both probes by layer, with the nonlinear one's null."""
        probes = self.probes
        drawn = (("linear", probes.linear), ("nonlinear", probes.nonlinear))
        return LayerCurves(
            title=f"Probes for {', '.join(self.classes)}",
            subject=subject,
            unit="held-out accuracy",
            layers=tuple(range(probes.linear.shape[1])),
            series=tuple(
                LayerSeries.of(name, [hits.mean(axis=0).tolist()]) for name, hits in drawn
            ),
            null=NullBand(
                name="permuted labels, nonlinear",
                mean=tuple(self.null.permuted.mean(axis=0).tolist()),
                upper=self.upper,
            ),
        )


def nonlinear_classifier(
    loaded: LoadedModel, classes: Mapping[str, Sequence[str]], held_out: HeldOut, permutations: int
) -> NonlinearClassifier:
    """Probe every layer for the class of a prompt, linearly and not; texts are held out.

    Raises:
        UserError: a prompt has no token or more than the model reads, or a class has too few.
    """
    prompts = in_classes(classes)
    states = last_states(loaded, readable_prompts(loaded, prompts.texts))
    return NonlinearClassifier(
        classes=classes,
        probes=nonlinear_probe(states, prompts, held_out),
        null=nonlinear_null(states, prompts, held_out, permutations),
    )
