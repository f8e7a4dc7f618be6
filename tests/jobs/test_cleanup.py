"""Upkeep: what goes, what stays, and that nothing goes which somebody needs."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest
import storage
from storage import BASE, TUNED

from lazarus_bench import cli
from lazarus_bench.errors import UserError
from lazarus_bench.jobs.cleanup import (
    DAY,
    bases,
    current_versions,
    damages_of,
    decide,
    sweep,
    sweep_leftovers,
)
from lazarus_bench.jobs.spec import Checkpoint, Job
from lazarus_bench.jobs.store import Store
from lazarus_bench.training import DualReward, Instruct, Sft

NOW = time.time()
OTHER = Job(recipe=DualReward(), base=Checkpoint(source="here", fingerprint="ab"), seed=0)
ON_TUNED = Job(recipe=Instruct(), base=TUNED, seed=0)


@pytest.fixture
def store(tmp_path) -> Store:
    """A base, two artifacts one on the other above it, and one beside them."""
    store = Store(tmp_path / "store")
    for job in (BASE, TUNED, ON_TUNED, OTHER):
        storage.write(store, job)
    return store


def decisions(store, *, versions=None, older_than=None, now=NOW):
    contents = list(store.artifacts(checksums=True))
    found = current_versions() if versions is None else versions
    return decide(contents, versions=found, now=now, older_than=older_than)


def removed(store, **how) -> dict[str, str]:
    """What would go, by directory name, and why."""
    return {d.stored.name: d.reason for d in decisions(store, **how) if d.remove}


def name(job: Job) -> str:
    return f"{job.recipe.kind}-{job.digest[:20]}"


def damage(store: Store, job: Job) -> None:
    (store.path(job) / "adapters.safetensors").write_text("WEIGHTS")


def age(store: Store, job: Job, days: float) -> None:
    file = store.path(job) / "manifest.json"
    manifest = json.loads(file.read_text()) | {"created": NOW - days * DAY}
    file.write_text(json.dumps(manifest))


def test_whole_and_current_artifacts_stay(store):
    assert removed(store) == {}
    done = list(sweep(store, decisions(store)))
    assert not any(decision.remove for decision in done)
    assert all(store.find(job) for job in (BASE, TUNED, ON_TUNED, OTHER))


def test_a_spec_names_its_bases_nearest_first(store):
    spec = json.loads((store.path(ON_TUNED) / "spec.json").read_text())
    assert bases(spec) == [name(TUNED), name(BASE)]
    assert bases(OTHER.canonical()) == []


def test_a_damaged_artifact_goes_with_what_is_built_on_it(store):
    damage(store, TUNED)
    found = removed(store)
    assert set(found) == {name(TUNED), name(ON_TUNED)}
    assert "checksum differs" in found[name(TUNED)]
    assert found[name(ON_TUNED)] == f"built on {name(TUNED)}, which goes"
    list(sweep(store, decisions(store)))
    assert store.find(BASE) is not None
    assert not store.path(TUNED).exists()
    assert not store.path(ON_TUNED).exists()


def test_an_older_recipe_goes_with_what_is_built_on_it(store):
    newer = current_versions() | {"sft": Sft.version + 1}
    found = removed(store, versions=newer)
    assert set(found) == {name(TUNED), name(ON_TUNED)}
    assert f"recipe sft is now version {Sft.version + 1}, not {Sft.version}" in found[name(TUNED)]


def test_an_artifact_of_an_older_base_goes_though_the_base_is_gone(store):
    store.discard(store.path(BASE))
    newer = current_versions() | {"pretrain": 99}
    assert set(removed(store, versions=newer)) == {name(TUNED), name(ON_TUNED)}


def test_an_unknown_kind_stays_and_is_told(store):
    known = {kind: version for kind, version in current_versions().items() if kind != "sft"}
    assert removed(store, versions=known) == {}
    told = {d.stored.name: d.reason for d in decisions(store, versions=known)}
    assert told[name(TUNED)] == "kind sft is unknown to this version of lazarus-bench"


def test_abandoned_work_goes(store):
    new = Job(recipe=Sft(), base=BASE, seed=1)
    storage.begin(store, new)
    assert removed(store) == {name(new): "left unfinished"}
    done = list(sweep(store, decisions(store)))
    assert sum(decision.freed for decision in done) > 0
    assert not store.working(new).exists()


def test_old_artifacts_go_when_asked(store):
    for job in (BASE, TUNED, ON_TUNED):
        age(store, job, 30)
    assert removed(store) == {}
    assert set(removed(store, older_than=29)) == {name(job) for job in (BASE, TUNED, ON_TUNED)}
    assert removed(store, older_than=31) == {}


def test_a_base_of_what_stays_is_never_too_old(store):
    age(store, BASE, 30)
    age(store, TUNED, 30)
    age(store, ON_TUNED, 5)
    assert removed(store, older_than=10) == {}
    damage(store, ON_TUNED)
    assert set(removed(store, older_than=10)) == {name(BASE), name(TUNED), name(ON_TUNED)}


TRAINS_ON_BASE = """
job = Job(recipe=Sft(steps=7, checkpoints=()), base=BASE, seed=0)
with store.claim(job, wait=True), store.writing(job, {}) as out:
    (out / "half").write_text("half")
    say("training")
    time.sleep(60)
"""


def test_what_a_live_process_makes_stays_with_its_bases(store):
    damage(store, BASE)
    with storage.at_work(store, TRAINS_ON_BASE):
        assert removed(store) == {}
        told = [d.reason for d in decisions(store)]
        assert told.count("in use by a live process") == 2
    assert name(BASE) in removed(store)
    assert "left unfinished" in removed(store).values()


def test_a_base_that_comes_into_use_after_the_decision_stays(store):
    age(store, BASE, 30)
    planned = [
        d for d in decisions(store, versions={"pretrain": 99}) if d.stored.name == name(BASE)
    ]
    assert [d.remove for d in planned] == [True]
    with storage.at_work(store, TRAINS_ON_BASE):
        done = list(sweep(store, planned))
    assert [(d.remove, d.reason) for d in done] == [(False, "in use by a live process")]
    assert store.find(BASE) is not None


HOLDS_TUNED = """
with store.claim(TUNED, wait=True):
    say("claimed")
    time.sleep(60)
"""


def test_a_damaged_artifact_about_to_be_made_again_stays(store):
    damage(store, TUNED)
    with storage.at_work(store, HOLDS_TUNED):
        done = {d.stored.name: d for d in sweep(store, decisions(store))}
    assert not done[name(TUNED)].remove
    assert store.path(TUNED).exists()


def test_what_was_made_again_after_the_decision_stays(store):
    damage(store, OTHER)
    planned = decisions(store)
    storage.write(store, OTHER)
    assert not any(d.remove for d in sweep(store, planned))
    assert Store(store.root).find(OTHER) is not None


def test_leftovers_of_a_killed_deletion_and_unused_locks_are_cleared(store):
    half = store.root / ".removed" / "sft-abc"
    half.mkdir(parents=True)
    (half / "file").write_bytes(b"x" * 1000)
    assert sweep_leftovers(store) == 1000
    assert not half.exists()
    assert {file.name for file in (store.root / ".locks").iterdir()} <= {"gate.lock"}


ROOMS = (".partial", ".removed", ".sessions", ".readings", ".measurements", ".locks")


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("under", ["", "/sft-1", "/sft-1/model@1"])
def test_links_are_never_followed(store, tmp_path, room, under, capsys):
    outside = strangers(tmp_path / "outside")
    before = {path: path.stat().st_size for path in outside.rglob("*") if path.is_file()}
    link = store.root / f"{room}{under}"
    if under == "":
        shutil.rmtree(link, ignore_errors=True)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside)
    assert cli.main(["store", "gc", "--store", str(store.root)]) == 0
    said = capsys.readouterr().out
    assert {path: path.stat().st_size for path in before} == before
    if under == "" or (under == "/sft-1" and room != ".readings"):  # which goes as a whole
        assert f"kept {room}{under}: a link, which is never followed" in said
        assert link.is_symlink()
    assert all(store.find(job) for job in (BASE, TUNED, ON_TUNED, OTHER))


def strangers(folder: Path) -> Path:
    """A folder of somebody else's, old and of names that a store's own have."""
    for name in ("a.lock", "sft-2/weights", "sft-2/model@2/.part", ".hidden"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("precious")
    for path in folder.rglob("*"):
        os.utime(path, (0, 0))
    return folder


def test_an_artifact_behind_a_link_is_named_and_left(store, tmp_path, capsys):
    away = store.path(TUNED).rename(tmp_path / "away")
    store.path(TUNED).symlink_to(away)
    (away / "adapters.safetensors").write_text("damaged")
    asked = ["store", "gc", "--older-than", "0", "--store", str(store.root)]
    assert cli.main(asked) == 0
    assert f"kept {name(TUNED)} (" in (said := capsys.readouterr().out)
    assert "a link, which is never followed" in said
    assert store.path(TUNED).is_symlink()
    assert (away / "adapters.safetensors").read_text() == "damaged"


@pytest.mark.parametrize("inside", ["", "checkpoints", "checkpoints/0000005", "metrics.jsonl"])
def test_nothing_is_made_behind_a_link(store, tmp_path, inside):
    job = Job(recipe=Sft(), base=BASE, seed=1)
    link = store.working(job) / inside if inside else store.root / ".partial"
    if inside:
        link.parent.mkdir(parents=True)
    else:
        link.rmdir()
    (tmp_path / "theirs").mkdir()
    link.symlink_to(tmp_path / "theirs")
    with pytest.raises(UserError, match=f"{link.name} is a link, and nothing is made behind one"):
        storage.write(store, job)
    assert not any((tmp_path / "theirs").iterdir())


def test_nothing_is_removed_from_a_read_only_store(read_only):
    with pytest.raises(UserError, match="is read-only, so nothing can be removed"):
        list(sweep(read_only, decisions(read_only, versions={"pretrain": 99})))
    assert read_only.find(BASE) is not None


def test_every_damaged_file_is_told(store):
    damage(store, BASE)
    (store.path(BASE) / "metrics.jsonl").unlink()
    found = next(s for s in store.artifacts() if s.name == name(BASE))
    sentences = damages_of(found)
    assert len(sentences) == 2
    assert "adapters.safetensors's checksum differs" in sentences[0]
    assert "metrics.jsonl is missing" in sentences[1]


def test_a_damaged_spec_does_not_speak_for_its_artifact(store):
    file = store.path(TUNED) / "spec.json"
    file.write_text(json.dumps(OTHER.canonical()))
    found = next(s for s in store.artifacts() if s.name == name(TUNED))
    assert (found.state, found.spec) == ("damaged", None)
    assert found.digest == TUNED.digest[:20]


def test_versions_are_read_from_the_recipes(monkeypatch):
    monkeypatch.setattr(Sft, "version", 7)
    assert current_versions()["sft"] == 7


@pytest.mark.parametrize("within", [".", ".partial"])
def test_folders_that_are_no_artifacts_are_never_removed(store, within, capsys):
    """Whoever names their home as the store loses nothing."""
    for theirs in ("photos", "my-papers", "release-2024", f"x-{'g' * 20}"):
        (store.root / within / theirs).mkdir(parents=True)
        (store.root / within / theirs / "only copy").write_text("theirs")
    assert cli.main(["store", "gc", "--store", str(store.root)]) == 0
    assert "photos" not in capsys.readouterr().out
    assert len(list(store.root.glob(f"{within}/*/only copy"))) == 4
