"""Pins: kept beside each other, refused when damaged, and moved by a change but not by rounding."""

import json
from dataclasses import replace

import pytest

from lazarus_bench.claims.pins import ANY, FILE, SEVERAL, Pin, pin_of, read_pins, updated_pins
from lazarus_bench.errors import UserError
from lazarus_bench.judge import (
    AtLeast,
    Exact,
    Hits,
    Means,
    Outcome,
    Ratios,
    decide,
    not_applicable,
)

HERE, THERE = {"device": "here"}, {"device": "there"}
SEEDS = [[0.80], [0.85], [0.78], [0.82], [0.84]]


def judged(values, edge=0.5):
    return decide(Means(values=values), AtLeast(edge), family_size=1)


def update_pins(folder, verdicts, machine=HERE):
    folder.mkdir(exist_ok=True)
    machines = dict.fromkeys((key[0] for key in verdicts), machine)
    (folder / FILE).write_text(updated_pins(folder, verdicts, machines))


def test_written_pins_are_read_back_for_their_design_alone(tmp_path):
    assert read_pins(tmp_path).on_record("default", "lab:llama", "fam/one") is None
    verdict = judged(SEEDS)
    update_pins(tmp_path, {("default", "lab:llama", "fam/one"): verdict})
    pins = read_pins(tmp_path)
    assert pins.on_record("default", "lab:llama", "fam/one") == pin_of(verdict)
    for other in (("smoke", "lab:llama", "fam/one"), ("default", "lab:other", "fam/one")):
        assert pins.on_record(*other) is None
    assert pins.made_on("default", HERE)
    assert not pins.made_on("default", THERE)
    assert not pins.made_on("smoke", HERE)


def test_an_update_leaves_the_other_pins(tmp_path):
    first, other = judged(SEEDS), not_applicable(AtLeast(0.5), "no such word")
    update_pins(tmp_path, {("default", "a", "x/y"): first, ("full", "a", "x/y"): other})
    update_pins(tmp_path, {("default", "a", "x/z"): other})
    pins = read_pins(tmp_path)
    assert pins.on_record("default", "a", "x/y") == pin_of(first)
    assert pins.on_record("default", "a", "x/z") == Pin(verdict="not applicable")
    assert pins.on_record("full", "a", "x/y") == Pin(verdict="not applicable")


def test_a_design_pinned_on_two_machines_is_exact_on_neither(tmp_path):
    verdict = judged(SEEDS)
    update_pins(tmp_path, {("default", "a", "x/y"): verdict, ("default", "a", "x/z"): verdict})
    update_pins(tmp_path, {("default", "a", "x/z"): verdict}, THERE)
    pins = read_pins(tmp_path)
    assert pins.designs["default"].machine == SEVERAL
    assert not pins.made_on("default", HERE)
    assert not pins.made_on("default", THERE)
    both = {("default", "a", name): verdict for name in ("x/y", "x/z")}
    update_pins(tmp_path, both, THERE)
    assert read_pins(tmp_path).made_on("default", THERE)


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '"refuted"', {"p": []}, {"p": {"s": []}}, {"p": {"s": {"fam/one": "yes"}}},
     {"p": {"machine": {}, "claims": {"s": {"fam/one": {"verdict": "yes"}}}}}, {"p": 1}],
)  # fmt: skip
def test_damaged_pins_are_refused(tmp_path, content):
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / FILE).write_text(text)
    with pytest.raises(UserError, match=r"pins\.json .* pin again"):
        read_pins(tmp_path)


def test_what_speaks_of_the_machine_is_held_to_no_verdict():
    def verdict(over):
        sample = Ratios(numerator=[1.0, 1.1], denominator=[4.0, 4.1], over=over)
        return decide(sample, AtLeast(2.0), family_size=1)

    assert pin_of(verdict("repeats")).verdict == ANY
    assert pin_of(verdict("seeds")).verdict == "refuted"
    assert pin_of(verdict("repeats")).moved(judged(SEEDS), same_machine=True) == ""


def test_another_rounding_moves_nothing_and_another_effect_does():
    pin = pin_of(judged(SEEDS))
    shifts = (0.02, -0.03, 0.01, 0, 0.02)
    again = [[value[0] + shift] for value, shift in zip(SEEDS, shifts, strict=True)]
    assert pin.moved(judged(again), same_machine=False) == ""
    changed = judged([[value[0] + 0.4] for value in SEEDS])
    assert changed.outcome == "supported"
    assert "lies outside" in pin.moved(changed, same_machine=False)


def test_an_undecided_verdict_elsewhere_moves_nothing_but_the_other_side_does():
    pin = pin_of(judged([[0.55], [0.62], [0.57], [0.60], [0.59]]))
    assert pin.verdict == "supported"
    undecided = judged([[0.40], [0.62], [0.52], [0.60], [0.55]])
    assert undecided.outcome == "inconclusive"
    assert pin.moved(undecided, same_machine=False) == ""
    assert pin.moved(undecided, same_machine=True) == (
        "supported is on record for this kind of machine"
    )
    refuted = replace(undecided, outcome=Outcome.REFUTED)
    assert pin.moved(refuted, same_machine=False) == "supported is on record"


def test_one_run_predicts_no_other_training():
    pin = pin_of(decide(Hits(values=[[1] * 60]), AtLeast(0.5), family_size=1))
    assert (pin.verdict, pin.low, pin.high) == ("supported for this run", None, None)
    fewer = decide(Hits(values=[[1] * 45 + [0] * 15]), AtLeast(0.5), family_size=1)
    assert pin.moved(fewer, same_machine=False) == ""
    none = decide(Hits(values=[[0] * 60]), AtLeast(0.5), family_size=1)
    assert pin.moved(none, same_machine=False) == ""
    assert "supported for this run is on record" in pin.moved(none, same_machine=True)
    broken = replace(none, outcome=Outcome.INVALID)
    assert pin.moved(broken, same_machine=False) == "supported for this run is on record"


def test_what_can_no_longer_be_judged_has_moved():
    pin = pin_of(judged(SEEDS))
    gone = not_applicable(AtLeast(0.5), "no such word")
    assert pin.moved(gone, same_machine=False) == "supported is on record"
    assert pin_of(gone).moved(gone, same_machine=False) == ""


def test_a_computed_number_may_round_differently_elsewhere():
    pin = pin_of(decide(Exact(value=0.1 + 0.2), AtLeast(0.1), family_size=1))
    again = decide(Exact(value=0.3), AtLeast(0.1), family_size=1)
    assert pin.moved(again, same_machine=False) == ""
    other = decide(Exact(value=0.31), AtLeast(0.1), family_size=1)
    assert "lies outside" in pin.moved(other, same_machine=False)


def test_where_a_control_failed_it_may_pass_elsewhere_but_not_fail_anew():
    supported = judged(SEEDS)
    failed = replace(supported, outcome=Outcome.INVALID)
    assert pin_of(failed).moved(supported, same_machine=False) == ""
    assert pin_of(supported).moved(failed, same_machine=False) == "supported is on record"
