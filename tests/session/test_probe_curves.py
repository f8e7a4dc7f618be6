"""Probe curves: the instruments' own numbers, one value a layer, over a null band."""

import numpy as np
import pytest

from lazarus_bench.analysis.probe_prompts import in_symbols
from lazarus_bench.session.run import Run
from lazarus_bench.session.shown import UPPER, probe_curves
from lazarus_bench.tasks.arithmetic import held_out

PROMPTS = in_symbols(held_out(40, 0))


@pytest.fixture(scope="module")
def runs(tiny) -> list[Run]:
    return [Run(name=f"tiny seed {seed}", seed=seed, directory=tiny) for seed in (0, 1)]


@pytest.fixture(scope="module")
def curves(runs):
    return probe_curves("Probe, symbols", runs, PROMPTS, "pairs")


def test_curves_have_a_value_for_each_layer_and_say_what_chance_is(curves):
    assert (curves.layers, curves.subject) == ((0, 1, 2, 3), "tiny")
    assert curves.unit == "fraction, chance 0.25"
    assert {series.seeds for series in curves.series} == {2}


def test_their_numbers_are_the_instruments(curves, runs):
    accuracy, random, control = curves.series
    null = runs[0].probe_null(PROMPTS)
    assert accuracy.mean == pytest.approx(runs[0].probe(PROMPTS).accuracy)
    assert curves.null.mean == pytest.approx(null.permuted.mean(axis=0))
    assert curves.null.upper == pytest.approx(np.quantile(null.maxima, UPPER))
    assert control.mean == pytest.approx(runs[0].probe_control(PROMPTS).mean(axis=0))
    blank = [run.randomised().probe(PROMPTS).accuracy for run in runs]
    assert random.mean == pytest.approx(np.mean(blank, axis=0))
    assert random.highest == pytest.approx(np.max(blank, axis=0))


def test_the_best_layers_null_is_above_every_layers_mean(curves):
    assert curves.null.upper >= max(curves.null.mean)
