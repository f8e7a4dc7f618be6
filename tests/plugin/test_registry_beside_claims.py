"""A registry beside the claim files: verdicts carry digests, and amended claims are told."""

import pytest
from claimfiles import run, write

from lazarus_bench.claims.claim_files import read_claims
from lazarus_bench.report.markdown import render
from lazarus_bench.report.registry import drawn_up, to_text

FAM = """
@pre("fam/kept", AtLeast(0.3), NARROW)
def test_kept():
    return Means(values=NARROW)

@pre("fam/stricter", AtLeast(0.3), NARROW)
def test_stricter():
    return Means(values=NARROW)
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
    (folder / "registry.json").write_text(to_text(drawn_up(read_claims(folder))), encoding="utf-8")
    stricter = FAM.replace('"fam/stricter", AtLeast(0.3)', '"fam/stricter", AtLeast(0.4)')
    write(folder, test_fam=stricter, test_new=NEW)
    return run(folder, {"all": (), "one": ("-k", "test_stricter")})


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
        "new/one": ("not in the registry",),
    }
    assert "not as registered: fam/stricter, new/one\n" in ran["all"].said
    assert "- `fam/stricter`: region ≥ 0.3 → ≥ 0.4" in render(ran["all"].report)


def test_an_amended_claim_is_judged_all_the_same(ran):
    assert ran["all"].code == 0
    assert set(ran["all"].outcomes().values()) == {"supported for this run"}


def test_a_damaged_registry_is_refused_before_anything_is_judged(tmp_path):
    folder = write(tmp_path, test_new=NEW)
    (folder / "registry.json").write_text("{", encoding="utf-8")
    assert "registry.json is not JSON" in run(folder, {"damaged": ()})["damaged"].error()
