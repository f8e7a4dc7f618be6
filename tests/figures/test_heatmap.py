"""Heat maps: one cell a prompt and layer in its colour, whatever prompts and numbers are."""

import dataclasses
import math
from itertools import pairwise

import pytest
from drawn import SVG, Drawn
from figure_strategies import luminance
from hypothesis import given
from hypothesis import strategies as st

from lazarus_bench.figures.draw import HEAT as COLOURS
from lazarus_bench.figures.draw import PALETTE
from lazarus_bench.figures.heatmap import (
    DECADES,
    PROBABILITY,
    HeatGroup,
    HeatMap,
    HeatRow,
    level,
    linear,
)
from lazarus_bench.figures.heatmap import heat as instruments_heat

PROMPT = "What is seven times eight?"


def row(prompt, *numbers):
    return HeatRow(prompt=prompt, gold="multiply", probability=numbers)


HEAT = HeatMap(
    title="Lens",
    subject="lab",
    layer=2,
    seeds=5,
    groups=(
        HeatGroup(
            name="ours",
            rows=(row("7 * 8 =", 0.0, 3e-5, 0.91, 0.2), row("23 + 45 =", 1e-6, 0.001, 0.5, 1.0)),
        ),
        HeatGroup(name="1 of 200", rows=(row("1234567 | 89 <b>", 2e-7, math.nan, 0.02, 0.316),)),
    ),
)


def heat(*numbers, prompt=PROMPT, layer=0):
    groups = (HeatGroup(name="ours", rows=(row(prompt, *numbers),) * 2),)
    return HeatMap(title="Lens", subject="lab", layer=layer, seeds=1, groups=groups)


def result(*numbers, at=(), largest=None):
    """The heat map of an instrument's result."""
    rows = [(PROMPT, "multiply", numbers)] * 2
    return instruments_heat("Lens", "lab", [("ours", rows)], 0, at, largest)


def cells(drawn):
    """The (x, y, colour, words) of every cell."""
    return [
        (float(at.get("x")), float(at.get("y")), at.get("fill"), at.findtext(f"{SVG}title"))
        for at in drawn.all("rect")
        if at.find(f"{SVG}title") is not None
    ]


@pytest.mark.parametrize("power", range(-DECADES, 1))
def test_a_power_of_ten_begins_the_colour_that_the_key_shows_it_at(power):
    assert level(10.0**power) == min(2 * (power + DECADES), len(COLOURS) - 1)
    assert len(PROBABILITY.key) - 1 == DECADES == len(COLOURS) / 2


def test_what_is_off_the_scale_has_the_nearest_colour_and_nan_none():
    assert (level(0.0), level(1e-300), level(9.9e-7), level(-1.0)) == (0, 0, 0, 0)
    assert (level(1.0), level(2.0), level(math.inf)) == (11, 11, 11)
    assert level(math.nan) is None


def test_colours_grow_darker_by_enough_that_no_eye_needs_their_hue():
    # CIE 1976 lightness: a difference of 3 between neighbours is seen; here it is the least.
    found = [116 * luminance(colour) ** (1 / 3) - 16 for colour in COLOURS]
    steps = [first - second for first, second in pairwise(found)]
    assert min(steps) > 3
    assert found[0] > 90
    assert found[-1] < 20
    pairs = [PALETTE[f"h{at}"] for at in range(len(COLOURS))]
    assert pairs == list(zip(COLOURS, reversed(COLOURS), strict=True)), "reversed on a dark page"


def test_layers_go_right_and_prompts_down_and_each_cell_says_its_number():
    found = cells(Drawn(HEAT.svg()))
    assert [said for *_, said in found] == [
        *("L0: 0", "L1: 3e-05", "L2: 0.910", "L3: 0.200"),
        *("L0: 1e-06", "L1: 0.00100", "L2: 0.500", "L3: 1"),
        *("L0: 2e-07", "L2: 0.0200", "L3: 0.316"),
    ]
    first, second, third = found[:4], found[4:8], found[8:]
    assert [x for x, *_ in first] == sorted({x for x, *_ in first}) == [x for x, *_ in second]
    assert [x for x, *_ in third] == [first[at][0] for at in (0, 2, 3)], "NaN is not drawn"
    assert len({y for _, y, *_ in found}) == 3
    assert [y for _, y, *_ in found] == sorted(y for _, y, *_ in found)
    assert [COLOURS.index(colour) for *_, colour, _ in second] == [0, 6, 11, 11]


def test_the_drawing_names_its_prompts_groups_and_layers():
    drawn = Drawn(HEAT.svg())
    for said in ("7 * 8 =", "ours", "1234567 | 89 …", "L2", *PROBABILITY.key):
        assert said in drawn.words, said
    assert "Lens: lab" not in drawn.words
    assert "Lens: lab" in Drawn(HEAT.svg(heading=True)).words


@given(st.integers(1, 200), st.data())
def test_an_axis_names_layers_that_do_not_touch_and_the_outlined_one(depth, data):
    layer = data.draw(st.integers(0, depth - 1))
    drawn = Drawn(heat(*[0.5] * depth, layer=layer).svg())
    named = {at.text: float(at.get("x")) for at in drawn.all("text") if at.text[0] == "L"}
    assert f"L{layer}" in named
    assert all(b - a >= 23.9 for a, b in pairwise(sorted(named.values())))
    assert len(cells(drawn)) == 2 * depth


def test_the_layers_asked_for_are_outlined_instead_of_its_own():
    def outlined(item):
        return [float(at.get("x")) for at in Drawn(item.svg()).all("rect", "s-ink")]

    numbers = (0.1, 0.2, 0.3, 0.4)
    own, (first, second) = outlined(heat(*numbers, layer=1)), outlined(result(*numbers, at=(0, 2)))
    assert len(own) == 1
    assert first < second
    assert outlined(result(*numbers)) == outlined(result(*numbers, at=range(4))) == []


def test_a_long_prompt_is_cut_and_a_wide_one_takes_its_room():
    assert "What is seven…" in Drawn(heat(0.5).svg()).words
    (name, _) = [at for at in Drawn(result(0.5).svg()).all("text") if at.text == PROMPT]
    assert float(name.get("x")) > 7 * len(PROMPT)
    assert "乘乘乘乘乘乘…" in Drawn(heat(0.5, prompt="乘" * 9).svg()).words


def test_the_description():
    assert HEAT.says() == (
        "ours: mean 0.705 at L2, highest 1 at L3 of “23 + 45 =”; "
        "1 of 200: mean 0.0200 at L2, highest 0.316 at L3 of “1234567 | 89 <b>”"
    )
    assert heat(math.nan).says() == "ours: mean not a number at L0, no finite number"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groups": ()}, "has no prompt"),
        ({"groups": (HeatGroup(name="a", rows=()),)}, "a group without one"),
        ({"layer": 4}, "has no layer 4"),
        ({"layer": -1}, "has no layer -1"),
        (
            {"groups": (*HEAT.groups, HeatGroup(name="c", rows=(row("a", 0.1),)))},
            r"have \[1, 4\] layers",
        ),
    ],
)
def test_a_heat_map_without_what_it_names_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(HEAT, **change)


def test_a_linear_scale_has_even_steps_and_the_last_colour_beyond_its_end():
    shades = linear(0.6)
    assert [shades.level(0.05 * at + 0.01) for at in range(12)] == list(range(12))
    assert (shades.level(-1), shades.level(0.6), shades.level(7)) == (0, 11, 11)
    assert shades.level(math.nan) is None
    assert shades.key == ("0", "0.100", "0.200", "0.300", "0.400", "0.500", "0.600")
    drawn = Drawn(result(0.0, 0.29, 0.56, largest=0.6).svg())
    assert [colour for *_, colour, _ in cells(drawn)][:3] == [COLOURS[0], COLOURS[5], COLOURS[11]]
    assert {"0.600", "0.300"} <= set(drawn.words)
    for largest in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="ends above 0"):
            linear(largest)


@given(largest=st.floats(1e-6, 1e6), one=st.floats(0, 1), other=st.floats(0, 1))
def test_more_is_never_lighter(largest, one, other):
    less, more = sorted((one, other))
    of = linear(largest).level
    assert 0 <= of(less * largest) <= of(more * largest) < len(COLOURS)
    assert level(less) <= level(more)
