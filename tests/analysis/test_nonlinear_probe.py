"""Nonlinear probes: they read what linear ones do, and a planted exclusive or that those do not."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from lazarus_bench.analysis import nonlinear_probe as networks
from lazarus_bench.analysis.logistic import Rows
from lazarus_bench.analysis.nonlinear_probe import (
    Probes,
    fit_networks,
    nonlinear_null,
    nonlinear_probe,
)
from lazarus_bench.analysis.probe import control_task, probe
from lazarus_bench.analysis.probe_prompts import in_symbols
from lazarus_bench.session.codec import decode, encode
from lazarus_bench.session.samples import Asked, Stack
from lazarus_bench.tasks.arithmetic import held_out

PROMPTS = in_symbols(held_out(120, 0))
GOLD = np.array(PROMPTS.labels)
LINEAR, EXCLUSIVE, NOISE = range(3)


@pytest.fixture(scope="module")
def planted():
    """States of three layers: classes along directions, classes by signs that agree, and noise."""
    rng = np.random.default_rng(0)
    states = rng.normal(size=(len(GOLD), 3, 16)).astype(np.float32)
    states[:, LINEAR] += 4 * np.eye(16)[GOLD]
    for bit, first in ((GOLD // 2, 0), (GOLD % 2, 2)):
        sign = rng.choice([-3, 3], size=len(GOLD))
        states[:, EXCLUSIVE, first] += sign
        states[:, EXCLUSIVE, first + 1] += sign * (2 * bit - 1)
    return states


@pytest.fixture(scope="module")
def found(planted):
    return nonlinear_probe(planted, PROMPTS, draws=3)


def test_what_is_planted_is_read_by_those_who_can(planted, found):
    linear, nonlinear = found.linear.mean(axis=0), found.nonlinear.mean(axis=0)
    assert nonlinear[LINEAR] > linear[LINEAR] - 0.05 > 0.85
    assert linear[EXCLUSIVE] < 0.4 < 0.5 < nonlinear[EXCLUSIVE]
    assert max(linear[NOISE], nonlinear[NOISE]) < 0.4
    assert abs(found.added[:, LINEAR].mean()) < 0.1 < found.added[:, EXCLUSIVE].mean()
    assert np.array_equal(found.linear, probe(planted, PROMPTS).hits)
    assert np.array_equal(found.linear_control, control_task(planted, PROMPTS, draws=3))
    selectivity = found.nonlinear - found.nonlinear_control
    np.testing.assert_allclose(found.added, selectivity - (found.linear - found.linear_control))


def test_the_null_takes_the_best_layer_inside_each_permutation(planted, found):
    null = nonlinear_null(planted[:, [NOISE, LINEAR]], PROMPTS, permutations=19)
    np.testing.assert_allclose(null.observed, found.nonlinear.mean(axis=0)[[NOISE, LINEAR]])
    assert null.permuted.shape == (19, 2)
    assert null.permuted.mean() == pytest.approx(0.25, abs=0.04)
    assert null.layer_p_values[0] > 0.05 == null.layer_p_values[1]


def objective(hidden, out, hidden_bias, bias, states, labels):
    scores = np.maximum(states @ hidden + hidden_bias, 0) @ out + bias
    log_z = np.log(np.exp(scores).sum(axis=1))
    loss = (log_z - scores[np.arange(len(labels)), labels]).sum()
    return loss + 0.5 * ((hidden**2).sum() + (out**2).sum())


def test_a_fit_is_as_good_as_scikit_learns_of_the_same_objective(planted):
    labels = GOLD[:60]
    states = planted[:60, EXCLUSIVE].astype(float)
    rows = Rows.of(states)
    fitted = fit_networks(rows, np.stack([labels, labels[::-1]]), 4)
    hidden = fitted.hidden[:, 0].astype(float)
    coordinates = rows.coordinates[:, :-1].astype(float)
    own = objective(hidden[:-1], fitted.out[0], hidden[-1], fitted.bias[0], coordinates, labels)
    theirs = MLPClassifier((networks.HIDDEN,), alpha=1.0, solver="lbfgs", random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs.fit(states, labels)
    (first, second), (bias, last) = theirs.coefs_, theirs.intercepts_
    assert own < 1.05 * objective(first, second, bias, last, states, labels)


def test_labellings_are_fitted_as_if_alone_and_come_out_the_same(planted, monkeypatch):
    states = planted[:, :1]
    together = nonlinear_null(states, PROMPTS, permutations=3)
    monkeypatch.setattr(networks, "CHUNK", 1)
    alone = nonlinear_null(states, PROMPTS, permutations=3)
    np.testing.assert_allclose(alone.permuted, together.permuted, atol=0.02)
    again = nonlinear_null(states, PROMPTS, permutations=3)
    assert np.array_equal(alone.permuted, again.permuted)


def test_they_come_back_from_the_store_as_they_were(found):
    added = Stack([found], Asked()).added
    assert (added.axes, added.bounds) == (("seeds", "prompts", "layers"), (-2, 2))
    again = decode(encode(found, Probes), Probes)
    assert np.array_equal(again.added, found.added)
