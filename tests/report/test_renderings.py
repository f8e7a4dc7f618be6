"""Every rendering of the hand-made report, registry and comparison is its golden file.

`python tests/report/sample_report.py` writes them anew, and so for `sample_registry` and
`sample_diff`.
"""

from pathlib import Path

import pytest
import sample_diff
import sample_registry
import sample_report

from lazarus_bench.report.html import render_html
from lazarus_bench.report.markdown import render
from lazarus_bench.report.pooling import pool_rows
from lazarus_bench.report.schema import SCHEMA_VERSION, Report

RENDERINGS = sample_report.RENDERINGS | sample_registry.RENDERINGS | sample_diff.RENDERINGS


@pytest.mark.parametrize("name", RENDERINGS)
def test_each_rendering_is_its_golden_file(name):
    assert RENDERINGS[name]() == Path(__file__).with_name(name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("page", "parts"),
    [(render, ("## Jobs",)), (render_html, ('id="filters"', 'id="jobs"', 'id="layers"'))],
)
def test_an_empty_report_says_so(page, parts):
    text = page(Report(created="2026-01-07", profile="smoke", command="pytest", manifest={}))
    assert "No claim was judged." in text
    assert not [part for part in (*parts, "Moved from their pins") if part in text]


def test_the_sample_is_of_this_version_and_pooled_from_its_rows():
    sample = sample_report.SAMPLE
    assert sample.schema == SCHEMA_VERSION
    assert sample.pooled == pool_rows(sample.rows)


@pytest.mark.parametrize("name", [name for name in RENDERINGS if name.endswith(".md")])
def test_every_table_has_as_many_cells_in_every_row(name):
    blocks = RENDERINGS[name]().replace("\\|", "").split("\n\n")
    tables = [block.splitlines() for block in blocks if block.startswith("| ")]
    assert len(tables) == {"golden.md": 13, "golden_registry.md": 3}.get(name, 0)
    for lines in tables:
        assert len({line.count("|") for line in lines}) == 1
