"""Hidden states of a run: read once a session for all the instruments that need them."""

import numpy as np
import pytest

from lazarus_bench.analysis import geometry
from lazarus_bench.analysis import probe as probing
from lazarus_bench.analysis.probe_prompts import in_symbols, stated, words_in_turn
from lazarus_bench.analysis.prompts import read_states
from lazarus_bench.errors import NotApplicable
from lazarus_bench.session import run as run_module
from lazarus_bench.session.run import Run
from lazarus_bench.tasks.arithmetic import held_out

SYMBOLS = in_symbols(held_out(40, 0))
WORDS = words_in_turn(held_out(40, 0))


@pytest.fixture(scope="module")
def run(tiny) -> Run:
    return Run(name="tiny", seed=0, directory=tiny)


@pytest.fixture(scope="module")
def states(run) -> np.ndarray:
    return read_states(run.loaded, SYMBOLS.texts)


def test_states_are_read_once_for_all_that_needs_them(tiny, monkeypatch):
    asked = []
    monkeypatch.setattr(
        run_module,
        "read_states",
        lambda loaded, texts: asked.append(texts) or read_states(loaded, texts),
    )
    fresh = Run(name="tiny", seed=0, directory=tiny)
    fresh.probe(SYMBOLS)
    fresh.probe_control(SYMBOLS)
    fresh.separation(SYMBOLS)
    fresh.silhouettes(SYMBOLS)
    assert fresh.probe(SYMBOLS) is fresh.probe(SYMBOLS)
    assert fresh.probe(in_symbols(held_out(40, 0))) is fresh.probe(SYMBOLS)
    assert asked == [SYMBOLS.texts]


def test_what_is_measured_of_states_is_the_instruments(run, states):
    assert run.states(SYMBOLS.texts).shape == (40, 4, 48)
    assert np.array_equal(run.probe(SYMBOLS).predicted, probing.probe(states, SYMBOLS).predicted)
    found = run.separation(SYMBOLS)
    assert np.array_equal(found, geometry.cluster_separation(states, SYMBOLS.labels))
    assert not np.allclose(found, run.separation(SYMBOLS, centred=False))


def test_each_seed_has_a_random_control_of_its_own(run, tiny):
    other = Run(name="tiny", seed=1, directory=tiny)
    assert np.allclose(other.states(SYMBOLS.texts), run.states(SYMBOLS.texts))
    found = [r.states(SYMBOLS.texts) for r in (run, run.randomised(), other.randomised())]
    assert not any(np.allclose(found[at - 1], found[at]) for at in range(3))


def test_transfer_reads_other_prompts_of_the_same_classes(run):
    hits = run.probe_transfer(SYMBOLS, in_symbols(held_out(24, 1)))
    assert hits.shape == (24, 4)
    assert hits.dtype == np.bool_
    with pytest.raises(ValueError, match="cannot be tested on"):
        run.probe_transfer(SYMBOLS, stated(held_out(8, 0)))


def test_directions_are_those_that_words_stand_along(run, states):
    found = run.directions(SYMBOLS, ("multiply", "add"))
    assert found.probe.shape == found.means.shape == (4, 48)
    weights = probing.class_weights(states[:, 2], SYMBOLS.labels)
    np.testing.assert_allclose(found.probe[2], weights[0] - weights[1])
    assert run.directions(SYMBOLS, ("multiply", "add")) is found


def test_words_stand_along_the_probes_direction(run):
    words = ("multiply", "add", "no such word")
    found = run.words_along_probe(SYMBOLS, 2, ("multiply", "add"), words)
    assert [word.word for word in found.words] == ["multiply", "add"]
    back = run.words_along_probe(SYMBOLS, 2, ("add", "multiply"), words)
    assert (found.rank + back.rank == found.vocabulary + 1).all()
    np.testing.assert_allclose(found.z, -back.z, rtol=1e-4)
    with pytest.raises(NotApplicable):
        run.words_along_probe(SYMBOLS, 2, ("multiply", "add"), ("no such word",))


TRAIN, TEST = in_symbols(held_out(16, 0)), in_symbols(held_out(8, 1))


@pytest.fixture(scope="module")
def confidence(run):
    return run.probe_confidence(TRAIN, TEST, "in-order")


def test_it_is_right_where_the_transferred_probe_is(confidence, run):
    best = run.probe(TRAIN, "in-order").best_layer
    assert (
        confidence.right.tolist() == run.probe_transfer(TRAIN, TEST, "in-order")[:, best].tolist()
    )
    assert len(confidence.probability) == len(TEST)


def test_unscaled_states_of_a_small_model_leave_the_probe_unsure(run, confidence):
    """Which is what confidences of 25% to 31% show of a model."""
    sure = run.probe_confidence(in_symbols(held_out(80, 0)), TEST, "pairs")
    assert confidence.probability.mean() < sure.probability.mean()


def test_the_probabilities_are_the_classifiers(run, confidence):
    layer = run.probe(TRAIN, "in-order").best_layer
    fitted = probing.classifier_for("in-order").fit(
        np.float64(run.states(TRAIN.texts)[:, layer]), TRAIN.labels
    )
    given = fitted.predict_proba(np.float64(run.states(TEST.texts)[:, layer]))
    assert confidence.probability == pytest.approx(given.max(axis=1))
