"""The gate fails on certain regressions of ratios alone; the tracked file has only gains."""

import json
from dataclasses import replace

import pytest
from sample_benchmark import DOCUMENT, interval

from lazarus_bench.benchmark.document import Document, Ratio
from lazarus_bench.benchmark.gate import LEAST, MOST, STEEPEST, bigger_is_better, regressions


def document_of(*ratios: Ratio) -> Document:
    return replace(DOCUMENT, ratios=ratios, curves=())


@pytest.mark.parametrize("start", LEAST)
def test_a_ratio_wholly_below_its_bound_has_regressed(start):
    bound = LEAST[start]
    below = Ratio(name=f"{start}: x", found=interval(bound / 2, bound / 3, bound / 1.1), rounds=5)
    across = Ratio(name=f"{start}: x", found=interval(bound / 2, bound / 3, 2 * bound), rounds=5)
    assert [start in sentence for sentence in regressions(document_of(below))] == [True]
    assert regressions(document_of(across)) == []


@pytest.mark.parametrize("start", MOST)
def test_a_cost_wholly_above_its_bound_has_regressed(start):
    bound = MOST[start]
    above = Ratio(name=start, found=interval(2 * bound, 1.5 * bound, 3 * bound), rounds=5)
    assert len(regressions(document_of(above))) == 1
    assert regressions(document_of(replace(above, found=interval(2 * bound, 0, 9)))) == []


def test_a_ratio_without_a_bound_cannot_regress():
    assert (
        regressions(document_of(Ratio(name="something new", found=interval(0.01), rounds=2))) == []
    )


def test_an_exponent_certainly_too_steep_has_regressed_where_one_is_asked_for():
    (curve,) = DOCUMENT.curves
    steep = replace(curve, exponent=interval(STEEPEST + 1, STEEPEST + 0.5, STEEPEST + 2))
    across = replace(curve, exponent=interval(STEEPEST + 1, STEEPEST - 0.5, STEEPEST + 2))
    assert len(regressions(replace(DOCUMENT, ratios=(), curves=(steep,)))) == 1
    assert regressions(replace(DOCUMENT, ratios=(), curves=(across,))) == []
    assert regressions(replace(DOCUMENT, ratios=(), curves=(replace(steep, at_most=None),))) == []


def test_readings_are_never_compared():
    slow = replace(DOCUMENT.readings[0], found=interval(1e-9))
    assert regressions(replace(DOCUMENT, readings=(slow,), ratios=(), curves=())) == []


def test_every_row_has_the_formats_fields_and_a_name_of_its_own():
    rows = json.loads(bigger_is_better(DOCUMENT))
    assert all({"name", "unit", "value", "range", "extra"} == set(row) for row in rows)
    assert all(isinstance(row["value"], float | int) for row in rows)
    names = [(row["name"], row["unit"]) for row in rows]
    assert len(set(names)) == len(names) == 2 + 3 + 1


def test_what_is_better_when_smaller_is_turned_round():
    rows = {(r["name"], r["unit"]): r for r in json.loads(bigger_is_better(DOCUMENT))}
    assert rows["recipe: SFT, LoRA", "training tok/s"]["value"] == 2500
    assert rows["recipe: SFT, LoRA", "1 / (MiB, allocator)"]["value"] == 1 / 50
    turned = rows["inverse of dual reward over SFT: seconds a token, batch 16", "ratio"]
    assert turned["value"] == 1 / 1.3
    assert turned["range"] == "0.714286 to 0.833333"
