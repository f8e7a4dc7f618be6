"""Claim files read by their path: order, what lies beside them, mistakes, and the nearest names."""

import sys

import pytest
from claimfiles import write

from lazarus_bench.claims.claim_files import read_claims
from lazarus_bench.errors import UserError
from lazarus_bench.report.registry import chosen, drawn_up, of_family

ONE = """
    @pre("one/a", AtLeast(0.3), NARROW)
    def test_a(runs, judge):
        judge(Means(values=[[0.5]]))

    @pre("one/b-longer", AtLeast(0.3), NARROW)
    def test_b(runs, judge):
        judge(Means(values=[[0.5]]))
"""
TWO = """
    from beside import EDGE

    @pre("two/a", AtLeast(EDGE), NARROW)
    def test_a(runs, judge):
        judge(Means(values=[[0.5]]))
"""


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, test_b=ONE)
    write(tmp_path / "below", test_a=TWO)
    (tmp_path / "below" / "beside.py").write_text("EDGE = 0.7\n")
    return tmp_path


def test_claims_come_by_file_and_in_the_order_of_each(folder):
    path = list(sys.path)
    found = drawn_up(read_claims(folder))
    assert [claim.id for claim in found] == ["two/a", "one/a", "one/b-longer"]
    assert found[0].decides["region"]["x"] == 0.7
    assert {claim.id: claim.decides["family_size"] for claim in found}["one/a"] == 2
    assert sys.path == path
    assert not [name for name in sys.modules if name.startswith("lazarus_bench_claim_files")]


def test_files_can_be_read_again(folder):
    assert drawn_up(read_claims(folder)) == drawn_up(read_claims(folder))


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("test_x.py", "import nowhere_at_all", "cannot read the claims of .*test_x.py .Module"),
        ("test_x.py", "def (", r"cannot read the claims of .*test_x.py \(SyntaxError"),
        ("other.py", "x = 1", "no file of .* holds a claim"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, text, sentence):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=sentence):
        read_claims(tmp_path)


def test_the_claim_decorators_own_sentences_pass(tmp_path):
    write(tmp_path, test_x=ONE, test_y=ONE)
    with pytest.raises(UserError, match="one/a is registered twice"):
        read_claims(tmp_path)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(UserError, match="--hypotheses"):
        read_claims(tmp_path / "nowhere")


def test_a_claim_is_found_by_its_id_alone_and_others_get_the_nearest(folder):
    claims = drawn_up(read_claims(folder))
    assert chosen(claims, "one/a").id == "one/a"
    with pytest.raises(UserError, match="the nearest are one/b-longer"):
        chosen(claims, "b-longr")
    with pytest.raises(UserError, match="the nearest are two/a"):
        chosen(claims, "two/")
    with pytest.raises(UserError, match="no claim is called zzzzzzzz: `lazarus-bench claims list`"):
        chosen(claims, "zzzzzzzz")


def test_a_family_is_found_by_its_name(folder):
    claims = drawn_up(read_claims(folder))
    assert len(of_family(claims, "one")) == 2
    with pytest.raises(UserError, match="choose from two, one"):
        of_family(claims, "three")
