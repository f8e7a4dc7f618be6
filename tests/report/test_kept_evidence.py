"""The samples beside a report: read back exactly, and every committed row judged anew from them."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from lazarus_bench.errors import UserError
from lazarus_bench.judge import (
    SHARE,
    Above,
    AllOf,
    AtLeast,
    Condition,
    Differences,
    Exact,
    Hits,
    LayerMax,
    Means,
    decide,
)
from lazarus_bench.report.evidence import FILE, load_evidence, save_evidence
from lazarus_bench.report.registry import load_registry
from lazarus_bench.report.schema import Record, load

ROOT = Path(__file__).parents[2]
REPORTS, HYPOTHESES = ROOT / "reports", ROOT / "hypotheses"
COMMITTED = ("lab", "published")

rng = np.random.default_rng(0)
SAMPLES = [
    Means(values=rng.random((3, 4)), bounds=SHARE, clusters=["a", "a", "b", "c"]),
    Hits(values=rng.random((3, 4)) < 0.5, minus=0.25),
    LayerMax(values=rng.random((2, 3, 4))),
    Differences(first=rng.random((2, 3)), second=rng.random((2, 3)), paired="prompts"),
    Exact(value=851_968, note="counted"),
    AllOf(
        conditions=[
            Condition(name="one", evidence=Hits(values=[[1, 0, 1]]), region=AtLeast(0.1)),
            Condition(name="two", evidence=Exact(value=2), region=AtLeast(1)),
        ]
    ),
]


def records():
    return tuple(
        Record(claim_id=f"fam/{i}", subject="lab:llama", evidence=each, family_size=i + 1)
        for i, each in enumerate(SAMPLES)
    )


def test_samples_are_read_back_exactly(tmp_path):
    save_evidence(records(), tmp_path / FILE)
    assert load_evidence(tmp_path / FILE) == records()
    save_evidence((), tmp_path / FILE)
    assert load_evidence(tmp_path / FILE) == ()


def test_a_damaged_or_missing_file_is_one_sentence(tmp_path):
    path = tmp_path / FILE
    with pytest.raises(UserError, match=r"cannot read the evidence .*name an existing evidence"):
        load_evidence(path)
    save_evidence(records(), path)
    whole = path.read_bytes()
    for harm in (b"", b"no archive", whole[:200], whole[:-40], whole.replace(b"npy", b"txt")):
        path.write_bytes(harm)
        with pytest.raises(UserError, match="is damaged"):
            load_evidence(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other.npy", b"")
    with pytest.raises(UserError, match="is damaged"):
        load_evidence(path)


def test_pickles_are_refused(tmp_path):
    path = tmp_path / FILE
    np.savez(path, records=np.array([{"a": 1}], dtype=object))
    with pytest.raises(UserError, match="is damaged"):
        load_evidence(path)


@pytest.mark.parametrize("name", COMMITTED)
def test_every_row_of_a_committed_report_follows_from_its_samples(name):
    report = load(REPORTS / name / "report.json")
    kept = {(r.claim_id, r.subject): r for r in load_evidence(REPORTS / name / FILE)}
    judged = [row for row in report.rows if row.verdict.estimate is not None]
    assert len(judged) > 50
    for row in judged:
        found = kept[row.claim_id, row.subject]
        assert found.family_size == row.family_size
        again = decide(
            found.evidence,
            row.verdict.region,
            family_size=found.family_size,
            looks=found.looks,
            controls=row.verdict.controls,
        )
        assert again.outcome == row.verdict.outcome, row.claim_id
        assert numbers(again) == pytest.approx(numbers(row.verdict), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", COMMITTED)
def test_a_committed_report_is_judged_under_the_registry_that_is_committed(name):
    registered = load_registry(HYPOTHESES / "registry.json")
    digests = {claim.id: claim.digest for claim in registered}
    for row in load(REPORTS / name / "report.json").rows:
        assert (row.claim_digest, row.amended) == (digests[row.claim_id], ()), row.claim_id


def numbers(verdict):
    found = verdict.estimate
    spans = (found.interval, found.interval95)
    return [found.value, verdict.level, *(end for span in spans for end in (span.low, span.high))]


def test_another_sample_gives_another_row():
    samples = load_evidence(REPORTS / "lab" / FILE)
    one = next(r for r in samples if isinstance(r.evidence, Means) and r.evidence.shape[0] > 1)
    shifted = Means(values=np.asarray(one.evidence.values) + 0.01, items=one.evidence.items)
    before = decide(one.evidence, Above(0), family_size=one.family_size).estimate
    assert decide(shifted, Above(0), family_size=one.family_size).estimate.value != before.value
