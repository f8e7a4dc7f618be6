"""A registry beside the claim files: verdicts carry digests, and amended claims are told."""

import pytest
from claimfiles import run, write

from lazarus_bench.claims.claim_files import read_claims
from lazarus_bench.report.markdown import render
from lazarus_bench.report.registry import drawn_up, put_on_record, to_text

FAM = """
@pre("fam/kept", AtLeast(0.3), NARROW)
def test_kept():
    return Means(values=NARROW)

@pre("fam/stricter", AtLeast(0.3), NARROW)
def test_stricter():
    return Means(values=NARROW)

@pre("fam/seeded", AtLeast(0.3), subjects=())
def test_seeded(seeds):
    return Means(values=[[0.5 + 0.01 * seed, 0.6] for seed in seeds])
"""
NEW = """
@pre("new/one", AtLeast(0.3), NARROW)
def test_new():
    return Means(values=NARROW)
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Claims of which one is amended and one new since they were registered, judged."""
    folder = write(tmp_path_factory.mktemp("registered"), test_fam=FAM)
    claims = drawn_up(read_claims(folder))
    record = put_on_record(claims, None, on="2026-01-02", known="a look", seen=(1, 4))
    (folder / "registry.json").write_text(to_text(record), encoding="utf-8")
    stricter = FAM.replace('"fam/stricter", AtLeast(0.3)', '"fam/stricter", AtLeast(0.4)')
    write(folder, test_fam=stricter, test_new=NEW)
    seeds = ("-k", "seeded", "--lb-seeds")
    cases = {"all": (), "one": ("-k", "test_stricter"), "first": (*seeds, "1")}
    cases |= {"more": (*seeds, "2"), "later": (*seeds, "2", "--lb-first-seed", "5")}
    return run(folder, cases)


def test_a_verdict_carries_its_claims_digest(ran):
    folder = ran["all"].folder.parents[1]
    digests = {claim.id: claim.digest for claim in drawn_up(read_claims(folder))}
    assert {row.claim_id: row.claim_digest for row in ran["all"].report.rows} == digests
    (alone,) = ran["one"].report.rows
    assert alone.claim_digest == digests["fam/stricter"], "whatever `-k` selects"


def test_what_was_amended_or_never_registered_is_told(ran):
    rows = {row.claim_id: row.amended for row in ran["all"].report.rows}
    assert rows == {
        "fam/kept": (),
        "fam/stricter": ("region ≥ 0.3 → ≥ 0.4",),
        "fam/seeded": (),
        "new/one": ("not in the registry",),
    }
    assert "not as registered: fam/stricter, new/one\n" in ran["all"].said
    assert "- `fam/stricter`: region ≥ 0.3 → ≥ 0.4" in render(ran["all"].report)


def test_a_verdict_on_seeds_that_were_known_is_post_hoc(ran):
    told = "2026-01-02 registered; known: a look (seeds 1 to 4)"
    (first,), (more,) = (ran[case].report.rows for case in ("first", "more"))
    assert (first.post_hoc, more.post_hoc) == ((), (told,))
    page = render(ran["more"].report)
    assert "(post hoc)" in page
    assert f"Post hoc: {told}" in page
    assert "post hoc" not in render(ran["first"].report)


def test_seeds_that_nobody_looked_at_are_not_post_hoc(ran):
    (more,), (later,) = (ran[case].report.rows for case in ("more", "later"))
    assert later.post_hoc == ()
    # A mean of 0.5 + 0.01 · seed and 0.6.
    assert later.verdict.estimate.value == pytest.approx(more.verdict.estimate.value + 0.025)
    assert ran["later"].report.manifest["seeds"] == "from 5 on"
    assert "seeds" not in ran["more"].report.manifest


def test_an_amended_claim_is_judged_all_the_same(ran):
    assert ran["all"].code == 0
    assert ran["all"].outcomes()["fam/stricter"] == "supported for this run"


def test_a_damaged_registry_is_refused_before_anything_is_judged(tmp_path):
    folder = write(tmp_path, test_new=NEW)
    (folder / "registry.json").write_text("{", encoding="utf-8")
    assert "registry.json is not JSON" in run(folder, {"damaged": ()})["damaged"].error()
