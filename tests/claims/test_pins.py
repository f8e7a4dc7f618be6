"""Pins: read, kept beside each other, refused when damaged."""

import json

import pytest

from lazarus_bench.claims.pins import ANY, FILE, pin_of, pinned, read_pins, updated_pins
from lazarus_bench.errors import UserError
from lazarus_bench.judge import AtLeast, Ratios, decide


def update_pins(folder, verdicts):
    folder.mkdir(exist_ok=True)
    (folder / FILE).write_text(updated_pins(folder, verdicts))


def test_written_pins_are_read_back_for_their_design_alone(tmp_path):
    assert read_pins(tmp_path) == {}
    assert pinned({}, "default", "lab:llama", "fam/one") is None
    update_pins(tmp_path, {("default", "lab:llama", "fam/one"): "not applicable"})
    pins = read_pins(tmp_path)
    assert pinned(pins, "default", "lab:llama", "fam/one") == "not applicable"
    assert pinned(pins, "smoke", "lab:llama", "fam/one") is None
    assert pinned(pins, "default", "lab:other", "fam/one") is None
    assert pinned(pins, "default", "lab:llama", "fam/two") is None


def test_an_update_leaves_the_other_pins(tmp_path):
    update_pins(tmp_path, {("default", "a", "fam/one"): "refuted", ("full", "a", "x/y"): "invalid"})
    update_pins(tmp_path, {("default", "a", "fam/one"): "supported"})
    assert read_pins(tmp_path) == {
        "default": {"a": {"fam/one": "supported"}},
        "full": {"a": {"x/y": "invalid"}},
    }


def test_order_does_not_show_in_the_file(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    keys = [("p", "s", "fam/one"), ("p", "r", "fam/two"), ("o", "s", "fam/one")]
    update_pins(first, dict.fromkeys(keys, "refuted"))
    update_pins(second, dict.fromkeys(reversed(keys), "refuted"))
    assert (first / FILE).read_text() == (second / FILE).read_text()


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '"refuted"',
        {"p": []},
        {"p": {"s": []}},
        {"p": {"s": {"fam/one": "yes"}}},
        {"p": 1},
    ],
)
def test_damaged_pins_are_refused(tmp_path, content):
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / FILE).write_text(text)
    with pytest.raises(UserError, match=r"pins\.json .* pin again"):
        read_pins(tmp_path)


def test_what_speaks_of_the_machine_is_held_to_no_verdict(tmp_path):
    def verdict(over):
        sample = Ratios(numerator=[1.0, 1.1], denominator=[4.0, 4.1], over=over)
        return decide(sample, AtLeast(2.0), family_size=1)

    assert pin_of(verdict("repeats")) == ANY
    assert pin_of(verdict("seeds")) == verdict("seeds").outcome.value != ANY
    update_pins(tmp_path, {("default", "a", "fam/speed"): ANY})
    assert pinned(read_pins(tmp_path), "default", "a", "fam/speed") == ANY
