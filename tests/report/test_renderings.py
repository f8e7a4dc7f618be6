"""Every rendering of the hand-made report, registry and comparison is its golden file.

`python tests/report/sample_report.py` writes them anew, and so for `sample_registry` and
`sample_diff`.
"""

from pathlib import Path

import pytest
import sample_diff
import sample_registry
import sample_report

from lazarus_bench.report.pooling import pool_rows
from lazarus_bench.report.schema import SCHEMA_VERSION

RENDERINGS = sample_report.RENDERINGS | sample_registry.RENDERINGS | sample_diff.RENDERINGS


@pytest.mark.parametrize("name", RENDERINGS)
def test_each_rendering_is_its_golden_file(name):
    assert RENDERINGS[name]() == Path(__file__).with_name(name).read_text(encoding="utf-8")


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
