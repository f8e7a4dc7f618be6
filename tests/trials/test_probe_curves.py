"""Probe curves: the instruments' own numbers, one value a layer, plain enough for a report."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from lazarus_bench.analysis.probe_prompts import in_symbols
from lazarus_bench.tasks.arithmetic import held_out
from lazarus_bench.trials.probe_curves import BAND, probe_curve
from lazarus_bench.trials.runs import Run

PROMPTS = in_symbols(held_out(40, 0))


@pytest.fixture(scope="module")
def runs(tiny) -> list[Run]:
    return [Run(name="tiny", seed=seed, directory=tiny) for seed in (0, 1)]


@pytest.fixture(scope="module")
def curve(runs):
    return probe_curve("symbols", "tiny", runs, PROMPTS, "pairs")


def test_a_curve_has_a_value_for_each_layer(curve):
    lines = (curve.accuracy, curve.lowest, curve.highest, curve.control, curve.random, *curve.null)
    assert {len(line) for line in lines} == {4}
    assert (curve.chance, curve.seeds, curve.subject) == (0.25, 2, "tiny")
    assert json.loads(json.dumps(asdict(curve)))["accuracy"] == list(curve.accuracy)


def test_its_numbers_are_the_instruments(curve, runs):
    assert curve.accuracy == pytest.approx(runs[0].probe(PROMPTS).accuracy)
    null = runs[0].probe_null(PROMPTS)
    np.testing.assert_allclose(curve.null, np.quantile(null.permuted, BAND, axis=0))
    assert curve.null_best == pytest.approx(np.quantile(null.maxima, BAND[-1]))
    assert curve.control == pytest.approx(runs[0].probe_control(PROMPTS).mean(axis=0))
    random = [run.randomised().probe(PROMPTS).accuracy for run in runs]
    assert curve.random == pytest.approx(np.mean(random, axis=0))


def test_the_best_layers_null_is_above_every_layers(curve):
    assert curve.null_best >= max(curve.null[-1])
    differences = np.subtract(curve.accuracy, curve.control)
    assert curve.selectivity == pytest.approx(differences)
    assert all(low <= high for low, high in zip(curve.lowest, curve.highest, strict=True))
