"""Every rendering of a report is its golden file.

`python tests/report/sample_report.py` writes them anew. `test_diff` and `test_registry` have the
same for theirs.
"""

import pytest
from sample_report import GOLDEN_JSON, RENDERINGS, SAMPLE

from lazarus_bench.report.schema import SCHEMA_VERSION, load


@pytest.mark.parametrize("golden", RENDERINGS, ids=lambda path: path.name)
def test_each_rendering_is_its_golden_file(golden):
    assert RENDERINGS[golden]() == golden.read_text(encoding="utf-8")


def test_the_golden_report_on_file_opens_as_the_sample():
    found = load(GOLDEN_JSON)
    assert found == SAMPLE
    assert found.schema == SCHEMA_VERSION
