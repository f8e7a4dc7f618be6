"""Training curves in Markdown: what a cell and a sparkline say, whatever was logged."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lazarus_bench.report.curves import curves_section
from rendered_page import NASTY, TAGS, Page, one_line
from sample_report import CURVES

from lazarus_bench.figures import Curve, Curves

SPARK = re.compile(r"[▁▂▃▄▅▆▇█·]+")
POINTS = st.lists(st.tuples(st.floats(), st.floats()), max_size=40).map(tuple)
CURVE = st.builds(Curve, name=NASTY, lines=st.lists(POINTS, max_size=4).map(tuple))
ANY = st.builds(
    Curves,
    title=NASTY,
    subject=NASTY,
    x=NASTY,
    unit=NASTY,
    series=st.lists(CURVE, max_size=3).map(tuple),
)


def shown(*curves, **about):
    about = {"title": "A title", "subject": "lab:llama", "unit": "nats", **about}
    return "\n\n".join(curves_section([Curves(**about, series=curves)]))


def cells(*lines):
    """The cells of one series with these lines, its name left out."""
    page = Page(shown(Curve(name="loss", lines=lines)))
    return page.rows[1][1:]


def line(*values):
    return tuple((float(x), y) for x, y in enumerate(values, 1))


def test_no_curves_no_section():
    assert list(curves_section([])) == []


@given(ANY)
def test_whatever_was_logged_becomes_one_fold_with_one_table(curves):
    page = Page("\n\n".join(curves_section([curves])))
    assert set(page.tags) <= TAGS
    assert [page.tags.count(tag) for tag in ("h2", "details", "summary", "table")] == [1, 1, 1, 1]
    assert len(page.rows) == 1 + len(curves.series)
    assert len({len(row) for row in page.rows}) == 1
    assert len(page.rows[0]) <= 8
    title, subject, unit = map(one_line, (curves.title, curves.subject, curves.unit))
    assert page.summary == f"{title}: {subject}, {unit}"
    assert [row[0] for row in page.rows[1:]] == [one_line(c.name) for c in curves.series]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=25))
def test_the_sparkline_is_as_high_as_its_values(values):
    drawn = cells(line(*values))[-1]
    assert len(drawn) == len(values)
    order = sorted(range(len(values)), key=lambda i: values[i])
    heights = [drawn[i] for i in order]
    assert heights == sorted(heights)
    if values[order[0]] != values[order[-1]]:
        assert (heights[0], heights[-1]) == ("▁", "█")


def test_a_cell_has_the_mean_and_the_range_over_seeds():
    assert cells(line(1.0, 0.25), line(2.0, 0.5), line(6.0, 0.75)) == [
        "3 (1 to 6)",
        "0.500 (0.250 to 0.750)",
        "█▁",
    ]


def test_one_seed_has_no_range():
    assert cells(line(-1.5, 2.0)) == ["−1.50", "2", "▁█"]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_seed_without_a_finite_value_is_counted_out_loud(bad):
    found = cells(line(1.0, 3.0, bad), line(3.0, bad, bad))
    assert found == ["2 (1 to 3)", "3, 1 of 2 seeds", "·, 0 of 2 seeds", "▁█·"]


def test_a_point_stands_for_what_came_since_the_one_before():
    sparse, dense = ((1.0, 8.0), (4.0, 2.0)), line(8.0, 4.0, 2.0, 2.0, 0.0)
    header = Page(shown(Curve(name="a", lines=(sparse, dense)))).rows[0]
    assert header == ["step", "1", "2", "3", "4", "5", "Course"]
    first, *rest, last = cells(sparse, dense)[:5]
    assert (first, last) == ("8 (8 to 8)", "0, 1 of 2 seeds")
    assert rest == ["3 (2 to 4)", "2 (2 to 2)", "2 (2 to 2)"]


def test_a_series_that_not_every_seed_logged_says_so():
    page = Page(shown(Curve(name="a", lines=(line(1.0),) * 3), Curve(name="b", lines=(line(1.0),))))
    assert page.rows[2] == ["b", "1, 1 of 3 seeds", "▅"]


def test_six_columns_from_the_first_point_to_the_last():
    table = Page("\n\n".join(curves_section([CURVES]))).rows
    assert table[0] == ["step", "1", "100", "200", "300", "400", "500", "Course"]
    assert all(len(SPARK.fullmatch(row[-1])[0]) == 21 for row in table[1:])


def test_a_longer_line_is_drawn_no_wider():
    assert len(cells(line(*map(float, range(1000))))[-1]) == 25
