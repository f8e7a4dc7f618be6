"""Figures in a report's Markdown: every link has its file, every number its cell."""

import dataclasses
import math
import re

import pytest
from figure_strategies import figures_with
from hypothesis import given, settings
from rendered_page import NASTY, TAGS, one_line, rendered
from sample_report import CURVES, SAMPLE

from lazarus_bench.errors import UserError
from lazarus_bench.figures.layers import LayerCurves, LayerSeries, NullBand
from lazarus_bench.figures.training import Curve, Curves
from lazarus_bench.report.markdown import render
from lazarus_bench.report.pictures import (
    FOLDER,
    curves_section,
    heatmap_section,
    layer_curves_section,
    pictures,
    scatter_section,
    write_pictures,
)
from lazarus_bench.report.schema import load, save
from lazarus_bench.session.options import PICTURES

FIGURES = figures_with(NASTY, deepest=60)


def test_the_markdown_links_every_figure_there_is():
    linked = re.findall(r"\]\((.*?\.svg)\)", render(SAMPLE))
    assert sorted(linked) == sorted(pictures(SAMPLE))
    kinds = {name.removeprefix("figures/").partition("-")[0] for name in linked}
    assert kinds == {"heat", "scatter", "layers", "training", "forest"}
    assert PICTURES == (FOLDER,), "the options know the folder of the figures"


def test_figures_of_an_earlier_report_do_not_stay_and_other_files_do(tmp_path):
    folder = tmp_path / FOLDER
    folder.mkdir()
    for name in ("scatter-02.svg", "training-107.svg", "forest-a--b.svg"):
        (folder / name).write_text("old")
    others = {"1.svg", "mine.svg", "scatter-02.png", "layers.svg"}
    for name in others:
        (folder / name).write_text("mine")
    write_pictures(SAMPLE, tmp_path)
    ours = {path.removeprefix("figures/") for path in pictures(SAMPLE)}
    assert {path.name for path in folder.iterdir()} == others | ours
    write_pictures(dataclasses.replace(SAMPLE, scatters=(), pooled=()), tmp_path)
    left = {name for name in ours if not name.startswith(("scatter", "forest"))}
    assert {path.name for path in folder.iterdir()} == others | left


def test_a_figure_behind_a_link_is_not_removed(tmp_path):
    theirs = tmp_path / "away" / "training-99.svg"
    theirs.parent.mkdir()
    theirs.write_text("theirs")
    (tmp_path / FOLDER).symlink_to(theirs.parent)
    write_pictures(SAMPLE, tmp_path)
    assert theirs.read_text() == "theirs"


def test_figures_that_cannot_be_written_are_one_sentence(tmp_path):
    (tmp_path / FOLDER).write_text("a file")
    with pytest.raises(UserError, match=r"cannot write the report to .*; name a file where"):
        write_pictures(SAMPLE, tmp_path)


@pytest.mark.parametrize(
    "section", [heatmap_section, scatter_section, layer_curves_section, curves_section]
)
def test_nothing_to_show_no_section(section):
    assert list(section([])) == []


@given(FIGURES.scatter)
def test_a_title_of_a_scatter_stays_a_title(item):
    page = rendered("\n\n".join(scatter_section([item])))
    assert [page.tags.count(tag) for tag in ("h2", "h3", "img")] == [1, 1, 1]
    assert set(page.tags) <= {"h2", "h3", "img", "p", "code"}


@settings(max_examples=40)
@given(FIGURES.heat)
def test_nothing_of_a_heat_map_breaks_out(item):
    page = rendered("\n\n".join(heatmap_section([item])))
    assert [page.tags.count(tag) for tag in ("h2", "h3", "img", "details")] == [1, 1, 1, 1]
    assert set(page.tags) <= TAGS | {"h3", "img"}
    assert len(page.rows) == 1 + sum(len(group.rows) for group in item.groups)
    assert {len(row) for row in page.rows} == {3 + min(item.depth, 8)}


@settings(max_examples=25)
@given(FIGURES.scatter, FIGURES.heat, FIGURES.layers, FIGURES.curves)
def test_any_figure_reads_back(tmp_path_factory, points, heat, layers, curves):
    path = tmp_path_factory.mktemp("figures") / "report.json"
    figures = {
        "scatters": (points,),
        "heatmaps": (heat,),
        "layer_curves": (layers,),
        "curves": (curves,),
    }
    save(dataclasses.replace(SAMPLE, rows=(), pooled=(), **figures), path)
    found = load(path)
    for name, given_ in figures.items():
        assert repr(getattr(found, name)) == repr(given_), "one NaN does not equal another"


def shown(*curves):
    about = {"title": "A title", "subject": "lab:llama", "unit": "nats"}
    return "\n\n".join(curves_section([Curves(**about, series=curves)]))


def cells(*lines):
    """The cells of one series with these lines, its name left out."""
    return rendered(shown(Curve(name="loss", lines=lines))).rows[1][1:]


def line(*values):
    return tuple((float(x), y) for x, y in enumerate(values, 1))


def folded(section, item):
    """The page of one item, a fold with a figure and a table that has a row for each series."""
    page = rendered("\n\n".join(section([item])))
    assert set(page.tags) <= TAGS | {"strong", "img"}
    counted = [page.tags.count(tag) for tag in ("h2", "details", "summary", "img", "table")]
    assert counted == [1, 1, 1, 1, 1]
    title, subject, unit = map(one_line, (item.title, item.subject, item.unit))
    assert page.summary == f"{title}: {subject}, {unit}"
    names = [one_line(series.name) for series in item.series]
    assert [row[0] for row in page.rows[1 : 1 + len(names)]] == names
    return page


@given(FIGURES.curves)
def test_whatever_was_logged_becomes_one_fold_with_a_figure_and_a_table(curves):
    page = folded(curves_section, curves)
    assert len(page.rows) == 1 + len(curves.series)
    assert len({len(row) for row in page.rows}) == 1
    assert len(page.rows[0]) <= 7


def test_a_cell_has_the_mean_and_the_range_over_seeds_if_there_are_more_than_one():
    table = rendered("\n\n".join(curves_section([CURVES]))).rows
    assert table[0] == ["step", "1", "100", "200", "300", "400", "500"], "six, with both ends"
    assert cells(line(1.0, 0.25), line(2.0, 0.5), line(6.0, 0.75)) == [
        "3 (1 to 6)",
        "0.500 (0.250 to 0.750)",
    ]
    assert cells(line(-1.5, 2.0)) == ["−1.50", "2"]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_seed_without_a_finite_value_is_counted_out_loud(bad):
    found = cells(line(1.0, 3.0, bad), line(3.0, bad, bad))
    assert found == ["2 (1 to 3)", "3, 1 of 2 seeds", "·, 0 of 2 seeds"]


def test_a_point_is_the_mean_of_the_steps_since_the_one_before():
    sparse, dense = ((1.0, 8.0), (4.0, 2.0)), line(8.0, 4.0, 2.0, 2.0, 0.0)
    header = rendered(shown(Curve(name="a", lines=(sparse, dense)))).rows[0]
    assert header == ["step", "1", "2", "3", "4", "5"]
    assert cells(sparse, dense) == [
        *("8 (8 to 8)", "3 (2 to 4)", "2 (2 to 2)", "2 (2 to 2)", "0, 1 of 2 seeds")
    ]
    page = rendered(
        shown(Curve(name="a", lines=(line(1.0),) * 3), Curve(name="b", lines=(line(1.0),)))
    )
    assert page.rows[2] == ["b", "1, 1 of 3 seeds"]


def by_layer(*series, null=None, layers=None):
    layers = layers or tuple(range(len(series[0].mean)))
    item = LayerCurves(
        title="t", subject="s", unit="accuracy", layers=layers, series=series, null=null
    )
    return "\n\n".join(layer_curves_section([item]))


def row(text, position=1):
    return rendered(text).rows[position][1:]


@given(FIGURES.layers)
def test_whatever_was_measured_becomes_one_fold_with_a_figure_and_a_table(item):
    page = folded(layer_curves_section, item)
    assert len(page.rows) == 1 + len(item.series) + (item.null is not None)
    assert {len(line) for line in page.rows} == {min(len(item.layers), 8) + 2}
    if item.null:
        assert page.rows[-1][0] == one_line(f"null: {item.null.name}")


def test_a_layers_cell_has_the_mean_and_the_range_over_seeds():
    text = by_layer(LayerSeries.of("a", ((0.25, 1.0), (0.75, 3.0))))
    assert "Mean over 2 seeds" in text
    assert row(text) == ["0.500 (0.250 to 0.750)", "2 (1 to 3)", "2 at L1"]
    one = by_layer(LayerSeries.of("a", ((0.25, 0.5),)))
    assert "seeds" not in one
    assert row(one)[:2] == ["0.250", "0.500"]


def test_only_what_is_above_the_best_layer_of_the_null_is_bold():
    null = NullBand(name="permuted", mean=(0.1, 0.1, 0.1), upper=0.4)
    text = by_layer(LayerSeries.of("a", ((0.4, 0.401, 0.2),)), null=null)
    assert text.count("**") == 2
    assert "**0.401**" in text
    assert row(text, 2) == ["0.100", "0.100", "0.100", "95%: 0.400"]
    assert "Bold is above 0.400" in text


def test_eight_columns_from_the_first_layer_to_the_last():
    depth = 40
    series = LayerSeries.of("a", (tuple(layer / depth for layer in range(depth)),))
    head, line = rendered(by_layer(series, layers=tuple(range(depth)))).rows
    assert (head[1], head[-2], len(head)) == ("L0", "L39", 10)
    assert line[-1] == "0.975 at L39"
    few = rendered(by_layer(LayerSeries.of("a", ((1.0, 2.0),)), layers=(4, 12))).rows[0]
    assert few == ["Layer", "L4", "L12", "Highest"]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_layer_without_a_number_is_no_number(bad):
    one = LayerSeries(name="a", mean=(bad, 1.0), lowest=(bad, 1.0), highest=(bad, 1.0))
    assert row(by_layer(one)) == ["·", "1", "1 at L1"]
    none = LayerSeries(name="a", mean=(bad,), lowest=(bad,), highest=(bad,))
    assert row(by_layer(none)) == ["·", "·"]
