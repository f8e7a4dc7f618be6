"""A probe's confidence: the classifier's own probabilities, of the layer that is best."""

import numpy as np
import pytest

from lazarus_bench.analysis.probe import classifier_for
from lazarus_bench.analysis.probe_prompts import in_symbols
from lazarus_bench.session.run import Run
from lazarus_bench.tasks.arithmetic import held_out

TRAIN, TEST = in_symbols(held_out(16, 0)), in_symbols(held_out(8, 1))


@pytest.fixture(scope="module")
def run(tiny) -> Run:
    return Run(name="tiny", seed=0, directory=tiny)


@pytest.fixture(scope="module")
def found(run):
    return run.probe_confidence(TRAIN, TEST, "in-order")


def test_it_is_right_where_the_transferred_probe_is(found, run):
    best = run.probe(TRAIN, "in-order").best_layer
    assert found.right.tolist() == run.probe_transfer(TRAIN, TEST, "in-order")[:, best].tolist()
    assert len(found.probability) == len(TEST)


def test_a_confidence_lies_between_chance_and_one(found):
    assert (found.probability >= 0.25 - 1e-9).all()
    assert (found.probability <= 1).all()


def test_unscaled_states_of_a_small_model_leave_the_probe_unsure(run, found):
    """Which is what confidences of 25% to 31% show of a model."""
    sure = run.probe_confidence(in_symbols(held_out(80, 0)), TEST, "pairs")
    assert found.probability.mean() < sure.probability.mean()


def test_the_probabilities_are_the_classifiers(run, found):
    layer = run.probe(TRAIN, "in-order").best_layer
    fitted = classifier_for("in-order").fit(
        np.float64(run.states(TRAIN.texts)[:, layer]), TRAIN.labels
    )
    given = fitted.predict_proba(np.float64(run.states(TEST.texts)[:, layer]))
    assert found.probability == pytest.approx(given.max(axis=1))
