"""Documents survive the file, judge goals, merge on one machine and make the golden report."""

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_benchmark import DOCUMENT, GOLDEN, GOLDEN_PLOT, MACHINE, interval, written

from lazarus_bench.benchmark.document import (
    WANTED_SHARE,
    Part,
    Ratio,
    by_machine,
    headings,
    merged,
    read_document,
)
from lazarus_bench.benchmark.markdown import write_report
from lazarus_bench.errors import UserError


def test_a_document_comes_back_from_its_file(tmp_path):
    file = tmp_path / "found.json"
    file.write_text(DOCUMENT.to_json())
    assert read_document(file) == DOCUMENT


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kind": "benchmark", "schema": 99}'])
def test_another_file_is_refused_in_one_sentence(tmp_path, text):
    file = tmp_path / "other.json"
    file.write_text(text)
    with pytest.raises(UserError, match=r"other\.json .*lazarus-bench benchmark"):
        read_document(file)


NAN = float("nan")


def _spoilt(where: list[str | int], value: object) -> str:
    """The document as text with one thing in it exchanged; without it where `value` is ..."""
    row = json.loads(DOCUMENT.to_json())
    at = row
    for key in where[:-1]:
        at = at[key]
    at[where[-1]] = value
    if value is ...:
        del at[where[-1]]
    return json.dumps(row)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (["curves"], ...),
        (["ratios"], None),
        (["machine"], ["cpu"]),
        (["machine", "device"], ...),
        (["created"], 5),
        (["skipped"], {"lens": None}),
        (["ratios", 0, "more"], 1),
        (["ratios", 0, "found", "high"], NAN),
        (["ratios", 0, "found", "high"], 0.1),
        (["ratios", 0, "found", "low"], "2"),
        (["readings", 1, "found"], {"value": 0, "low": 0, "high": 0}),
        (["curves", 0, "sizes"], []),
        (["curves", 0, "cost", 0, "low"], 0),
        (["curves", 0, "exponent", "value"], NAN),
        (["profiles", 0, "machine"], 0),
        (["profiles", 0, "parts", 0, "milliseconds"], "9"),
    ],
)
def test_a_damaged_document_is_refused_in_one_sentence(tmp_path, where, value):
    file = tmp_path / "other.json"
    file.write_text(_spoilt(where, value))
    with pytest.raises(UserError, match=r"other\.json is damaged \(.*lazarus-bench benchmark"):
        read_document(file)


LIMITS = st.lists(st.floats(0.1, 10), min_size=3, max_size=3).map(sorted)


@given(limits=LIMITS, goal=st.floats(0.1, 10))
def test_a_goal_from_below_is_a_goal_from_above_turned_round(limits, goal):
    low, value, high = limits
    up = Ratio(name="", found=interval(value, low, high), rounds=3, at_least=goal)
    down = Ratio(name="", found=interval(1 / value, 1 / high, 1 / low), rounds=3, at_most=1 / goal)
    edges = {low, high} & {goal}
    assert edges or up.outcome == down.outcome
    assert (up.outcome == "met") == (low >= goal)


def test_a_curve_meets_its_goal_with_the_exponent_over_all_sizes():
    (curve,) = DOCUMENT.curves
    assert curve.outcome == "met"
    assert replace(curve, exponent=interval(1.5, 1.4, 1.6)).outcome == "missed"
    assert replace(curve, last=interval(1.5, 1.4, 1.6)).outcome == "met"
    assert replace(curve, exponent=interval(1.05, 0.9, 1.2)).outcome == "open"
    assert replace(curve, at_most=None).outcome == ""


def test_of_what_was_measured_twice_the_later_counts():
    later = replace(
        DOCUMENT,
        created="2026-11-23T00:00:00+00:00",
        command="lazarus-bench benchmark beside",
        ratios=(replace(DOCUMENT.ratios[0], found=interval(3.0)),),
        curves=(),
        skipped={},
    )
    found = merged([DOCUMENT, later])
    assert found.ratios[0].found.value == 3.0
    assert found.ratios[1:] == DOCUMENT.ratios[1:]
    assert found.curves == DOCUMENT.curves
    assert found.created == later.created
    assert found.command == "lazarus-bench benchmark\nlazarus-bench benchmark beside"


def test_documents_of_two_machines_are_not_added_up():
    other = replace(DOCUMENT, machine=MACHINE | {"blas": "Accelerate"})
    with pytest.raises(UserError, match=r"different machines \(blas: libmkl_rt.* and Acc"):
        merged([DOCUMENT, other])


def test_each_device_has_a_document_of_its_own():
    metal = replace(DOCUMENT, machine=MACHINE | {"device": "metal", "blas": "Accelerate"})
    assert by_machine([DOCUMENT, metal, DOCUMENT]) == [merged([DOCUMENT, DOCUMENT]), metal]
    with pytest.raises(UserError, match="no benchmark document"):
        by_machine([])


def test_what_was_measured_once_has_no_interval():
    (speed, memory) = DOCUMENT.readings
    assert speed.said == "2,500 [2,400, 2,600]"
    assert memory.said == "50"


def test_each_model_has_a_document_of_its_own():
    other = replace(DOCUMENT, model="stories", ratios=(replace(DOCUMENT.ratios[0], rounds=3),))
    assert by_machine([DOCUMENT, other]) == [DOCUMENT, other]
    assert headings([DOCUMENT]) == ["cpu (made up)"]
    wanted = ["cpu (made up), untrained lab llama", "cpu (made up), stories"]
    assert headings([DOCUMENT, other]) == wanted


def test_what_was_left_out_and_measured_later_is_left_out_no_more():
    (reading,) = DOCUMENT.readings[:1]
    names = ["SFT, 33 tokens a text", "lens, 32,000 words", reading.name, "routing"]
    earlier = replace(DOCUMENT, ratios=(), readings=(), skipped=dict.fromkeys(names, "no torch"))
    assert list(merged([earlier, DOCUMENT]).skipped) == [
        "lens, 32,000 words",
        "routing",
        *DOCUMENT.skipped,
    ]
    assert set(merged([DOCUMENT, earlier]).skipped) == {*names, *DOCUMENT.skipped}


def test_the_report_and_its_plot_are_the_golden_files(tmp_path):
    found = written(tmp_path)
    assert found == (GOLDEN.read_text(encoding="utf-8"), GOLDEN_PLOT.read_text(encoding="utf-8"))


def test_machines_stand_apart_with_plots_of_their_own(tmp_path):
    other = replace(DOCUMENT, machine=DOCUMENT.machine | {"device": "metal (made up)"})
    path = write_report([("cpu", DOCUMENT), ("metal", other)], tmp_path)
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, re.M) == ["cpu", "metal"]
    named = re.findall(r"\]\((benchmarks/[^)]*)\)", text)
    assert sorted(named) == sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.svg"))


def test_a_regression_is_said_on_top(tmp_path):
    fallen = replace(DOCUMENT.ratios[0], found=interval(0.5, 0.4, 0.6))
    path = write_report([("cpu", replace(DOCUMENT, ratios=(fallen,)))], tmp_path)
    text = path.read_text(encoding="utf-8")
    assert "**Regression:** SFT over mlx\\_lm.lora: arithmetic, batch 8 is 0.5 [0.4, 0.6]" in text
    assert "❌ missed" in text


(PROFILE,) = DOCUMENT.profiles


def test_a_goal_is_forbidden_by_its_operations_missed_or_met():
    assert PROFILE.ceiling == pytest.approx(0.5 / (9e-3 + 15.5e-3) / 100)
    assert PROFILE.share < PROFILE.ceiling < WANTED_SHARE
    assert PROFILE.outcome == "forbidden"
    (products, _, optimizer, rest) = PROFILE.parts
    idle = Part(kind="dispatch", operations=30, milliseconds=0.5)
    allowed = replace(PROFILE, parts=(products, idle, optimizer, rest))
    assert allowed.outcome == "missed"
    assert replace(allowed, achieved=WANTED_SHARE * allowed.machine).outcome == "met"
    assert replace(PROFILE, parts=()).ceiling == 0
