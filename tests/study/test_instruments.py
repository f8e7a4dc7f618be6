"""What a defect might have produced: rounding to bfloat16, and numbers that follow from tables."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypotheses.writeups import instruments
from hypotheses.writeups.instruments import in_bfloat16, prints_no_bfloat16

RAW = (0.0203857421875, 0.0185546875, 0.0169677734375, 0.95703125, 0.5625, 0.984375)
"""Probabilities in the raw results beside C, of Llama's and of Granite's lens."""


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_rounding_is_mlxs(values):
    from lazarus_bench.backend import mx

    theirs = mx.array(np.array(values, np.float32)).astype(mx.bfloat16).astype(mx.float32)
    assert np.array_equal(in_bfloat16(values), np.array(theirs, np.float64))


def test_the_raw_results_of_the_lens_tables_are_bfloat16():
    assert in_bfloat16(RAW).tolist() == list(RAW)


def printed(finding, label):
    found = {item.label: item.evidence for item in (*finding.explains, *finding.others)}
    return found[label]


def test_dual_reward_was_read_in_a_wider_type_and_the_lens_tables_were_not():
    found = instruments.BF16_LENS
    assert printed(found, instruments.OFF_GRID_DUAL).point == 1
    assert printed(found, instruments.OFF_GRID_GRANITE).point == 0
    assert printed(found, instruments.OFF_GRID_BASE).point == 0


@pytest.mark.parametrize(("value", "decimals", "off"), [(0.957, 1, 0), (0.7655, 2, 1), (0, 2, 0)])
def test_a_percentage_is_on_the_grid_when_its_bfloat16_prints_alike(value, decimals, off):
    assert prints_no_bfloat16([value], decimals) == (off,)


def test_numbers_that_follow_from_the_tables():
    apart = printed(instruments.NON_CAUSAL_LENS, instruments.APART)
    assert apart.point == pytest.approx(0.0354, abs=1e-4)
    assert printed(instruments.GRANITE_FORWARD, instruments.TOP).point == pytest.approx(0.927, 1e-3)
    assert printed(instruments.RANDOM_INIT_PROBE, instruments.BEST_LAYER).point == 13 / 16
    assert instruments.CONSTANT_PREDICTOR.evidence.point == 0.25
    six = printed(instruments.CONSTANT_PREDICTOR, instruments.ALWAYS_ONE_OF_SIX)
    assert six.point == pytest.approx(2 / 6)
