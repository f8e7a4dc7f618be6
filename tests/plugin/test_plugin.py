"""The writeups' numbers under pytest: verdicts, exit codes, the family's size, pins; no models."""

import json

import pytest
from claimfiles import run, write

CLAIMS = """
@pre("fam/supported", AtLeast(0.3), NARROW)
def test_supported():
    return Means(values=NARROW)

@pre("fam/refuted", AtLeast(0.8), NARROW)
def test_refuted(sft):
    return Means(values=NARROW)

@pre("fam/inconclusive", AtLeast(0.5), WIDE)
def test_inconclusive():
    return Means(values=WIDE)

@pre("fam/silent", AtLeast(0.5))
def test_silent():
    return Means(values=WIDE)

@pre("fam/computed", AtLeast(0.3), NARROW, subjects=())
def test_computed():
    return Means(values=NARROW)

def test_that_is_no_claim():
    pass
"""

PINS = {
    "fam/supported": "supported for this run",
    "fam/refuted": "refuted for this run",
    "fam/inconclusive": "inconclusive",
    "fam/silent": "not applicable",
    "fam/computed": "supported for this run",
}


def pins(**changes: str) -> str:
    changed = PINS | {f"fam/{name}": verdict for name, verdict in changes.items()}
    claims = {name: {"verdict": verdict} for name, verdict in changed.items()}
    return json.dumps({"published": {"machine": {}, "claims": {"published": claims}}})


CASES = {
    "default": (),
    "collect": ("--collect-only", "-q"),
    "collect slow": ("--collect-only", "-q", "-m", "slow"),
    "collect model twice": ("--collect-only", "-q", *("--lb-model", "some/model") * 2),
    "collect model": (
        "--collect-only",
        "-q",
        "--lb-model",
        "some/model",
        "--lb-model",
        "lab:llama",
    ),
    "one": ("-k", "test_supported"),
    "none": ("--lb-fail-on", "none"),
    "moved only": ("--lb-fail-on", "moved"),
    "inconclusive": ("-k", "test_inconclusive", "--lb-fail-on", "inconclusive"),
    "inconclusive passes": ("-k", "test_inconclusive"),
    "no claim": ("-k", "no_claim", "--lb-profile", "nope"),
    "pin": ("--lb-update-pins", "--lb-fail-on", "none"),
    "pinned": (),
    "moved": (),
    "moved, not failing": ("--lb-fail-on", "refuted,invalid"),
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = write(tmp_path_factory.mktemp("published"), test_fam=CLAIMS)
    moved = pins(refuted="supported for this run")
    return run(folder, CASES, pins={"moved": moved, "moved, not failing": moved})


def test_verdicts_are_counted_under_their_own_names(ran):
    assert ran["default"].summary.count(" supported") == 1
    for part in (
        "2 supported for this run",
        "1 refuted for this run",
        "1 inconclusive",
        "1 not app",
    ):
        assert part in ran["default"].summary


def test_models_wait_for_a_word(ran):
    assert "4 deselected" in ran["default"].summary
    assert {row.subject for row in ran["default"].report.rows} == {"published"}


def test_published_numbers_need_no_mlx(ran):
    assert not any(case.mlx for case in ran.values())


def test_report_is_written_in_both_forms(ran):
    assert ran["default"].outcomes() == PINS
    assert "fam/refuted" in (ran["default"].folder / "report.md").read_text()
    assert "fam/refuted" in (ran["default"].folder / "report.html").read_text(encoding="utf-8")
    assert f"written: {ran['default'].folder / 'report.json'}" in ran["default"].said


def test_row_carries_the_claim(ran):
    row = next(r for r in ran["default"].report.rows if r.claim_id == "fam/supported")
    assert (row.says, row.estimand, row.source) == ("A statement", "a number", "A, *Results*")
    assert row.verdict == row.published
    assert row.verdict.estimate.value == pytest.approx(0.515)


def test_collecting_judges_and_trains_nothing(ran):
    assert ran["collect"].code == 0
    assert "test_fam.py::test_supported[published]" in ran["collect"].said
    assert "lab:llama" not in ran["collect"].said
    assert not (ran["collect"].folder / "report.json").exists()
    assert not list((ran["collect"].folder.parents[1] / "store").glob("*-*"))


def test_slow_selects_the_models_alone(ran):
    said = ran["collect slow"].said
    assert "test_supported[lab:llama]" in said
    assert "published" not in said
    assert "no_claim" not in said


def test_a_named_model_takes_the_place_of_the_labs(ran):
    said = ran["collect model"].said
    for subject in ("published", "some/model", "lab:llama"):
        assert f"test_supported[{subject}]" in said
    assert "test_computed[computed]" in said
    assert "test_computed[some/model]" not in said


def test_a_model_named_twice_is_asked_once(ran):
    assert ran["collect model twice"].said.count("::test_supported[some/model") == 1


def test_level_counts_the_registered_claims_whatever_is_selected(ran):
    for case, judged in (("one", 1), ("default", 4)):
        rows = [row.verdict for row in ran[case].report.rows if row.verdict.estimate]
        assert [row.level for row in rows] == pytest.approx([1 - 2 * 0.05 / 5] * judged)


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("default", 1),
        ("none", 0),
        ("moved only", 0),
        ("one", 0),
        ("inconclusive", 1),
        ("inconclusive passes", 0),
        ("pin", 0),
        ("pinned", 0),
        ("moved", 1),
        ("moved, not failing", 0),
    ],
)
def test_exit_code(ran, case, code):
    assert ran[case].code == code, ran[case].said


def test_a_failing_verdict_says_why(ran):
    assert "fam/refuted on published: refuted for this run: " in ran["default"].said


def test_pins_are_written_from_the_verdicts_and_then_held(ran):
    pinned = {row.claim_id: row.pinned for row in ran["pinned"].report.rows}
    assert pinned == PINS
    assert "moved" not in ran["pinned"].summary
    assert {row.pinned for row in ran["pin"].report.rows} == {None}


def test_a_moved_verdict_says_from_what_to_what(ran):
    assert "1 moved" in ran["moved"].summary
    assert (
        "fam/refuted on published: moved (supported for this run is on record" in ran["moved"].said
    )


def test_a_wrong_option_is_refused_whether_or_not_a_claim_is_selected(ran):
    assert ran["no claim"].error().startswith("--lb-profile 'nope' is unknown")
    assert not ran["no claim"].folder.exists()
