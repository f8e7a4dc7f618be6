"""Claim files read by path: their order, siblings and mistakes, and the nearest names."""

import os
import py_compile
import sys

import pytest
from claimfiles import write

import lazarus_bench
from lazarus_bench.claims.claim_files import read_claims
from lazarus_bench.claims.experiments import read_experiments
from lazarus_bench.errors import UserError
from lazarus_bench.report.registry import chosen, drawn_up, of_family

ONE = """
    @pre("one/a", AtLeast(0.3), NARROW)
    def test_a():
        return Means(values=[[0.5]])

    @pre("one/b-longer", AtLeast(0.3), NARROW)
    def test_b():
        return Means(values=[[0.5]])
"""
TWO = """
    from beside import EDGE

    @pre("two/a", AtLeast(EDGE), NARROW)
    def test_a():
        return Means(values=[[0.5]])
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
    assert found == drawn_up(read_claims(folder)), "read again"
    assert not [name for name in sys.modules if name.startswith("lazarus_bench_claim_files")]


PACKAGED = """
    from .tables import edges

    @pre("three/a", AtLeast(edges.EDGE), NARROW)
    def test_a():
        return Means(values=[[0.5]])
"""


def study(folder, edge=0.7):
    """A claim file whose threshold comes from a table in the folder `tables`."""
    write(folder, test_a=PACKAGED)
    (folder / "tables").mkdir()
    (folder / "tables" / "edges.py").write_text(f"EDGE = {edge}\n")


@pytest.mark.parametrize("packages", [("", "tables"), ("", "below", "tables"), ("tables",), ()])
@pytest.mark.parametrize("below", [".", "below"])
def test_claim_files_import_their_tables_relatively(tmp_path, packages, below):
    """Whether the folder, or one in it, is a package or not; two of one name share nothing."""
    for name, edge in (("first", 0.7), ("second", 0.8)):
        top = tmp_path / name / "study"
        study(top / below, edge)
        for package in packages:
            folder = top / (below if package == "tables" else "") / package
            if folder.is_dir():
                (folder / "__init__.py").touch()
        (claim,) = read_claims(top)
        assert claim.region.x == edge
    assert not [name for name in sys.modules if name.startswith("lazarus_bench_claim_files")]
    assert "study" not in sys.modules


def test_a_folder_inside_a_package_reaches_up(tmp_path):
    study(tmp_path)
    write(tmp_path / "below", test_a=PACKAGED.replace("from .tables", "from ..tables"))
    for package in (tmp_path, tmp_path / "below", tmp_path / "tables"):
        (package / "__init__.py").touch()
    assert read_claims(tmp_path / "below")[0].region.x == 0.7


def test_the_engine_is_not_imported_again_for_a_study_in_the_wheel(tmp_path, monkeypatch):
    package = tmp_path / "lazarus_bench"
    study(package / "hypotheses")
    (package / "__init__.py").write_text("raise AssertionError('imported again')\n")
    (package / "hypotheses" / "__init__.py").touch()
    monkeypatch.setattr(lazarus_bench, "__file__", str(package / "__init__.py"))
    assert len(read_claims(package / "hypotheses")) == 1


RECORDS = """
from lazarus_bench.claims.experiments import Experiment

EXPERIMENTS = (
    Experiment(name="e", source="s.md", section="1", does="nothing", claims=("one/*",)),
)
"""


def test_experiments_are_found_beside_the_claims(tmp_path):
    assert read_experiments(tmp_path) == ()
    (tmp_path / "experiments.py").write_text(RECORDS)
    (found,) = read_experiments(tmp_path)
    assert (found.name, found.claims) == ("e", ("one/*",))
    for text in ("", "EXPERIMENTS = ('e',)", "EXPERIMENTS = []"):
        (tmp_path / "experiments.py").write_text(text)
        with pytest.raises(UserError, match=r"experiments\.py has no tuple EXPERIMENTS of Exp"):
            read_experiments(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("test_x.py", "import nowhere_at_all", "cannot read the claims of .*test_x.py .Module"),
        ("test_x.py", "def (", r"cannot read the claims of .*test_x.py \(SyntaxError"),
        ("test_x.py", "import pytest\npytest.importorskip('nowhere')", "test_x.py .Skipped: could"),
        ("test_x.py", "raise SystemExit(0)", r"cannot read the claims of .*test_x.py .SystemExit"),
        ("test_x.py", "from lazarus_bench import *\nraise UserError('own')", "^own$"),
        ("other.py", "x = 1", "no file of .* holds a claim: .* --hypotheses"),
        ("below/test_x.py", None, "there is no folder .*nowhere: .* --hypotheses"),
    ],
)
def test_a_file_or_folder_that_cannot_be_read_is_named(tmp_path, name, text, sentence):
    if text:
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=sentence):
        read_claims(tmp_path if text else tmp_path / "nowhere")


def test_claims_and_families_are_found_by_name_and_errors_have_the_nearest(folder):
    claims = drawn_up(read_claims(folder))
    assert chosen(claims, "one/a").id == "one/a"
    for wanted, sentence in {
        "b-longr": "the nearest are one/b-longer",
        "two/": "the nearest are two/a",
        "zzzzzzzz": "no claim is called zzzzzzzz: `lazarus-bench claims list`",
    }.items():
        with pytest.raises(UserError, match=sentence):
            chosen(claims, wanted)
    assert len(of_family(claims, "one")) == 2
    with pytest.raises(UserError, match="choose from two, one"):
        of_family(claims, "three")


def test_an_edit_that_keeps_time_and_size_is_seen(folder):
    """Cached bytecode would pass for the edited file: it is keyed by whole seconds and size."""
    claims, sibling = folder / "test_b.py", folder / "below" / "beside.py"

    def edges() -> list[float]:
        return [claim.decides["region"]["x"] for claim in drawn_up(read_claims(folder))]

    for file in (claims, sibling):
        os.utime(file, (1_700_000_000, 1_700_000_000))
        py_compile.compile(str(file))
    assert edges() == [0.7, 0.3, 0.3]
    for file, old, new in ((claims, "0.3", "0.4"), (sibling, "0.7", "0.8")):
        file.write_text(file.read_text().replace(old, new))
        os.utime(file, (1_700_000_000, 1_700_000_000))
    assert edges() == [0.8, 0.4, 0.4]
