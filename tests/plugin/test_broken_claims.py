"""No claim vanishes: one whose test breaks, gives no evidence or is skipped is a row everywhere."""

import xml.etree.ElementTree as ET

import pytest
from claimfiles import run, write

CLAIMS = """
import pytest

@pytest.fixture
def torn():
    raise OSError("no such thing")

@pre("fam/good", AtLeast(0.3), subjects=())
def test_good():
    return Means(values=NARROW)

@pre("fam/raises", AtLeast(0.3), subjects=())
def test_raises():
    raise ZeroDivisionError("a mistake\\nof two lines")

@pre("fam/asserts", AtLeast(0.3), subjects=())
def test_asserts():
    assert NARROW == WIDE, "they differ"

@pre("fam/none", AtLeast(0.3), subjects=())
def test_none():
    Means(values=NARROW)

@pre("fam/number", AtLeast(0.3), subjects=())
def test_number():
    return 0.5

@pre("fam/fixture", AtLeast(0.3), subjects=())
def test_fixture(torn):
    return Means(values=NARROW)

@pre("fam/unknown", AtLeast(0.3), subjects=())
def test_unknown(nothing_of_this_name):
    return Means(values=NARROW)

@pre("fam/exits", AtLeast(0.3), subjects=())
def test_exits():
    raise SystemExit(0)

@pre("fam/beside", AtLeast(0.3), subjects=())
def test_beside():
    return Means(values=NARROW)

@beside(test_beside)
def _():
    raise KeyError("shown")

@pre("fam/skipped", AtLeast(0.3), subjects=())
def test_skipped():
    pytest.skip("no sky today")

@pytest.mark.skip(reason="not now")
@pre("fam/marked", AtLeast(0.3), subjects=())
def test_marked():
    return Means(values=NARROW)
"""

REASONS = {
    "raises": "ZeroDivisionError: a mistake of two lines",
    "asserts": "AssertionError: they differ",
    "none": "fam/none: its test must return evidence, and it returned None",
    "number": "fam/number: its test must return evidence, and it returned a float",
    "fixture": "OSError: no such thing",
    "unknown": "nothing_of_this_name is no training of the file and no fixture",
    "exits": "SystemExit: 0",
    "beside": "KeyError: 'shown'",
}
SKIPPED = {"skipped": "skipped: no sky today", "marked": "skipped: not now"}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = write(tmp_path_factory.mktemp("broken"), test_fam=CLAIMS)
    junit = ("--junitxml", "junit.xml")
    cases = {
        "all": ("--lb-fail-on", "none", *junit),
        "pinned": ("--lb-update-pins",),
        "one": ("-k", "raises", "--lb-fail-on", "none"),
    }
    return run(folder, cases)


def test_every_claim_has_its_row_and_its_one_line(ran):
    rows = {row.claim_id.partition("/")[2]: row.verdict for row in ran["all"].report.rows}
    errors = {name: v.reason for name, v in rows.items() if v.outcome == "error"}
    skipped = {name: v.reason for name, v in rows.items() if v.outcome == "not applicable"}
    assert set(rows) == {"good", *REASONS, *SKIPPED}
    assert {name: reason.partition(" assert ")[0] for name, reason in errors.items()} == REASONS
    assert skipped == SKIPPED


@pytest.mark.parametrize("case", ["all", "pinned", "one"])
def test_an_error_fails_the_session_whatever_may_fail_it(ran, case):
    assert ran[case].code == 1, ran[case].said


@pytest.mark.parametrize("file", ["report.md", "report.html"])
def test_the_documents_count_and_explain_errors(ran, file):
    text = (ran["all"].folder / file).read_text(encoding="utf-8")
    assert "of 11 claims" in text or "11 of 11 verdicts" in text
    assert "ZeroDivisionError: a mistake of two lines" in text


def test_the_terminal_shows_a_row_a_sentence_and_the_trace(ran):
    said = ran["all"].said
    assert "fam/raises on " in said
    assert ": error: ZeroDivisionError: a mistake of two lines" in said
    assert 'raise ZeroDivisionError("a mistake' in said
    assert f"{len(REASONS)} error" in ran["all"].summary


def test_junit_says_each_verdict_and_reason(ran):
    root = ET.parse(ran["all"].folder.parents[1] / "junit.xml").getroot()
    told = {}
    for case in root.iter("testcase"):
        found = {p.get("name"): p.get("value") for p in case.iter("property")}
        told[case.get("name").partition("[")[0].removeprefix("test_")] = found
    assert {name for name, found in told.items() if found["verdict"] == "error"} == set(REASONS)
    assert told["raises"]["reason"] == REASONS["raises"]
    assert told["good"]["verdict"] == "supported for this run"


def test_no_error_is_put_on_record(ran):
    pins = (ran["all"].folder.parents[1] / "pins.json").read_text()
    assert "fam/good" in pins
    assert '"error"' not in pins


def test_a_claim_that_breaks_alone_is_reported(ran):
    assert ran["one"].outcomes() == {"fam/raises": "error"}


ASKED = """
import pytest

@pre("fam/raises", AtLeast(0.3))
def test_raises(base):
    raise ZeroDivisionError("at every look")

@pre("fam/skipped", AtLeast(0.3))
def test_skipped(base):
    pytest.skip("no sky today")

@pre("fam/good", AtLeast(0.3))
def test_good(base):
    return Means(values=NARROW)
"""


def test_claims_that_break_at_a_look_stop_no_other(tmp_path, tiny):
    folder = write(tmp_path, test_fam=ASKED)
    asked = ("--lb-model", tiny, "-m", "slow", "--lb-until-decided")
    [ran] = run(folder, {"until": asked}).values()
    assert ran.outcomes() == {
        "fam/raises": "error",
        "fam/skipped": "not applicable",
        "fam/good": "supported for this run",
    }


KILLED = """
import os

@pre("fam/before", AtLeast(0.3), subjects=())
def test_before():
    return Means(values=NARROW)

@pre("fam/dies", AtLeast(0.3), subjects=())
def test_dies():
    os._exit(1)

@pre("fam/after", AtLeast(0.3), subjects=())
def test_after():
    return Means(values=NARROW)
"""


def test_a_claim_that_takes_its_process_with_it_is_a_row(tmp_path):
    folder = write(tmp_path, test_killed=KILLED)
    cases = {"spread": ("-n", "2", "--max-worker-restart", "0", "--lb-fail-on", "none")}
    ran = run(folder, cases)["spread"]
    assert ran.code == 1, ran.said
    verdicts = {row.claim_id: row.verdict for row in ran.report.rows}
    assert list(verdicts) == ["fam/before", "fam/dies", "fam/after"]
    assert verdicts["fam/dies"].outcome == "error"
    assert verdicts["fam/dies"].reason == "its process ended in the middle of the test"
