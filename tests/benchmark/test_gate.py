"""The gate fails on certain regressions of ratios alone; the tracked file has only gains."""

import json
from dataclasses import replace

import pytest
from sample_benchmark import DOCUMENT, interval

from lazarus_bench.benchmark.document import Document, Ratio
from lazarus_bench.benchmark.gate import LEAST, MOST, STEEPEST, bigger_is_better, regressions


def document_of(*ratios: Ratio) -> Document:
    return replace(DOCUMENT, ratios=ratios, curves=())


@pytest.mark.parametrize("start", [*LEAST, *MOST])
def test_only_a_ratio_wholly_beyond_its_bound_has_regressed(start):
    bound, costs = (LEAST | MOST)[start], start in MOST
    beyond = interval(2 * bound, 1.5 * bound, 3 * bound)
    if not costs:
        beyond = interval(bound / 2, bound / 3, bound / 1.1)
    ratio = Ratio(name=f"{start}: x", found=beyond, rounds=5)
    (sentence,) = regressions(document_of(ratio))
    assert start in sentence
    across = interval(beyond.value, bound / 3, 3 * bound)
    assert regressions(document_of(replace(ratio, found=across))) == []
    assert regressions(document_of(replace(ratio, name="without a bound"))) == []


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
