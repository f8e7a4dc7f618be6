"""Every quirk that is on stands in a digest, in the manifest and in the report."""

import json
from dataclasses import replace

import pytest
from claimfiles import run, write

from lazarus_bench.jobs import measurements
from lazarus_bench.jobs.artifact import MANIFEST, Attempt, write_manifest
from lazarus_bench.jobs.spec import Job
from lazarus_bench.models.quirks import QUIRKS as OF_READING
from lazarus_bench.report.defects import manifest_lines
from lazarus_bench.report.html import render_html
from lazarus_bench.report.markdown import render
from lazarus_bench.session.options import Options
from lazarus_bench.session.session import Session
from lazarus_bench.training import DualReward, Fuse, Grpo, GrpoDual, Sft
from lazarus_bench.training.recipe import QUIRKS as OF_TRAINING

READS = """
@pre("odd/plain", Above(-1.0), NARROW)
def test_plain():
    return Means(values=NARROW)
""" + "".join(
    f"""
@pre("odd/{quirk}", Above(-1.0), NARROW, quirk="{quirk}")
def test_{quirk.replace("-", "_")}(base):
    base.with_quirk("{quirk}")
    return Means(values=NARROW)
"""
    for quirk in OF_READING
)


@pytest.fixture(scope="module")
def ran(tiny, tmp_path_factory):
    """The report of a session whose claims read with every quirk of reading, one each."""
    folder = write(tmp_path_factory.mktemp("named"), test_reads=READS)
    model = ("--lb-model", tiny, "--lb-seeds", "1", "--lb-fail-on", "none")
    return run(folder, {"all": ("test_reads.py", *model), "one": ("test_reads.py", "-k", "plain")})


@pytest.mark.parametrize("quirk", OF_READING)
def test_a_quirk_of_reading_is_in_the_manifest_and_the_report(ran, quirk):
    report = ran["all"].report
    assert report.manifest[f"quirk {quirk}"] == f"switched on in odd/{quirk}"
    (row,) = (r for r in report.rows if r.quirks == (quirk,))
    assert row.claim_id == f"odd/{quirk}"
    for shown in (render(report), render_html(report), ran["all"].said):
        assert f"{quirk} in odd/{quirk}" in shown
    assert f"quirk {quirk}" in render(report).partition("## Manifest")[2]


def test_without_a_quirk_the_manifest_has_no_line_of_one(ran):
    manifest = ran["one"].report.manifest
    assert [name for name in manifest if name.startswith("quirk")] == []
    named = {name for name in ran["all"].report.manifest if name.startswith("quirk")}
    assert named == {f"quirk {quirk}" for quirk in OF_READING}


def nothing(run) -> int:
    """Measure nothing, and load no model."""
    return 0


@pytest.mark.parametrize("quirk", OF_READING)
def test_a_quirk_of_reading_is_in_the_digest_of_what_is_read(tiny, tmp_path, quirk):
    """A reading is kept under its digest: with the quirk it is another than without."""
    bench = Session(Options(profile="smoke", seeds=1, store=tmp_path))
    plain = bench.runs(str(tiny), None)[0]

    def kept():
        return {f.name for f in (tmp_path / measurements.ROOM).rglob("*") if f.is_file()}

    plain.read(nothing)
    without = kept()
    plain.with_quirk(quirk).read(nothing)
    assert len(without) == 1
    assert len(kept() - without) == 1
    assert f"QUIRK {quirk}" in plain.with_quirk(quirk).name


CASES = [(cls, quirk) for cls in (Sft, DualReward, Grpo, GrpoDual) for quirk in cls.possible_quirks]


def test_every_quirk_of_a_training_is_tried():
    assert {quirk for _, quirk in CASES} == set(OF_TRAINING)


@pytest.mark.parametrize(("cls", "quirk"), CASES)
def test_a_quirk_of_a_training_is_in_digest_manifest_and_report(ran, tmp_path, cls, quirk):
    plain, odd = (Job(recipe=cls(**on), base=None, seed=0) for on in ({}, {"quirks": (quirk,)}))
    above = odd if odd.recipe.leaves == "model" else Job(recipe=Fuse(), base=odd, seed=0)
    assert plain.digest != odd.digest
    for job in (odd, above):
        write_manifest(tmp_path, job, {}, Attempt(number=1, earlier=0.0, start=0.0))
        assert json.loads((tmp_path / MANIFEST).read_text())["quirks"] == [quirk]
    assert (plain.quirks, odd.quirks) == ((), (quirk,))

    row = replace(ran["all"].report.rows[0], quirks=(quirk,), claim_id="odd/one")
    named = manifest_lines([row])
    assert named == {f"quirk {quirk}": "switched on in odd/one"}
    report = replace(ran["one"].report, rows=(row,), manifest=named)
    for shown in (render(report), render_html(report)):
        assert f"{quirk} in odd/one" in shown
