"""Every object's way through JSON."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judge_strategies import evidence, regions

from lazarus_bench.judge import (
    Above,
    Control,
    Effect,
    Exact,
    Interval,
    Means,
    Reported,
    Within,
    decide,
    from_json,
    not_applicable,
    to_json,
)


def through_json(obj):
    return from_json(json.loads(json.dumps(to_json(obj), allow_nan=False)))


@settings(max_examples=60, deadline=None)
@given(evidence, regions)
def test_evidence_regions_and_verdicts_survive_json(sample, region):
    verdict = decide(
        sample,
        region,
        family_size=3,
        controls=[Control(name="c", value=math.inf, expectation="inf", passed=True)],
    )
    assert through_json(sample) == sample
    assert through_json(region) == region
    assert through_json(verdict) == verdict


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_limits_survive_json_also_when_infinite(low, high):
    interval = Interval(low=low, high=high, level=0.9)
    assert through_json(interval) == interval
    effect = Effect(name="inf", value=low, low=low, high=high, level=0.9)
    assert through_json(effect) == effect


def test_not_a_number_survives_json():
    assert math.isnan(through_json(Interval(low=math.nan, high=1, level=0.9)).low)


def test_words_that_look_like_numbers_survive_json():
    assert through_json(not_applicable(Above(0), "nan")) == not_applicable(Above(0), "nan")
    for sample in (
        Exact(value=1, note="inf"),
        Reported(value=1, low=0.5, note="nan"),
        Means(values=np.ones((1, 2)), clusters=("inf", 3)),
    ):
        assert through_json(sample) == sample


def test_foreign_objects_are_refused_both_ways():
    with pytest.raises(TypeError, match="dict is not a type"):
        to_json({})
    with pytest.raises(TypeError, match="object is not a type"):
        to_json(object())
    with pytest.raises(ValueError, match="'Nonsense', not a type"):
        from_json({"type": "Nonsense"})
    with pytest.raises(ValueError, match="no field 'c'"):
        from_json({**to_json(Within(0, 1)), "c": 1})
    with pytest.raises(ValueError, match=r"value\.x is missing"):
        from_json({"type": "AtLeast"})
