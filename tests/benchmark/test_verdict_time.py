"""The time to a first verdict is that of a verdict, and of no claim that was passed over."""

import json
import subprocess

import pytest

from lazarus_bench.benchmark import verdict_time
from lazarus_bench.benchmark.verdict_time import CLAIM, seconds_to_verdict
from lazarus_bench.errors import UserError

JUDGED = {"outcome": "supported", "estimate": {"value": 0.1}}
PASSED_OVER = {"outcome": "not applicable", "estimate": None}


@pytest.fixture
def pytest_leaves(monkeypatch, tmp_path):
    """Have pytest end well, say something and leave these verdicts of the claim, or no report."""

    def prepare(verdicts, said=""):
        def run(command, **_):
            if verdicts is not None:
                rows = [{"claim_id": CLAIM, "verdict": verdict} for verdict in verdicts]
                (tmp_path / "report.json").write_text(json.dumps({"rows": rows}))
            return subprocess.CompletedProcess(command, 0, stdout=said, stderr="")

        monkeypatch.setattr(verdict_time.subprocess, "run", run)
        return tmp_path

    return prepare


def test_a_judged_claim_took_its_time(pytest_leaves):
    assert seconds_to_verdict(pytest_leaves([JUDGED]), [], pytest_leaves([JUDGED])) > 0


@pytest.mark.parametrize("verdicts", [None, [], [None], [PASSED_OVER]])
def test_a_claim_that_was_passed_over_has_no_time(pytest_leaves, verdicts):
    said = f"{CLAIM} on tiny: not applicable: no such token\nwritten: report.json\n"
    folder = pytest_leaves(verdicts, said)
    with pytest.raises(UserError, match=r"judged nothing: .* on tiny: not applicable: no such"):
        seconds_to_verdict(folder, [], folder)


def test_a_verdict_of_before_does_not_count(pytest_leaves):
    seconds_to_verdict(pytest_leaves([JUDGED]), [], pytest_leaves([JUDGED]))
    folder = pytest_leaves(None, "1 skipped")
    with pytest.raises(UserError, match="1 skipped"):
        seconds_to_verdict(folder, [], folder)
