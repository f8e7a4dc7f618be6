"""Probes: a planted direction is found where it is and nowhere before, and nothing in noise."""

import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold, cross_val_score
from wordings import in_every_wording, sixteen_words

from lazarus_bench.analysis.geometry import cosine, mean_difference
from lazarus_bench.analysis.probe import (
    Probe,
    class_weights,
    classifier_for,
    control_task,
    permutation_null,
    probe,
    probe_directions,
    transfer,
)
from lazarus_bench.analysis.probe_prompts import (
    crossed,
    in_symbols,
    matched,
    split,
    stated,
    words_in_turn,
)
from lazarus_bench.tasks.arithmetic import Operation, held_out

SYMBOLS = in_symbols(held_out(80, 0))
WORDS = in_every_wording(held_out(20, 0))
FIRST = 2
"""The first layer that carries the class in `planted`."""


def noise(prompts, layers=4, width=12, seed=0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(len(prompts), layers, width)).astype(np.float32)


def planted(prompts, size=4.0, seed=0) -> np.ndarray:
    """Noise with a direction for each class from layer `FIRST` on."""
    states = noise(prompts, seed=seed)
    directions = np.linalg.qr(np.random.default_rng(seed).normal(size=(12, 12)))[0]
    states[:, FIRST:] += size * directions[list(prompts.labels)][:, None]
    return states


@pytest.mark.parametrize(("prompts", "held"), [(SYMBOLS, "pairs"), (WORDS, "templates")])
def test_a_planted_class_is_found_where_it_is_and_nowhere_before(prompts, held):
    states = planted(prompts)
    found = probe(states, prompts, held)
    assert (found.accuracy[FIRST:] > 0.9).all()
    assert (found.accuracy[:FIRST] < 0.45).all()
    assert found.best_layer >= FIRST
    null = permutation_null(states, prompts, held, permutations=99)
    assert null.p_value == 0.01
    assert (null.layer_p_values[FIRST:] == 0.01).all()
    assert (null.layer_p_values[:FIRST] > 0.05).all()
    assert null.excess > 0.4
    assert null.permuted.shape == (99, 4)
    np.testing.assert_allclose(null.observed, found.accuracy, atol=0.02)


def test_scores_are_read_prompt_by_prompt_and_block_by_block():
    found = Probe(
        gold=np.array([0, 1, 1, 0]),
        predicted=np.array([[0, 1], [1, 1], [0, 1], [0, 0]]),
        folds=np.array([0, 0, 1, 1]),
        blocks=np.array([5, 7, 7, 5]),
    )
    assert found.hits.tolist() == [[True, False], [True, True], [False, True], [True, True]]
    assert found.accuracy.tolist() == [0.75, 0.75]
    assert found.block_accuracy.tolist() == [[1.0, 0.5], [0.5, 1.0]]
    assert found.best_layer == 0


def test_the_scaler_never_sees_the_test_fold():
    """One enormous state in a feature flattens that feature only where it is in training."""
    states = planted(SYMBOLS)[:, FIRST:]
    found = probe(states, SYMBOLS)
    spoilt = states.copy()
    spoilt[0] *= 1e6
    again = probe(spoilt, SYMBOLS)
    same_fold = found.folds == found.folds[0]
    same_fold[0] = False
    assert np.array_equal(again.predicted[same_fold], found.predicted[same_fold])
    assert not np.array_equal(again.predicted[~same_fold], found.predicted[~same_fold])


def test_the_scale_of_a_feature_matters_only_where_states_are_not_standardised():
    prompts = sixteen_words()
    states = noise(prompts, layers=2)
    scaled = states * np.logspace(-2, 2, 12, dtype=np.float32)
    assert np.array_equal(
        probe(states, prompts, "templates").predicted,
        probe(scaled, prompts, "templates").predicted,
    )
    assert not np.array_equal(
        probe(states, prompts, "in-order").predicted, probe(scaled, prompts, "in-order").predicted
    )


def test_folds_in_order_are_scikit_learns_plain_cross_validation():
    prompts = sixteen_words()
    states = noise(prompts, layers=3)
    found = probe(states, prompts, "in-order")
    for layer in range(3):
        scores = cross_val_score(
            classifier_for("in-order"), states[:, layer], prompts.labels, cv=StratifiedKFold(4)
        )
        own = [found.hits[found.folds == fold, layer].mean() for fold in range(4)]
        np.testing.assert_allclose(own, scores)


def test_a_probe_that_memorises_has_no_selectivity():
    """States that name the pair and nothing else serve the control task and not the operation."""
    pairs = {pair: i for i, pair in enumerate(dict.fromkeys(WORDS.pairs))}
    states = 3 * np.eye(len(pairs), dtype=np.float32)[[pairs[pair] for pair in WORDS.pairs]]
    control = control_task(states[:, None], WORDS, "templates")
    assert control.shape == (len(WORDS), 1)
    assert control.mean() > 0.95


def test_a_probe_that_reads_the_task_is_selective():
    states = planted(WORDS)
    found = probe(states, WORDS, "templates")
    control = control_task(states, WORDS, "templates")
    selectivity = (found.hits - control).mean(axis=0)
    assert (selectivity[FIRST:] > 0.5).all()
    assert (np.abs(selectivity[:FIRST]) < 0.2).all()


def test_two_classes_can_be_probed():
    prompts = stated(held_out(40, 0))
    states = noise(prompts, layers=2)
    states[:, 1, 3] += 4 * np.array(prompts.labels)
    found = probe(states, prompts)
    null = permutation_null(states, prompts, permutations=49)
    assert found.accuracy[1] > 0.9
    assert null.layer_p_values[1] == pytest.approx(0.02)
    np.testing.assert_allclose(null.observed, found.accuracy, atol=0.03)


def test_transfer_fits_one_set_and_reads_another():
    train, test = planted(SYMBOLS), planted(WORDS)
    predicted = transfer(train, SYMBOLS.labels, test)
    hits = (predicted == np.array(WORDS.labels)[:, None]).mean(axis=0)
    assert (hits[FIRST:] > 0.9).all()
    assert (hits[:FIRST] < 0.5).all()


def test_weights_point_along_the_planted_directions():
    states = planted(SYMBOLS, size=6.0)[:, FIRST] * np.logspace(-1, 1, 12, dtype=np.float32)
    weights = class_weights(states, SYMBOLS.labels)
    assert weights.shape == (4, 12)
    scores = states @ weights.T
    scores -= scores.mean(axis=0)
    assert (scores.argmax(axis=1) == np.array(SYMBOLS.labels)).mean() > 0.95


def test_weights_of_two_classes_are_opposite():
    labels = np.array(SYMBOLS.labels) % 2
    weights = class_weights(noise(SYMBOLS)[:, 0], labels)
    assert weights.shape == (2, 12)
    np.testing.assert_allclose(weights[0], -weights[1])


WITHOUT_ADD = in_symbols([p for p in held_out(80, 0) if p.operation is not Operation.ADD])
"""Of classes 0, 2 and 3."""


@pytest.mark.parametrize(("first", "second"), [(0, 2), (0, 3), (3, 2)])
def test_a_class_that_is_missing_moves_no_other(first, second):
    states = planted(WITHOUT_ADD, size=6.0)
    present, labels = np.unique(WITHOUT_ADD.labels, return_inverse=True)
    places = [present.tolist().index(label) for label in (first, second)]
    found = probe_directions(states, WITHOUT_ADD.labels, first, second)
    assert np.array_equal(found, probe_directions(states, labels, *places))
    means = mean_difference(states, WITHOUT_ADD.labels, first, second)
    assert (cosine(found, means)[FIRST:] > 0.8).all()


def test_controls_and_nulls_know_only_the_classes_that_occur():
    """Their chance is a third, as the probe's, and what the class is called does not matter."""
    states = noise(WITHOUT_ADD)
    control = control_task(states, WITHOUT_ADD, draws=40)
    assert control.mean() == pytest.approx(1 / 3, abs=0.03)
    classes, labels = np.unique(WITHOUT_ADD.labels, return_inverse=True)
    called = tuple(WITHOUT_ADD.classes[label] for label in classes)
    renamed = replace(WITHOUT_ADD, labels=tuple(labels.tolist()), classes=called)
    assert np.array_equal(control, control_task(states, renamed, draws=40))
    null, same = (permutation_null(states, p, permutations=5) for p in (WITHOUT_ADD, renamed))
    assert np.array_equal(null.permuted, same.permuted)
    assert np.array_equal(null.observed, same.observed)


def test_transfer_in_order_does_not_standardise():
    prompts = sixteen_words()
    states = noise(prompts, layers=2) * np.logspace(-2, 2, 12, dtype=np.float32)
    test = noise(SYMBOLS, layers=2, seed=1) * np.logspace(-2, 2, 12, dtype=np.float32)
    plain = transfer(states, prompts.labels, test, "in-order")
    assert not np.array_equal(plain, transfer(states, prompts.labels, test))
    fitted = classifier_for("in-order").fit(states[:, 0].astype(float), prompts.labels)
    assert np.array_equal(plain[:, 0], fitted.predict(test[:, 0].astype(float)))


def test_states_of_any_scale_are_fitted_to_convergence():
    """In float32 the solver's line search gives up on small states, with a warning."""
    prompts = sixteen_words()
    for scale in (1e-3, 1.0, 30.0):
        small = noise(prompts, layers=3) * np.float32(scale)
        assert probe(small, prompts, "in-order").predicted.shape == (16, 3)


def test_the_same_states_give_the_same_numbers_bit_by_bit():
    states = noise(SYMBOLS)
    one, two = (permutation_null(states, SYMBOLS, permutations=5) for _ in range(2))
    assert np.array_equal(one.permuted, two.permuted)
    other = permutation_null(states, SYMBOLS, permutations=5, seed=1)
    assert not np.array_equal(one.permuted, other.permuted)


def test_prompts_of_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="unequal lengths"):
        replace(SYMBOLS, labels=SYMBOLS.labels[1:])


def test_operands_tell_nothing_where_every_pair_comes_in_every_operation():
    """Of the lab's held-out problems as drawn, operands alone give three in four."""
    problems = held_out(200, 0)

    def best(prompts):
        pairs = np.array([re.findall(r"\d+", text) for text in prompts.texts], dtype=float)
        operands = np.concatenate([pairs, np.log(pairs)], axis=1)[:, None]
        return probe(operands, prompts, "templates").accuracy.max()

    assert best(words_in_turn(problems)) > 0.6
    assert best(matched(words_in_turn(crossed(problems)))) < 0.35


def test_a_pair_is_held_out_in_all_its_operations():
    prompts = matched(in_symbols(crossed(held_out(80, 0))))
    folds = split(prompts, "pairs").folds
    by_pair = {}
    for pair, fold in zip(prompts.pairs, folds, strict=True):
        by_pair.setdefault(pair, set()).add(int(fold))
    assert len(prompts) == 80
    assert len(by_pair) == 20
    assert {len(found) for found in by_pair.values()} == {1}
