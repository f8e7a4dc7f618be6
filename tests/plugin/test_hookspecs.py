"""The hooks for others: each verdict once, and the report before it is written."""

import json

import pytest
from claimfiles import run, write

CLAIMS = """
@pre("fam/good", AtLeast(0.3), NARROW)
def test_good():
    return Means(values=NARROW)

@pre("fam/bad", AtMost(0.3), NARROW)
def test_bad():
    return Means(values=NARROW)
"""

CONFTEST = """
import json
from pathlib import Path

rows = []

def pytest_lazarus_bench_verdict(config, row):
    rows.append([row.claim_id, row.verdict.outcome.value])

def pytest_lazarus_bench_report(config, report, folder):
    assert not (folder / "report.json").exists()
    folder.mkdir(parents=True, exist_ok=True)
    said = {"rows": rows, "reported": [row.claim_id for row in report.rows]}
    (folder / "told.json").write_text(json.dumps(said))
    rows.clear()
"""


@pytest.mark.parametrize("more", [(), ("-n", "2")])
def test_hooks_are_called_where_the_report_is_written(tmp_path, more):
    folder = write(tmp_path, test_it=CLAIMS)
    (folder / "conftest.py").write_text(CONFTEST)
    ran = run(folder, {"told": (*more, "--lb-fail-on", "none")})["told"]
    told = json.loads((ran.folder / "told.json").read_text())
    assert sorted(told["rows"]) == [
        ["fam/bad", "refuted for this run"],
        ["fam/good", "supported for this run"],
    ]
    assert told["reported"] == ["fam/good", "fam/bad"]
