"""A probe's confidence: the classifier's own probabilities, of the layer that is best."""

import numpy as np
import pytest

from lazarus_bench.analysis.probe import classifier_for
from lazarus_bench.analysis.probe_prompts import in_symbols, writeup_symbols, writeup_test
from lazarus_bench.session.probe_confidence import probe_confidence
from lazarus_bench.session.runs import Run
from lazarus_bench.tasks.arithmetic import held_out

TRAIN, TEST = writeup_symbols(), writeup_test()


@pytest.fixture(scope="module")
def run(tiny) -> Run:
    return Run(name="tiny", seed=0, directory=tiny)


@pytest.fixture(scope="module")
def found(run):
    return probe_confidence(run, TRAIN, TEST, "writeup")


def test_it_is_right_where_the_transferred_probe_is(found, run):
    best = run.probe(TRAIN, "writeup").best_layer
    assert found.right.tolist() == run.probe_transfer(TRAIN, TEST, "writeup")[:, best].tolist()
    assert len(found.probability) == len(TEST)


def test_a_confidence_lies_between_chance_and_one(found):
    assert (found.probability >= 0.25 - 1e-9).all()
    assert (found.probability <= 1).all()


def test_unscaled_states_of_a_small_model_leave_the_probe_unsure(run, found):
    """Which is what the writeups' confidences of 25% to 31% show of their models."""
    sure = probe_confidence(run, in_symbols(held_out(80, 0)), TEST, "pairs")
    assert found.probability.mean() < sure.probability.mean()


def test_the_probabilities_are_the_classifiers(run, found):
    layer = run.probe(TRAIN, "writeup").best_layer
    fitted = classifier_for("writeup").fit(
        np.float64(run.states(TRAIN.texts)[:, layer]), TRAIN.labels
    )
    given = fitted.predict_proba(np.float64(run.states(TEST.texts)[:, layer]))
    assert found.probability == pytest.approx(given.max(axis=1))
