"""Linear probes: what a linear classifier reads from the hidden states of each layer.

Multinomial logistic regression (L2, C = 1) on the standardised last-token residuals, the scaler
inside the cross-validation; splits hold out operand pairs or templates (methods, *Probe*). The
split "in-order" leaves the states as they are and takes four folds as the prompts come.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from lazarus_bench.analysis.logistic import Rows, fit_labellings, predict_labellings
from lazarus_bench.analysis.measured import (
    CLUSTERS,
    SHARE,
    Axes,
    Bools,
    ClusterShares,
    Floats,
    Hits,
    HitsByLayer,
    Ints,
    LayerShares,
    Measured,
    Shares,
    SharesByLayer,
    States,
)
from lazarus_bench.analysis.nulls import LayerNull, check_count
from lazarus_bench.analysis.probe_prompts import (
    HeldOut,
    ProbePrompts,
    Split,
    check_classes,
    permuted,
    random_by_type,
    split,
)
from lazarus_bench.analysis.prompts import read_states, wide
from lazarus_bench.models.untrained import WIDTH, untrained_llama

PERMUTATIONS = 200
"""Enough for a p of 0.05 shared by nine claims of a family; the least possible is 1/201."""

CONTROL_DRAWS = 20

NULL_TOLERANCE = 1e-3
"""Of the fits to permuted and random labels: a third of the solver's own time, and of the held-out
predictions on lab llamas one in a thousand differs."""

PREDICTING = "newton-cg"
"""Solver of the fits that only predict: on lab llamas half the time of scikit-learn's own, L-BFGS,
the weights within 2e-4 and none of 3,200 held-out predictions another."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Held-out predictions of the probes of all layers.

    `gold` `[prompt]` and `predicted` `[prompt, layer]` index the classes; `folds` `[prompt]` says
    which fold tested a prompt, `blocks` `[prompt]` which prompts share their label by construction
    and so are one cluster.
    """

    gold: Ints
    predicted: Ints
    folds: Ints
    blocks: Ints

    @property
    def hits(self) -> HitsByLayer:
        """Whether a held-out prediction is right `[prompt, layer]`."""
        return np.asarray(self.predicted == self.gold[:, None])

    @property
    def accuracy(self) -> LayerShares:
        """Held-out accuracy `[layer]`."""
        return np.asarray(self.hits.mean(axis=0))

    @property
    def block_accuracy(self) -> ClusterShares:
        """The same, cluster by cluster `[block, layer]`."""
        return self.over_blocks(self.hits)

    def over_blocks(self, values: npt.ArrayLike) -> Annotated[Floats, Axes((CLUSTERS, "layers"))]:
        """Means of values `[prompt, layer]` over the prompts of each cluster `[block, layer]`."""
        given = np.asarray(values)
        blocks = np.unique(self.blocks)
        return np.stack([given[self.blocks == block].mean(axis=0) for block in blocks])

    @property
    def best_layer(self) -> int:
        """The first layer of the highest accuracy, chosen on the prompts it is read on."""
        return int(self.accuracy.argmax())


def probe(states: States, prompts: ProbePrompts, held_out: HeldOut = "pairs") -> Probe:
    """Cross-validate a probe on every layer of states `[prompt, layer, d]`, a prompt a row.

    Held out are "pairs" or "templates"; "in-order" takes four folds, states as they are.

    Raises:
        UserError: too few pairs, templates or prompts for the split, or a state is not finite.
    """
    chosen, gold = split(prompts, held_out), np.array(prompts.labels)
    predicted = np.empty((len(gold), states.shape[1]), dtype=gold.dtype)
    with one_blas_thread():
        for layer in range(states.shape[1]):
            # In float32 scikit-learn's solver stops short on small unscaled states.
            values = wide(states[:, layer])
            for fold in np.unique(chosen.folds):
                tested = chosen.folds == fold
                fitted = classifier_for(held_out, PREDICTING).fit(values[~tested], gold[~tested])
                predicted[tested, layer] = fitted.predict(values[tested])
    return Probe(gold=gold, predicted=predicted, folds=chosen.folds, blocks=chosen.blocks)


def one_blas_thread() -> threadpool_limits:
    """A context without BLAS threads: on matrices of this size they mostly wait for each other.

    On two cores a null of 200 permutations took eight times as long with them.
    """
    return threadpool_limits(limits=1, user_api="blas")


def classifier_for(held_out: HeldOut, solver: str = "lbfgs") -> Any:
    """The unfitted scikit-learn pipeline of a protocol."""
    scaler = [] if held_out == "in-order" else [StandardScaler()]
    classifier = LogisticRegression(C=1.0, tol=1e-6, max_iter=10_000, solver=solver)
    return make_pipeline(*scaler, classifier)


def permutation_null(
    states: States,
    prompts: ProbePrompts,
    held_out: HeldOut = "pairs",
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> LayerNull:
    """Accuracy of every layer under labels permuted inside the split.

    The true labelling goes through the same solver as the permuted ones, so the test is exact
    whatever the solver's tolerance.

    Raises:
        UserError: as `probe`; there is no permutation, or a fit did not converge.
    """
    check_count("permutation null", permutations)
    chosen = split(prompts, held_out)
    # A class that no prompt has would keep its weights and take part in every softmax.
    classes, gold = np.unique(prompts.labels, return_inverse=True)
    drawn = permuted(gold, chosen, permutations, np.random.default_rng(seed))
    labellings = np.concatenate([gold[None], drawn])
    hits = _hits(states, labellings, len(classes), chosen, held_out)
    accuracy = np.stack([layer.mean(axis=1) for layer in hits], axis=1)
    return LayerNull(observed=accuracy[0], permuted=accuracy[1:])


def control_task(
    states: States,
    prompts: ProbePrompts,
    held_out: HeldOut = "pairs",
    draws: int = CONTROL_DRAWS,
    seed: int = 0,
) -> SharesByLayer:
    """Share of control tasks in which a held-out prompt is predicted right `[prompt, layer]`.

    A control task gives each type of prompt a random class (`Split.types`), one of those that
    occur: its accuracy is what the probe memorises, and accuracy minus it is the probe's
    selectivity.

    Source: J. Hewitt and P. Liang, Designing and interpreting probes with control tasks, EMNLP
    2019.

    Raises:
        UserError: as `probe`; there is no draw, or a fit did not converge.
    """
    check_count("control task", draws)
    chosen = split(prompts, held_out)
    classes = len(set(prompts.labels))
    labellings = random_by_type(classes, chosen, draws, np.random.default_rng(seed))
    hits = _hits(states, labellings, classes, chosen, held_out)
    return np.stack([layer.mean(axis=0) for layer in hits], axis=1)


def _hits(
    states: States, labellings: Ints, classes: int, chosen: Split, held_out: HeldOut
) -> Iterator[Bools]:
    """Layer by layer, held-out hits `[labelling, prompt]` of the protocol's classifier."""
    wide(states)

    def of(layer: int) -> Bools:
        hits = np.empty(labellings.shape, dtype=np.bool_)
        for fold in np.unique(chosen.folds):
            tested = chosen.folds == fold
            train, test = states[~tested, layer], states[tested, layer]
            if held_out != "in-order":
                scaler = StandardScaler().fit(train)
                train, test = scaler.transform(train), scaler.transform(test)
            rows, own = Rows.of(train), labellings[:, ~tested]
            weights = fit_labellings(rows, own, classes, tolerance=NULL_TOLERANCE)
            predicted = predict_labellings(weights, rows.project(test))
            hits[:, tested] = predicted == labellings[:, tested]
        return hits

    # NumPy lets go of the interpreter in products and exponentials, so threads share the layers.
    with one_blas_thread(), ThreadPoolExecutor(os.cpu_count()) as threads:
        yield from threads.map(of, range(states.shape[1]))


def transfer(
    train: States, labels: npt.ArrayLike, test: States, held_out: HeldOut = "pairs"
) -> Ints:
    """Fit every layer on `train` `[prompt, layer, d]` and predict `test` `[prompt, layer]`.

    With `held_out` "in-order" the states are not standardised; else it makes no difference here.

    Raises:
        UserError: a state is not finite.
    """
    with one_blas_thread():
        predicted = [
            classifier_for(held_out, PREDICTING)
            .fit(wide(train[:, layer]), labels)
            .predict(wide(test[:, layer]))
            for layer in range(train.shape[1])
        ]
    return np.stack(predicted, axis=1)


def class_weights(states: States, labels: npt.ArrayLike) -> Floats:
    """Weight vectors `[class, d]` of a probe fitted on all prompts of one layer `[prompt, d]`.

    The classes are those that occur, in the order of their labels. The scaler is undone, so the
    vectors are directions of the residual stream.

    Raises:
        UserError: a state is not finite.
    """
    with one_blas_thread():
        fitted = classifier_for("pairs").fit(wide(states), labels)
    scaler, classifier = (step for _, step in fitted.steps)
    weights = np.asarray(classifier.coef_ / scaler.scale_, dtype=np.float64)
    return np.concatenate([-weights, weights]) / 2 if len(weights) == 1 else weights


def probe_directions(states: States, labels: npt.ArrayLike, first: int, second: int) -> Floats:
    """w_first − w_second of the probe of every layer `[layer, d]` (methods, *Probe direction*).

    Raises:
        UserError: no prompt is of one of the two classes, or a state is not finite.
    """
    given = np.asarray(labels)
    check_classes(given.tolist(), (first, second))
    one, other = np.searchsorted(np.unique(given), (first, second))
    layers = [class_weights(states[:, layer], given) for layer in range(states.shape[1])]
    return np.stack([weights[one] - weights[other] for weights in layers])


def probe_transfer(
    run: Measured, train: ProbePrompts, test: ProbePrompts, held_out: HeldOut = "pairs"
) -> HitsByLayer:
    """Hits on `test` `[prompt, layer]` of a probe fitted on all of `train`.

    With `held_out` "in-order" the states are not standardised.

    Raises:
        ValueError: the two have different classes.
    """
    if train.classes != test.classes:
        raise ValueError(f"a probe of {train.classes} cannot be tested on {test.classes}")
    fitted, asked = run.states(train.texts), run.states(test.texts)
    predicted = transfer(fitted, train.labels, asked, held_out)
    return np.asarray(predicted == np.array(test.labels)[:, None])


@dataclass(frozen=True, kw_only=True)
class Confidence:
    """Probability of the predicted class, and whether it is the right one; `[prompt]` each."""

    probability: Shares
    right: Hits


def probe_confidence(
    run: Measured, train: ProbePrompts, test: ProbePrompts, held_out: HeldOut
) -> Confidence:
    """Read `test` with the probe of the layer that is best on `train`, fitted on all of `train`.

    The best layer has the highest cross-validated accuracy, the first of several. With `held_out`
    "in-order" the states are not standardised.

    Raises:
        UserError: too few prompts for the split, or a state is not finite.
    """
    layer = run.read(probe, train, held_out).best_layer
    fitted, asked = (wide(run.states(p.texts)[:, layer]) for p in (train, test))
    with one_blas_thread():
        classifier = classifier_for(held_out).fit(fitted, train.labels)
        given = classifier.predict_proba(asked)
    predicted = classifier.classes_[given.argmax(axis=1)]
    return Confidence(probability=given.max(axis=1), right=predicted == np.array(test.labels))


def untrained_accuracy(
    run: Measured, prompts: ProbePrompts, held_out: HeldOut, starts: int, width: int = WIDTH
) -> Annotated[Floats, Axes(("starts", "layers"), SHARE)]:
    """Held-out accuracy of probes on untrained llamas with this run's tokenizer.

    Returns:
        `[start, layer]`; the starts of one run's seed are no other's.
    """
    own = run.plain

    def accuracy(start: int) -> Floats:
        seed, vocabulary = run.seed * starts + start, int(own.config["vocab_size"])
        untrained = untrained_llama(own.tokenizer, vocabulary, seed, width)
        return probe(read_states(untrained, prompts.texts), prompts, held_out).accuracy

    return np.stack([accuracy(start) for start in range(starts)])
