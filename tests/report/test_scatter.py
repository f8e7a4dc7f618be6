"""Scatters: one mark a point inside the frame, whatever the points and names are."""

import dataclasses
import math
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rendered_page import NASTY, Page
from sample_report import SAMPLE, SCATTER

from lazarus_bench.errors import UserError
from lazarus_bench.figures import FOLDER, MOST, Scatter, scatter_section, svg
from lazarus_bench.report import load, save, write_pictures

SVG = "{http://www.w3.org/2000/svg}"
COORDINATE = st.floats(-1e6, 1e6) | st.just(math.nan)


def scatter(points, classes=("a", "b"), name="A title"):
    return Scatter(
        title=name, subject=name, classes=classes, points=tuple(points), explained=(0.5, 0.25)
    )


def places(drawn):
    """Centres of all marks but the key's."""
    found = []
    for mark in ElementTree.fromstring(drawn):
        if mark.get("fill-opacity") != "0.65":
            continue
        if mark.tag == SVG + "circle":
            found.append((float(mark.get("cx")), float(mark.get("cy"))))
        else:
            corners = [tuple(map(float, c.split(","))) for c in mark.get("points").split()]
            found.append(tuple((min(axis) + max(axis)) / 2 for axis in zip(*corners, strict=True)))
    return found


@given(
    st.lists(st.tuples(COORDINATE, COORDINATE, st.integers(0, 1)), max_size=40),
    NASTY,
    NASTY,
)
def test_every_finite_point_is_one_mark_inside_the_frame(points, name, other):
    drawn = places(svg(scatter(points, (name, other), name)))
    assert len(drawn) == sum(math.isfinite(x) and math.isfinite(y) for x, y, _ in points)
    assert all(10 <= x <= 350 and 10 <= y <= 350 for x, y in drawn)


def test_both_axes_share_one_scale_and_up_is_up():
    (x0, y0), (x1, y1) = places(svg(scatter([(0.0, 0.0, 0), (4.0, 1.0, 0)])))
    assert x1 - x0 == pytest.approx(332)
    assert y0 - y1 == pytest.approx(83)


def test_the_key_names_and_counts_every_class():
    texts = [mark.text for mark in ElementTree.fromstring(svg(SCATTER)).iter(SVG + "text")]
    assert texts == ["world (6)", "sport & <games> (6)", "business (6)", "science (6)"]


def test_classes_differ_in_colour_and_in_shape():
    marks = [m for m in ElementTree.fromstring(svg(SCATTER)) if m.get("fill-opacity") == "1"]
    assert len({mark.get("fill") for mark in marks}) == 4
    assert len({(mark.tag, len((mark.get("points") or "").split())) for mark in marks}) >= 3


@given(NASTY, NASTY)
def test_a_title_cannot_break_out_of_the_markdown(name, subject):
    item = Scatter(title=name, subject=subject, classes=("a",), points=(), explained=(0.5, 0.2))
    page = Page("\n\n".join(scatter_section([item])))
    assert [page.tags.count(tag) for tag in ("h2", "h3", "img")] == [1, 1, 1]
    assert set(page.tags) <= {"h2", "h3", "img", "p", "code"}


def test_pictures_of_an_earlier_report_do_not_stay_and_other_files_do(tmp_path):
    folder = tmp_path / "scatters"
    folder.mkdir()
    for name in ("02.svg", "107.svg", "1.svg", "mine.svg", "02.png"):
        (folder / name).write_text("old")
    (folder / "03.svg").mkdir()
    write_pictures(SAMPLE, tmp_path)
    kept = {"01.svg", "03.svg", "1.svg", "mine.svg", "02.png"}
    assert {path.name for path in folder.iterdir()} == kept
    write_pictures(dataclasses.replace(SAMPLE, scatters=()), tmp_path)
    assert {path.name for path in folder.iterdir()} == kept - {"01.svg"}


def test_pictures_that_cannot_be_written_are_one_sentence(tmp_path):
    (tmp_path / FOLDER).write_text("a file")
    with pytest.raises(UserError, match=r"cannot write the report to .*; name a file where"):
        write_pictures(SAMPLE, tmp_path)


def test_no_scatter_no_section():
    assert list(scatter_section([])) == []


def test_too_many_points_and_a_point_of_no_class_are_refused():
    with pytest.raises(ValueError, match="more than 300"):
        scatter([(0.0, 0.0, 0)] * (MOST + 1))
    with pytest.raises(ValueError, match="of no class"):
        scatter([(0.0, 0.0, 2)])


@given(st.lists(st.tuples(st.floats(), st.floats(), st.integers(0, 1)), max_size=5), NASTY)
def test_any_scatter_reads_back(tmp_path_factory, points, name):
    path = tmp_path_factory.mktemp("scatter") / "report.json"
    report = dataclasses.replace(SAMPLE, rows=(), scatters=(scatter(points, name=name),))
    save(report, path)
    assert repr(load(path).scatters) == repr(report.scatters)
