"""Damaged files of every format: one sentence or a verdict, never a trace, never a hang."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lazarus_bench.errors import UserError
from lazarus_bench.judge import Above
from lazarus_bench.results.files import sources
from lazarus_bench.results.judged import Statement, judge_files
from lazarus_bench.results.sidecar import judge_again
from lazarus_bench.results.table import Columns

DATA = Path(__file__).parent / "data"
LONG = "item,seed,arm,cluster,value\n" + "".join(
    f"{item},{seed},{arm},{item // 2},{(item + seed) % 3}\n"
    for item in range(4)
    for seed in range(2)
    for arm in "ab"
)
pytestmark = pytest.mark.timeout(120)
"""A hang ends here."""
EXAMPLES = 60
LETTERS = st.sampled_from([*b'\x00\xff"{}[],:-eE.0129\n\r\\ntfau', *"é".encode()])
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["set", "cut", "add", "end", "copy"]),
        st.floats(0, 1),
        st.lists(LETTERS, min_size=1, max_size=4).map(bytes),
    ),
    min_size=1,
    max_size=4,
)


def files():
    """A whole file of each format, by its ending or kind."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import csv, parquet

    table = csv.read_csv(pyarrow.BufferReader(LONG.encode()))
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(table, sink)
    logs = {name: (DATA / name).read_bytes() for name in ("inspect_good.json", "inspect_good.eval")}
    return {
        "long.csv": LONG.encode(),
        "long.jsonl": "\n".join(map(json.dumps, table.to_pylist())).encode(),
        "long.parquet": sink.getvalue().to_pybytes(),
        "lm.jsonl": (DATA / "lm_eval_sums_1.jsonl").read_bytes(),
        **logs,
    }


FILES = files()
VALUES = {"lm.jsonl": "acc", "inspect_good.json": "match", "inspect_good.eval": "match"}


def damaged(data, edits):
    """The bytes after some edits, each at a share of their length."""
    for what, share, letters in edits:
        at = int(share * len(data))
        if what == "set":
            data = data[:at] + letters + data[at + len(letters) :]
        elif what == "cut":
            data = data[:at] + data[at + 8 * len(letters) :]
        elif what == "add":
            data = data[:at] + letters + data[at:]
        elif what == "end":
            data = data[:at]
        else:
            data = data[:at] + data[at // 2 : at] + data[at:]
    return data


def check(judge):
    """Judge, or refuse in one sentence; anything else that is raised is a trace."""
    try:
        judge()
        said = "judged: as it is"
    except UserError as error:
        said = str(error)
    assert re.fullmatch(r"[^\n]+[:;] [^\n]+", said)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=EDITS)
def test_a_damaged_file_is_judged_or_refused_in_a_sentence(name, edits, tmp_path):
    path = tmp_path / name
    path.write_bytes(damaged(FILES[name], edits))
    claim = Statement(id="a/b", region="> 0")
    columns = Columns(value=VALUES.get(name))
    check(lambda: judge_files(sources([str(path)]), [claim], columns, "here"))


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=EDITS)
def test_damaged_samples_beside_a_report_are_judged_or_refused(edits, whole_report):
    path, data = whole_report
    path.write_bytes(damaged(data, edits))
    check(lambda: judge_again(path, "here", region=Above(0), stated=None, verdicts=None))


@pytest.fixture(scope="module")
def whole_report(tmp_path_factory):
    from lazarus_bench.report.written import write_report

    folder = tmp_path_factory.mktemp("report")
    (folder / "long.csv").write_text(LONG)
    given = sources([str(folder / "long.csv")])
    write_report(judge_files(given, [Statement(id="a/b", region="> 0")], Columns(), ""), folder)
    return folder / "evidence.npz", (folder / "evidence.npz").read_bytes()
