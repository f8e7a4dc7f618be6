"""Heat maps: one cell a prompt and layer, coloured by decade, whatever prompts and numbers are."""

import dataclasses
import math
import re
from importlib import resources
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lazarus_bench.report.heatmap_section import heatmap_section
from lazarus_bench.report.heatmap_svg import MOST_TICKS, svg, ticks
from rendered_page import NASTY, TAGS, Page, one_line
from sample_report import HEAT, SAMPLE

from lazarus_bench.figures import COLOURS, DECADES, KEY, HeatGroup, HeatMap, HeatRow, course, level
from lazarus_bench.plugin.options import PICTURES
from lazarus_bench.report import load, render, save
from lazarus_bench.report.pictures import FOLDERS, pictures

SVG = "{http://www.w3.org/2000/svg}"


@st.composite
def heatmaps(draw):
    depth = draw(st.integers(1, 50))
    numbers = st.lists(st.floats(), min_size=depth, max_size=depth).map(tuple)
    rows = st.lists(
        st.builds(HeatRow, prompt=NASTY, gold=NASTY, probability=numbers), min_size=1, max_size=3
    ).map(tuple)
    groups = st.lists(st.builds(HeatGroup, name=NASTY, rows=rows), min_size=1, max_size=2)
    return HeatMap(
        title=draw(NASTY),
        subject=draw(NASTY),
        layer=draw(st.integers(0, depth - 1)),
        seeds=draw(st.integers(1, 9)),
        groups=tuple(draw(groups)),
    )


def rows(item):
    return [row for group in item.groups for row in group.rows]


def cells(drawn):
    """The (x, y, colour, words) of every cell: of all rectangles, those with words."""
    found = [at for at in ElementTree.fromstring(drawn) if at.find(SVG + "title") is not None]
    return [
        (float(at.get("x")), float(at.get("y")), at.get("fill"), at.find(SVG + "title").text)
        for at in found
    ]


@pytest.mark.parametrize("power", range(-DECADES, 1))
def test_a_power_of_ten_begins_the_colour_that_the_key_shows_it_at(power):
    assert level(10.0**power) == min(2 * (power + DECADES), len(COLOURS) - 1)
    assert len(KEY) - 1 == DECADES == len(COLOURS) / 2


def test_what_is_off_the_scale_has_the_nearest_colour_and_nan_none():
    assert (level(0.0), level(1e-300), level(9.9e-7), level(-1.0)) == (0, 0, 0, 0)
    assert (level(1.0), level(2.0), level(math.inf)) == (11, 11, 11)
    assert level(math.nan) is None


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_has_no_lesser_colour(first, second):
    low, high = sorted((first, second))
    assert level(low) <= level(high)


def luminance(colour):
    """Relative luminance (WCAG 2.2) of #rrggbb."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_colours_grow_darker_by_enough_that_no_eye_needs_their_hue():
    # CIE 1976 lightness: a difference of 3 between neighbours is seen; here it is the least.
    found = [116 * luminance(colour) ** (1 / 3) - 16 for colour in COLOURS]
    steps = [first - second for first, second in pairwise(found)]
    assert min(steps) > 3
    assert found[0] > 90
    assert found[-1] < 20


def test_the_page_has_these_colours_in_the_light_and_their_reverse_in_the_dark():
    style = resources.files("lazarus_bench.report.html").joinpath("templates", "style.css")
    found = re.findall(r"--h(\d+): light-dark\((#\w+), (#\w+)\)", style.read_text())
    expected = zip(COLOURS, reversed(COLOURS), strict=True)
    assert found == [(str(at), *pair) for at, pair in enumerate(expected)]


@settings(deadline=None)
@given(heatmaps())
def test_every_number_is_one_cell_inside_the_drawing(item):
    drawn = svg(item)
    found = cells(drawn)
    numbers = [p for row in rows(item) for p in row.probability]
    assert len(found) == sum(not math.isnan(p) for p in numbers)
    root = ElementTree.fromstring(drawn)
    wide, high = float(root.get("width")), float(root.get("height"))
    assert all(0 <= x < wide and 0 <= y < high for x, y, *_ in found)
    assert len({(x, y) for x, y, *_ in found}) == len(found)


def test_layers_go_right_and_prompts_down_and_each_cell_says_its_number():
    found = cells(svg(HEAT))
    assert [said for *_, said in found] == [
        *("L0: 0", "L1: 3e-05", "L2: 0.910", "L3: 0.200"),
        *("L0: 1e-06", "L1: 0.00100", "L2: 0.500", "L3: 1"),
        *("L0: 2e-07", "L1: 0.00400", "L2: 0.0200", "L3: 0.316"),
    ]
    first, second = found[:4], found[4:8]
    assert [x for x, *_ in first] == sorted({x for x, *_ in first}) == [x for x, *_ in second]
    assert {y for _, y, *_ in first} == {first[0][1]}
    assert [y for _, y, *_ in found] == sorted(y for _, y, *_ in found)
    assert first[0][1] < second[0][1]
    assert [COLOURS.index(colour) for *_, colour, _ in second] == [0, 6, 11, 11]


def test_the_drawing_names_its_prompts_groups_and_layers():
    texts = [at.text for at in ElementTree.fromstring(svg(HEAT)).iter(SVG + "text")]
    for said in ("7 * 8 =", "the writeups' prompts", "1234567 | 89 …", "L2", *KEY):
        assert said in texts, said


@given(heatmaps())
def test_an_axis_names_few_layers_and_the_marked_one(item):
    named = ticks(item)
    assert item.layer in named
    assert 1 <= len(named) <= MOST_TICKS
    assert set(named) <= set(range(item.depth))


def test_what_it_shows_in_words():
    assert course(HEAT) == (
        "the writeups' prompts: mean 0.705 at L2, highest 1 at L3 of “23 + 45 =”; "
        "1 of 200 held-out prompts: mean 0.0200 at L2, highest 0.316 at L3 of “1234567 | 89 <b>”"
    )


@settings(deadline=None)
@given(heatmaps())
def test_nothing_breaks_out_of_the_markdown(item):
    page = Page("\n\n".join(heatmap_section([item])))
    assert [page.tags.count(tag) for tag in ("h2", "h3", "img", "details")] == [1, 1, 1, 1]
    assert set(page.tags) <= TAGS | {"h3", "img"}
    assert len(page.rows) == 1 + len(rows(item))
    assert {len(row) for row in page.rows} == {3 + min(item.depth, 8)}


def test_the_markdown_has_the_numbers_of_every_prompt():
    _, first, *_ = Page("\n\n".join(heatmap_section([HEAT]))).rows
    assert list(map(one_line, first)) == [
        *("the writeups' prompts", "7 * 8 =", "multiply"),
        *("0", "3e-05", "0.910", "0.200"),
    ]


def test_the_markdown_links_every_picture_there_is():
    linked = re.findall(r"\]\((\w+/\d+\.svg)\)", render(SAMPLE))
    assert linked == list(pictures(SAMPLE)) == ["heatmaps/01.svg", "scatters/01.svg"]


def test_the_options_know_the_folders_of_the_pictures():
    assert PICTURES == FOLDERS


def test_no_heat_map_no_section():
    assert list(heatmap_section([])) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groups": ()}, "has no prompt"),
        ({"groups": (HeatGroup(name="a", rows=()),)}, "a group without one"),
        ({"layer": 4}, "has no layer 4"),
        ({"layer": -1}, "has no layer -1"),
    ],
)
def test_a_heat_map_without_what_it_names_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(HEAT, **change)


def test_prompts_of_different_depth_are_refused():
    short = HeatRow(prompt="a", gold="b", probability=(0.1,))
    with pytest.raises(ValueError, match=r"have \[1, 4\] layers"):
        dataclasses.replace(HEAT, groups=(*HEAT.groups, HeatGroup(name="c", rows=(short,))))


@settings(deadline=None)
@given(heatmaps())
def test_any_heat_map_reads_back(tmp_path_factory, item):
    path = tmp_path_factory.mktemp("heat") / "report.json"
    save(dataclasses.replace(SAMPLE, rows=(), heatmaps=(item,)), path)
    assert repr(load(path).heatmaps) == repr((item,)), "one NaN does not equal another"
