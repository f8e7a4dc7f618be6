"""Two reports compared: which verdicts moved, and the reasons named."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_report import SAMPLE, estimate, row, verdict

from lazarus_bench.judge import AtLeast, Means, Outcome, decide
from lazarus_bench.report.diff import annotation, compare, render_diff, to_dict
from lazarus_bench.report.schema import Report, load

HERE = Path(__file__).parent


def report(*rows, **about):
    usual = {"created": "2026-01-07", "profile": "smoke", "command": "pytest", "manifest": {}}
    return Report(**(usual | about), rows=rows)


def names(pairs):
    return [(pair.row.claim_id, pair.row.subject) for pair in pairs]


def test_nothing_moves_between_a_report_and_itself():
    found = compare(SAMPLE, SAMPLE)
    assert (found.moved, found.reestimated, found.same) == ((), (), len(SAMPLE.rows))
    text = render_diff(found, everything=True)
    assert text.startswith(f"# Nothing moved: {len(SAMPLE.rows)} verdicts compared\n")
    assert "why" not in text
    assert "differs" not in text


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_a_report_of_an_older_schema_is_compared(version):
    old = load(HERE / f"report_v{version}.json")
    assert compare(old, old).moved == ()
    shared = {(r.claim_id, r.subject) for r in old.rows} & {
        (r.claim_id, r.subject) for r in SAMPLE.rows
    }
    moved = set(names(compare(old, SAMPLE).moved))
    assert shared
    mixed = {(r.claim_id, r.subject) for r in SAMPLE.rows if r.verdict.outcome == Outcome.MIXED}
    assert moved & shared == mixed & shared, "digests that the older report lacks move nothing"


def seeded(values, seeds):
    """A claim's verdict on the first of its seeds, as the judge gives it."""
    return decide(Means(values=values[:seeds]), AtLeast(0.5), family_size=3)


@pytest.mark.parametrize("seeds", [2, 3])
def test_another_number_of_seeds_names_every_moved_verdict_and_nothing_else(seeds):
    draw = np.random.default_rng(0)
    claims = [draw.normal(0.5 + shift, 0.05, (5, 3)) for shift in np.linspace(-0.2, 0.2, 9)]
    runs = [
        report(*(row(f"fam/{at}", "lab:llama", seeded(v, n)) for at, v in enumerate(claims)))
        for n in (5, seeds)
    ]
    found = compare(*runs)
    outcomes = zip(*[[r.verdict.outcome for r in run.rows] for run in runs], strict=True)
    moved = [f"fam/{at}" for at, (old, new) in enumerate(outcomes) if old != new]
    assert 0 < len(moved) < len(claims)
    assert [pair.row.claim_id for pair in found.moved] == moved
    assert re.findall(r"^- \*\*`(fam/\d+)`", render_diff(found), re.MULTILINE) == moved
    for pair in found.moved:
        assert [reason.text for reason in pair.reasons] == [f"seeds 5 → {seeds}"]
    assert (len(found.reestimated), found.same) == (len(claims) - len(moved), 0)


def pair_of(old, new, before=SAMPLE, after=SAMPLE):
    about = {"manifest": before.manifest, "profile": before.profile, "jobs": before.jobs}
    later = {"manifest": after.manifest, "profile": after.profile, "jobs": after.jobs}
    found = compare(report(old, **about), report(new, **later))
    return (*found.moved, *found.reestimated)[0]


SUPPORTED = row(
    "dual/a",
    "lab:llama",
    verdict(Outcome.SUPPORTED, AtLeast(0.36), estimate(0.9, 0.86, 0.94)),
    digests=("3f9a6c1d2b7e4455", "b"),
    claim_digest="a" * 64,
)
REFUTED = replace(
    SUPPORTED, verdict=verdict(Outcome.REFUTED, AtLeast(0.36), estimate(0.1, 0.0, 0.2))
)


def kinds(pair):
    return [reason.kind for reason in pair.reasons]


@pytest.mark.parametrize(
    ("old", "new", "kind", "text"),
    [
        ({}, {}, "unknown", "nothing on record differs"),
        ({"quirks": ("sgd",)}, {"quirks": ("sgd",)}, "unknown", "nothing on record differs"),
        ({}, {"quirks": ("a", "b")}, "quirks", "known defects switched on: none → a, b"),
        ({"quirks": ("a",)}, {}, "quirks", "known defects switched on: a → none"),
        (
            {"digests": ("a", "b")},
            {"digests": ("a", "c")},
            "trainings",
            "1 of 2 trainings have other digests",
        ),
        (
            {"digests": ("d", "b")},
            {"digests": ("3f9a6c1d2b7e4455", "b")},
            "trainings",
            "1 of 2 trainings have other digests (dual reward vo |)",
        ),
        ({"digests": ("a", "b")}, {"digests": ("b",)}, "trainings", "1 training fewer"),
        (
            {},
            {"says": "x", "estimand": "y", "claim_digest": "b" * 64},
            "claim",
            "claim amended: what it says, its estimand, digest aaaaaaaaaaaa → bbbbbbbbbbbb",
        ),
    ],
)
def test_the_reason_for_a_moved_verdict_is_named(old, new, kind, text):
    (reason,) = pair_of(replace(SUPPORTED, **old), replace(REFUTED, **new)).reasons
    assert (reason.kind, reason.text) == (kind, text)


def test_a_defect_that_was_switched_on_is_named_wherever_the_verdict_is():
    odd = replace(REFUTED, quirks=("bf16-lens",))
    mark = "**⚠️ QUIRK bf16-lens**"
    same = replace(odd, verdict=replace(SUPPORTED.verdict, estimate=estimate(0.8, 0.7, 0.9)))
    for old, new in ((SUPPORTED, odd), (SUPPORTED, same), (replace(odd, claim_id="dual/b"), odd)):
        assert mark in render_diff(compare(report(old), report(new)), everything=True)
    assert "]), with the known defect bf16-lens. Why: " in annotation(pair_of(SUPPORTED, odd), "f")
    assert to_dict(compare(report(SUPPORTED), report(odd)))["moved"][0]["new"]["quirks"] == [
        "bf16-lens"
    ]


def test_an_amended_claim_shows_though_its_verdict_stays():
    found = compare(report(SUPPORTED), report(replace(SUPPORTED, claim_digest="b" * 64)))
    assert found.moved == found.reestimated == ()
    assert found.amended == {"dual/a": ("digest aaaaaaaaaaaa → bbbbbbbbbbbb",)}
    assert "## Claims that were amended\n\n- `dual/a`: digest" in render_diff(found)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("revision", "code"),
        ("lazarus-bench", "code"),
        ("device", "machine"),
        ("blas", "machine"),
        ("numpy", "versions"),
        ("data sst2, for sentiment", "data"),
    ],
)
def test_the_manifest_tells_code_machine_versions_and_data_apart(name, kind):
    other = replace(SAMPLE, manifest={**SAMPLE.manifest, name: "new"})
    moved = pair_of(SUPPORTED, REFUTED, after=other)
    assert kinds(moved) == [kind]
    assert moved.reasons[0].text == f"{name} {SAMPLE.manifest.get(name, 'not recorded')} → new"


def test_uncommitted_changes_are_no_known_code():
    dirty = replace(SAMPLE, manifest={"revision": "abc+changes"})
    moved = pair_of(SUPPORTED, REFUTED, dirty, dirty)
    assert [r.text for r in moved.reasons] == ["revision abc+changes, whose changes may differ"]


def test_a_published_number_depends_on_no_machine_and_no_profile():
    other = replace(SAMPLE, profile="full", manifest={**SAMPLE.manifest, "blas": "x", "numpy": "9"})
    on_paper = replace(SUPPORTED, subject="published"), replace(REFUTED, subject="published")
    assert kinds(pair_of(*on_paper, after=other)) == ["versions"]
    assert kinds(pair_of(SUPPORTED, REFUTED, after=other)) == ["profile", "machine", "versions"]


def test_a_row_of_one_report_only_has_moved_and_says_what_came_or_went():
    other = replace(SUPPORTED, claim_id="dual/b")
    elsewhere, apart = (replace(row, subject="lab:x") for row in (SUPPORTED, other))
    cases = {
        "claim removed": ((SUPPORTED, other), (other,)),
        "claim added": ((other,), (SUPPORTED, other)),
        "subject added": ((SUPPORTED,), (SUPPORTED, elsewhere)),
        "added for this subject": ((SUPPORTED, apart), (SUPPORTED, apart, elsewhere)),
    }
    for text, (old, new) in cases.items():
        (moved,) = compare(report(*old), report(*new)).moved
        assert [reason.text for reason in moved.reasons] == [text]


def test_not_a_number_is_the_same_as_itself():
    found = (estimate(0.5, float("nan"), 1.0) for _ in range(2))
    one, other = (verdict(Outcome.INVALID, AtLeast(0.36), each) for each in found)
    rows = (replace(SUPPORTED, verdict=v) for v in (one, replace(other, reason="other words")))
    assert compare(*map(report, rows)).same == 1


def _read(text):
    """The properties and message that GitHub's runner reads from a workflow command."""
    command, _, message = text.removeprefix("::").partition("::")
    name, _, properties = command.partition(" ")
    assert name == "warning"
    pairs = (item.partition("=") for item in properties.split(","))
    found = {key: _unescape(value, ("%3A", ":"), ("%2C", ",")) for key, _, value in pairs}
    return found, _unescape(message)


def _unescape(text, *more):
    for code, character in (("%0D", "\r"), ("%0A", "\n"), *more, ("%25", "%")):
        text = text.replace(code, character)
    return text


@given(name=st.text(min_size=1), file=st.text(min_size=1), subject=st.text(min_size=1))
def test_an_annotation_is_one_line_that_reads_back(name, file, subject):
    old = replace(SUPPORTED, claim_id=f"fam/{name}", subject=subject)
    new = replace(REFUTED, claim_id=f"fam/{name}", subject=subject)
    (moved,) = compare(report(old), report(new)).moved
    text = annotation(moved, file, 3)
    assert not set(text) & set("\r\n")
    properties, message = _read(text)
    assert properties == {
        "file": file,
        "line": "3",
        "title": f"fam/{name}: supported → refuted",
    }
    assert message.startswith(f"fam/{name} on {subject}: supported (0.900 [0.860, 0.940]) → ")


def test_a_defect_in_the_manifest_is_no_reason_beside_those_of_its_rows():
    other = replace(SAMPLE, manifest={**SAMPLE.manifest, "quirk sgd": "switched on in odd/sgd"})
    assert compare(SAMPLE, other).runs == compare(SAMPLE, SAMPLE).runs
