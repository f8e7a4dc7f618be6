"""The samples beside a report: read back exactly, and every committed row judged anew from them."""

from pathlib import Path

import numpy as np
import pytest

from lazarus_bench.codec import to_plain
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
from lazarus_bench.report.pooling import pool_rows
from lazarus_bench.report.registry import load_registry
from lazarus_bench.report.schema import Record, load

ROOT = Path(__file__).parents[2]
REPORTS, HYPOTHESES = ROOT / "reports", ROOT / "hypotheses"
COMMITTED = {"beyond": 24, "lab": 150, "published": 94, "real-data": 15}
"""The committed reports, and verdicts with an estimate that each has at least."""

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


def test_a_damaged_or_missing_file_or_a_pickle_is_one_sentence(tmp_path):
    path = tmp_path / FILE
    with pytest.raises(UserError, match=r"cannot read the evidence .*name an existing evidence"):
        load_evidence(path)
    save_evidence(records(), path)
    whole = path.read_bytes()
    for harm in (b"", b"no archive", whole[:200], whole[:-40], whole.replace(b"npy", b"txt")):
        path.write_bytes(harm)
        with pytest.raises(UserError, match="is damaged"):
            load_evidence(path)
    for other in ({"other": []}, {"records": np.array([{"a": 1}], dtype=object)}):
        np.savez(path, **other)
        with pytest.raises(UserError, match="is damaged"):
            load_evidence(path)


def test_every_committed_report_has_its_samples():
    for file in ("report.json", FILE):
        assert {path.parent.name for path in REPORTS.glob(f"*/{file}")} == set(COMMITTED)


@pytest.mark.parametrize("name", COMMITTED)
def test_every_row_of_a_committed_report_follows_from_its_samples(name):
    report = load(REPORTS / name / "report.json")
    kept = {(r.claim_id, r.subject): r for r in load_evidence(REPORTS / name / FILE)}
    judged = [row for row in report.rows if row.verdict.estimate is not None]
    assert len(judged) >= COMMITTED[name]
    for row in judged:
        found = kept.pop((row.claim_id, row.subject))
        assert found.family_size == row.family_size
        again = decide(
            found.evidence,
            row.verdict.region,
            family_size=found.family_size,
            looks=found.looks,
            controls=row.verdict.controls,
        )
        assert leaves(again) == approximately(leaves(row.verdict)), row.claim_id
    assert not kept
    assert leaves(pool_rows(report.rows)) == approximately(leaves(report.pooled))


def test_the_published_verdict_of_every_row_follows_from_the_published_samples():
    kept = {r.claim_id: r for r in load_evidence(REPORTS / "published" / FILE)}
    for name in COMMITTED:
        for row in load(REPORTS / name / "report.json").rows:
            if row.published.estimate is None:
                continue
            evidence, region = kept[row.claim_id].evidence, row.published.region
            again = decide(evidence, region, family_size=row.family_size)
            assert leaves(again) == approximately(leaves(row.published)), row.claim_id


def leaves(value, place=""):
    """Every number and text of a record by its place."""
    plain = to_plain(value) if place == "" else value
    if isinstance(plain, dict):
        pairs = plain.items()
    elif isinstance(plain, list):
        pairs = enumerate(plain)
    else:
        return {place: plain}
    return {k: v for name, part in pairs for k, v in leaves(part, f"{place}.{name}").items()}


def approximately(found):
    """`found` with its numbers known to 1e-9, and texts as they are."""
    return {
        place: pytest.approx(value, rel=1e-9, abs=1e-9) if isinstance(value, float) else value
        for place, value in found.items()
    }


@pytest.mark.parametrize("name", COMMITTED)
def test_a_committed_report_is_judged_under_the_registry_that_is_committed(name):
    registered = load_registry(HYPOTHESES / "registry.json")
    digests = {claim.id: claim.digest for claim in registered}
    for row in load(REPORTS / name / "report.json").rows:
        assert (row.claim_digest, row.amended) == (digests[row.claim_id], ()), row.claim_id


def test_another_sample_gives_another_row():
    samples = load_evidence(REPORTS / "lab" / FILE)
    one = next(r for r in samples if isinstance(r.evidence, Means) and r.evidence.shape[0] > 1)
    shifted = Means(values=np.asarray(one.evidence.values) + 0.01, items=one.evidence.items)
    before = decide(one.evidence, Above(0), family_size=one.family_size).estimate
    assert decide(shifted, Above(0), family_size=one.family_size).estimate.value != before.value
