"""The store: an artifact is there whole or not at all, whoever else is at work."""

import errno
import fcntl
import json
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import product
from pathlib import Path

import pytest
import storage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lazarus_bench import cli
from lazarus_bench.backend import mx
from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.jobs import artifact as artifact_module
from lazarus_bench.jobs import locks
from lazarus_bench.jobs.locks import SESSIONS, Locks, token
from lazarus_bench.jobs.spec import Job
from lazarus_bench.jobs.store import MANIFEST, STORE_VARIABLE, Store, default_root
from lazarus_bench.jobs.subjects import subject
from lazarus_bench.training import DualReward, Sft

JOB = Job(recipe=Sft(), base=None, seed=0)
ABOUT = {"mlx": "0", "device": "cpu"}


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


def write(store: Store, job: Job = JOB, content: str = "weights") -> None:
    with store.writing(job, ABOUT) as out:
        (out / "adapters.safetensors").write_text(content)
        (out / "checkpoints").mkdir()
        (out / "checkpoints" / "1.txt").write_text("inner")


def files(store: Store) -> list[str]:
    return sorted(str(f.relative_to(store.root)) for f in store.root.rglob("*") if f.is_file())


def test_what_was_written_is_found_with_its_manifest(store):
    assert store.find(JOB) is None
    write(store)
    artifact = store.find(JOB)
    assert artifact.directory == store.path(JOB)
    assert (artifact.directory / "adapters.safetensors").read_text() == "weights"
    assert artifact.manifest["digest"] == JOB.digest
    assert artifact.manifest["made_by"] == ABOUT
    assert artifact.seconds >= 0
    assert artifact.created > 1.7e9
    assert {"adapters.safetensors", "checkpoints/1.txt", "spec.json"} == set(
        artifact.manifest["files"]
    )
    spec = json.loads((artifact.directory / "spec.json").read_text())
    assert (spec["kind"], spec["version"], spec["recipe"]["rank"]) == ("sft", Sft.version, 8)
    assert store.find(Job(recipe=Sft(), base=None, seed=1)) is None


def test_a_reader_sees_nothing_until_the_end(store):
    with store.writing(JOB, ABOUT) as out:
        (out / "adapters.safetensors").write_text("weights")
        assert store.find(JOB) is None
        assert not store.path(JOB).exists()
        assert Store(store.root).find(JOB) is None
    assert store.find(JOB) is not None


def fail_with(store: Store, error: type[BaseException]) -> None:
    def fail() -> None:
        with store.writing(JOB, ABOUT) as out:
            storage.keep_half(out)
            raise error

    with pytest.raises(error):
        fail()


@pytest.mark.parametrize("error", [RuntimeError, UserError, NotApplicable])
def test_an_exception_while_writing_leaves_nothing(store, error):
    fail_with(store, error)
    assert store.find(JOB) is None
    assert files(store) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_keeps_the_work_for_the_next_attempt(store, error):
    fail_with(store, error)
    assert store.find(JOB) is None
    with store.writing(JOB, ABOUT) as out:
        assert out == store.working(JOB)
        assert (out / "resume" / "half").read_text() == "half"
    assert store.find(JOB).manifest["attempts"] == 2


def test_an_exception_keeps_the_artifact_that_was_there(store):
    write(store)

    def fail() -> None:
        with store.writing(JOB, ABOUT):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert store.find(JOB) is not None


def test_a_whole_artifact_is_never_replaced_under_its_reader(store):
    write(store, content="first")
    write(store, content="other")
    assert (store.find(JOB).directory / "adapters.safetensors").read_text() == "first"
    assert not any((store.root / ".partial").iterdir())


def test_a_damaged_artifact_is_made_again(store):
    write(store, content="first")
    (store.path(JOB) / "adapters.safetensors").write_text("fir")
    write(store, content="other")
    assert (store.find(JOB).directory / "adapters.safetensors").read_text() == "other"


NAMES = ("adapters.safetensors", "checkpoints/1.txt", "spec.json", MANIFEST)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(NAMES), share=st.floats(0, 0.99))
def test_a_truncated_file_is_no_artifact(store, name, share):
    if store.find(JOB) is None:
        write(store)
    assert store.find(JOB) is not None
    file = store.path(JOB) / name
    content = file.read_bytes()
    file.write_bytes(content[: min(int(len(content) * share), len(content) - 2)])
    assert store.find(JOB) is None
    file.write_bytes(content)


@pytest.mark.parametrize("text", ["[]", "null", '"x"', "{}", '{"digest": 1}'])
def test_a_manifest_of_something_else_is_no_artifact(store, text):
    write(store)
    (store.path(JOB) / MANIFEST).write_text(text)
    assert store.find(JOB) is None


def test_a_store_that_cannot_be_made_says_how_to_choose_another(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=f"store, or set {STORE_VARIABLE}"):
        Store(tmp_path / "file" / "store")


def test_the_root_is_the_variable_else_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv(STORE_VARIABLE, str(tmp_path))
    assert default_root() == tmp_path
    monkeypatch.delenv(STORE_VARIABLE)
    assert default_root().parts[-2:] == ("lazarus-bench", "store")


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    """A store with one real artifact, and its job."""
    store = Store(tmp_path_factory.mktemp("trained") / "store")
    recipe = DualReward(steps=2, batch=4, examples=20, rank=4)
    job = Job(recipe=recipe, base=subject(str(tiny)).base(0), seed=0)
    with store.claim(job, wait=True), store.writing(job, ABOUT) as out:
        recipe.train(tiny, out, 0, False)
    return store, job


def payload(store: Store, job: Job) -> list[Path]:
    return [store.path(job) / name for name in store.find(job).manifest["files"]]


def test_one_other_bit_in_any_file_is_named(trained):
    store, job = trained
    assert len(payload(store, job)) >= 4
    for file in payload(store, job):
        content = file.read_bytes()
        for place in (0, len(content) // 2, len(content) - 1):
            flipped = bytearray(content)
            flipped[place] ^= 1
            file.write_bytes(flipped)
            fresh = Store(store.root)
            assert fresh.find(job) is None
            said = fresh.damage(job)
            assert f"{store.path(job).name} is damaged: {file.name}'s checksum differs" in said
        file.write_bytes(content)
    assert Store(store.root).damage(job) is None


def test_any_missing_file_is_named(trained):
    store, job = trained
    for file in (*payload(store, job), store.path(job) / MANIFEST):
        aside = file.rename(file.with_name("aside"))
        assert store.find(job) is None
        assert store.damage(job).endswith(f"is damaged: {file.name} is missing")
        aside.rename(file)
    assert store.damage(job) is None


def manifest_of(store: Store) -> dict:
    return json.loads((store.path(JOB) / MANIFEST).read_text())


def with_manifest(store: Store, **changed) -> None:
    text = json.dumps(manifest_of(store) | changed)
    (store.path(JOB) / MANIFEST).write_text(text)


def cut_manifest(store: Store) -> None:
    file = store.path(JOB) / MANIFEST
    file.write_text(file.read_text()[:100])


def not_utf8(store: Store) -> None:
    (store.path(JOB) / MANIFEST).write_bytes(b"\xff{}")


def grown(store: Store) -> None:
    (store.path(JOB) / "adapters.safetensors").write_text("weights, more")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (cut_manifest, "manifest.json is unreadable"),
        (not_utf8, "manifest.json is unreadable"),
        (grown, "adapters.safetensors's size differs (13 bytes, 7 when"),
        (lambda store: with_manifest(store, digest="0" * 64), "belongs to another job"),
    ],
)
def test_damage_is_named(store, harm, said):
    write(store)
    assert store.damage(JOB) is None
    harm(store)
    assert said in store.damage(JOB)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 10**30, -1, "x", [], {}, True])
@pytest.mark.parametrize("name", ["label", "seed", "seconds", "created", "attempts", "files"])
def test_a_store_is_listed_whatever_a_manifest_says(store, name, value, capsys):
    write(store)
    with_manifest(store, **{name: value})
    for action in (["ls"], ["ls", "--json"], ["show", JOB.digest[:8]], ["verify"], ["gc"]):
        assert cli.main(["store", *action, "--store", str(store.root)]) in (0, 1, 2)
    assert "Traceback" not in capsys.readouterr().err


def test_a_size_that_is_no_number_is_damage(store):
    write(store)
    listed = manifest_of(store)["files"]
    with_manifest(store, files=listed | {"spec.json": [float("inf"), "0"]})
    assert "manifest.json is unreadable" in store.damage(JOB)


@pytest.mark.parametrize("name", ["../secret", "{root}/secret", "checkpoints/../../secret", "link"])
def test_a_manifest_cannot_point_out_of_its_artifact(store, name):
    write(store)
    secret = store.root / "secret"
    secret.write_text("weights")
    (store.path(JOB) / "link").symlink_to(secret)
    listed = manifest_of(store)["files"]
    name = name.format(root=store.root)
    with_manifest(store, files=listed | {name: listed["adapters.safetensors"]})
    assert "outside of it" in store.damage(JOB)
    assert store.find(JOB) is None


@pytest.mark.parametrize("name", ["a\0b", "checkpoints", ""])
def test_a_manifest_with_names_of_no_files(store, name):
    write(store)
    listed = manifest_of(store)["files"]
    with_manifest(store, files=listed | {name: [1, "0"]})
    assert "is damaged" in store.damage(JOB)


def test_a_manifest_that_omits_a_file_is_damaged(store):
    write(store)
    omitted = dict(manifest_of(store)["files"])
    name = next(name for name in omitted if name != "spec.json")
    del omitted[name]
    with_manifest(store, files=omitted)
    assert f"has no checksum of {name}" in store.damage(JOB)


def test_files_that_no_manifest_lists_are_ignored(store):
    write(store)
    (store.path(JOB) / ".nfs0001").write_text("left by a file system")
    assert Store(store.root).find(JOB) is not None


def test_a_recipe_that_leaves_a_link_is_a_bug(store, tmp_path):
    def linked() -> None:
        with store.writing(JOB, ABOUT) as out:
            (out / "weights").symlink_to(tmp_path)
            (out / "broken").symlink_to(tmp_path / "nothing")

    with pytest.raises(RuntimeError, match="no regular file"):
        linked()
    assert files(store) == []


def test_a_reader_keeps_the_files_of_a_damaged_artifact_that_is_replaced(store):
    write(store, content="first")
    with (store.path(JOB) / "checkpoints" / "1.txt").open() as reader:
        (store.path(JOB) / "adapters.safetensors").unlink()
        write(store, content="other")
        assert reader.read() == "inner"
    assert Store(store.root).damage(JOB) is None
    assert not any((store.root / ".removed").iterdir())


def test_a_replaced_artifact_is_verified_again(store):
    write(store, content="first")
    assert store.find(JOB) is not None
    shutil.rmtree(store.path(JOB))
    write(Store(store.root), content="other")
    (store.path(JOB) / "adapters.safetensors").write_text("OTHER")
    assert store.find(JOB) is None


def test_the_resume_folder_is_no_part_of_the_artifact(store):
    with store.writing(JOB, ABOUT) as out:
        (out / "resume").mkdir()
        (out / "resume" / "optimizer.safetensors").write_text("state")
        (out / "weights").write_text("w")
    assert {f.name for f in store.path(JOB).iterdir()} == {"weights", "spec.json", MANIFEST}
    assert set(store.find(JOB).manifest["files"]) == {"weights", "spec.json"}


def test_the_time_of_every_attempt_counts(store, monkeypatch):
    storage.begin(store, JOB)
    note, killed = store.working(JOB) / "attempt.json", 1.7e9
    started = json.loads(note.read_text()) | {"seconds": 50.0, "started": killed - 100}
    note.write_text(json.dumps(started))
    for path in (*store.working(JOB).rglob("*"), store.working(JOB)):
        os.utime(path, (killed, killed))
    clock = [10.0]
    monkeypatch.setattr(artifact_module.time, "perf_counter", lambda: clock[0])
    with store.claim(JOB, wait=True), store.writing(JOB, ABOUT) as out:
        assert (out / "resume" / "half").read_text() == "half"
        clock[0] = 15.0
    artifact = store.find(JOB)
    assert artifact.manifest["attempts"] == 2
    assert artifact.seconds == 50 + 100 + 5


WRITES_AND_HANGS = """
with store.claim(TUNED, wait=True), store.writing(TUNED, {}) as out:
    (out / "resume").mkdir()
    (out / "resume" / "state").write_text("step 7")
    say("writing")
    time.sleep(60)
"""


def test_after_a_kill_the_next_attempt_goes_on(store):
    job = storage.TUNED
    with storage.at_work(store, WRITES_AND_HANGS):
        with store.claim(job, wait=False) as held:
            assert not held
        assert [s.state for s in store.artifacts()] == ["running"]
    assert [s.state for s in store.artifacts()] == ["unfinished"]
    with store.claim(job, wait=False) as held, store.writing(job, ABOUT) as out:
        assert held
        assert (out / "resume" / "state").read_text() == "step 7"
        (out / "weights").write_text("w")
    assert store.find(job).manifest["attempts"] == 2
    assert not any((store.root / ".partial").iterdir())


MAKES_ONCE = """
with store.claim(BASE, wait=True):
    if store.find(BASE) is None:
        with store.writing(BASE, {}) as out:
            say("made")
            time.sleep(0.3)
            (out / "weights").write_text("w")
assert store.find(BASE) is not None
say("found")
"""


def test_of_two_processes_one_makes_and_both_find(store):
    both = [storage.start(store, MAKES_ONCE) for _ in range(2)]
    said = [process.communicate(timeout=60)[0].split() for process in both]
    assert sorted(said) == [["found"], ["made", "found"]]
    assert [process.returncode for process in both] == [0, 0]


def test_a_whole_artifact_that_came_meanwhile_stays(store):
    """An older version of this package on another machine takes no locks."""
    with store.writing(storage.BASE, ABOUT) as out:
        (out / "weights").write_text("ours")
        other = Store(store.root)
        shutil.copytree(out, store.root / "aside")
        with other.writing(storage.BASE, ABOUT) as again:
            (again / "weights").write_text("w")
        shutil.copytree(store.root / "aside", out)
    assert (store.find(storage.BASE).directory / "weights").read_text() == "w"
    assert not any((store.root / ".partial").iterdir())


def test_no_two_threads_hold_a_lock_while_a_third_clears_unused_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "POLL", 0.001)
    shared, inside, most = Locks(tmp_path / "locks"), [], []

    def work() -> None:
        for _ in range(40):
            lock = shared.acquire("job", wait=True)
            inside.append(1)
            most.append(len(inside))
            inside.pop()
            lock.release()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        shared.clear()
    assert len(most) == 120
    assert set(most) == {1}
    shared.clear()
    assert {file.name for file in (tmp_path / "locks").iterdir()} <= {"gate.lock"}


@contextmanager
def locked_by_a_reader(file: Path, size: int = 0) -> Iterator[None]:
    """Somebody who may only read, and so leaves no name, holds the lock, a file of `size` bytes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    os.truncate(file, size)
    with file.open("rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize(("name", "size"), [("gate", 0), ("job", 0), ("gate", 1 << 40)])
def test_who_waits_for_a_lock_says_so_and_not_for_ever(tmp_path, monkeypatch, capsys, name, size):
    monkeypatch.setattr(locks, "SILENT_SECONDS", 0.1)
    monkeypatch.setenv(locks.HOURS_VARIABLE, str(0.4 / 3600))
    file = tmp_path / "locks" / f"{name}.lock"
    with (
        locked_by_a_reader(file, size),
        pytest.raises(UserError, match=rf"{file} was not free.*left no name.*LOCK_HOURS"),
    ):
        Locks(tmp_path / "locks").acquire("job", wait=True)
    assert capsys.readouterr().err.count(f"waits for the lock {file} (whoever holds it") == 1


def test_a_lock_is_made_with_its_folder(tmp_path):
    with locks.hold(tmp_path / "no" / "store" / "gate.lock"):
        assert (tmp_path / "no" / "store" / "gate.lock").is_file()


def test_who_holds_a_lock_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(locks, "SILENT_SECONDS", 0.0)
    monkeypatch.setenv(locks.HOURS_VARIABLE, str(0.3 / 3600))
    shared = Locks(tmp_path / "locks")
    lock = shared.acquire("job", wait=True)
    named = f"last taken by process {os.getpid()} on {socket.gethostname()}"
    with pytest.raises(UserError, match=named):
        shared.acquire("job", wait=True)
    lock.release()
    assert named in capsys.readouterr().err


@pytest.mark.parametrize("hours", ["soon", "0", "-1", "nan", "inf"])
def test_hours_that_are_none_are_refused(monkeypatch, hours):
    monkeypatch.setenv(locks.HOURS_VARIABLE, hours)
    with pytest.raises(UserError, match=f"LOCK_HOURS={hours} is not a number of hours"):
        locks.allowed_hours()


@pytest.mark.parametrize("mode", [0o775, 0o755])
def test_locks_of_a_shared_store_are_writable_by_its_group(tmp_path, mode):
    tmp_path.chmod(mode)
    Locks(tmp_path / "locks").acquire("job", wait=True).release()
    for path in (tmp_path / "locks", *(tmp_path / "locks").iterdir()):
        assert bool(path.stat().st_mode & 0o020) is (mode == 0o775)
        assert not path.stat().st_mode & 0o002


def plant(path: Path, kind: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parent / "theirs").write_text("kept")
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("theirs" if kind == "link" else "nowhere")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *product(
            ["locks/gate.lock", "locks/job.lock"], ["link", "dangling link", "folder", "pipe"]
        ),
        *product(["locks"], ["link", "dangling link", "pipe"]),
    ],
)
def test_a_lock_that_is_no_file_is_refused(tmp_path, name, kind):
    plant(tmp_path / name, kind)
    with pytest.raises(UserError, match=f"{name} is no regular"):
        Locks(tmp_path / "locks").acquire("job", wait=True)
    assert not Locks(tmp_path / "locks").held("job")
    assert ((tmp_path / name).parent / "theirs").read_text() == "kept"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_refused(store, monkeypatch, number):
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with (
        pytest.raises(UserError, match=r"without file locks.* another store"),
        store.claim(JOB, wait=False),
    ):
        pass


FAILURES = (
    errno.EIO,
    errno.ESTALE,
    errno.ETIMEDOUT,
    errno.EXDEV,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
)


@pytest.mark.parametrize("number", FAILURES, ids=lambda number: errno.errorcode[number])
@pytest.mark.parametrize(
    ("module", "call"), [(os, "rename"), (os, "replace"), (os, "fsync"), (fcntl, "flock")]
)
def test_a_failing_file_system_is_one_sentence_and_keeps_the_work(store, module, call, number):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    storage.begin(store, JOB)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, call, refuse)
        with pytest.raises(UserError, match=r"^the .*store.* stays there: .*another store$"):
            storage.write(store, JOB)
    kept = [store.working(JOB) / name for name in ("resume/half", MANIFEST)]  # or it was finished
    assert any(path.exists() for path in kept)
    assert store.find(JOB) is None
    storage.write(store, JOB)
    assert store.find(JOB) is not None


@pytest.mark.parametrize("call", ["rename", "fsync"])
def test_a_finished_training_that_could_not_be_put_in_place_is_not_made_again(store, call):
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, call, refuse)
        with pytest.raises(UserError, match="fails"):
            storage.write(store, JOB)
    with store.claim(JOB, wait=True):
        assert store.finish(JOB) is not None
    assert not store.working(JOB).exists()


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EIO, os.strerror(errno.EIO)),
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        RuntimeError("rank 0: OSError: [Errno 116] Stale file handle"),
        RuntimeError("rank 0: OSError: [Errno 122] Disk quota exceeded: 'x'"),
    ],
)
def test_a_recipe_that_the_file_system_fails_keeps_its_work(store, error):
    def fail() -> None:
        with store.claim(JOB, wait=True), store.writing(JOB, ABOUT) as out:
            (out / "half").write_text("half")
            raise error

    with pytest.raises(UserError, match="what was kept so far stays"):
        fail()
    assert (store.working(JOB) / "half").exists()


def fill_with_text(out: Path) -> None:
    (out / "metrics.jsonl").write_text("x" * 2_000_000)


def fill_with_weights(out: Path) -> None:
    mx.save_safetensors(str(out / "model.safetensors"), {"weights": mx.zeros((500_000,))})


def fill_with_folders(out: Path) -> None:
    for number in range(100):
        (out / f"{number}").mkdir()


def fill_with_folders_then_weights(out: Path) -> None:
    with suppress(OSError):
        fill_with_folders(out)
    fill_with_weights(out)


FILLS = (fill_with_text, fill_with_weights, fill_with_folders, fill_with_folders_then_weights)


@pytest.mark.parametrize("fill", FILLS)
def test_a_full_disk_is_one_sentence_and_costs_nothing_else(small_disk, fill):
    store = Store(small_disk / "store")
    storage.write(store, storage.BASE)

    def overflow() -> None:
        with store.claim(JOB, wait=True), store.writing(JOB, ABOUT) as out:
            fill(out)

    with pytest.raises(UserError, match=r"is full \([01] MB free\).*store gc.*another store"):
        overflow()
    assert Store(store.root).find(storage.BASE) is not None
    assert store.working(JOB).is_dir(), "what was trained so far stays"
    store.discard(store.working(JOB))
    storage.write(store, JOB)
    assert store.find(JOB) is not None


def test_a_store_too_full_for_a_manifest(small_disk):
    store = Store(small_disk / "store")

    def overflow() -> None:
        with store.writing(JOB, ABOUT) as out:
            room = shutil.disk_usage(small_disk).free
            (out / "weights").write_bytes(b"x" * room)

    with pytest.raises(UserError, match="is full"):
        overflow()
    assert store.find(JOB) is None
    assert (store.working(JOB) / "weights").exists()


def test_a_file_that_fills_another_disk_is_not_the_stores_fault(store):
    error = OSError(errno.ENOSPC, "No space left on device", "/elsewhere/file")

    def overflow() -> None:
        with store.writing(JOB, ABOUT):
            raise error

    with pytest.raises(OSError, match="/elsewhere/file"):
        overflow()


def test_a_read_only_store_can_be_read(read_only):
    store = Store(read_only.root)
    assert not store.writable()
    assert store.find(storage.BASE) is not None
    assert store.find(storage.TUNED) is None
    assert [s.state for s in store.artifacts(checksums=True)] == ["whole"]


def test_a_store_that_cannot_be_made_is_opened_and_is_empty(tmp_path, monkeypatch):
    """Who trains nothing needs none, such as with a home that may not be written."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    store = Store(tmp_path / "home" / "store")
    assert (store.writable(), list(store.artifacts()), store.find(storage.BASE)) == (
        False,
        [],
        None,
    )


def test_a_read_only_store_says_so_when_something_must_be_made(read_only):
    says = "is read-only, and SFT LoRA all on pretrain cannot be made there: .*another store"
    with pytest.raises(UserError, match=says), read_only.claim(storage.TUNED, wait=True):
        pass
    with pytest.raises(UserError, match=says), read_only.writing(storage.TUNED, ABOUT):
        pass


def test_the_manifest_names_the_quirks_of_a_training_and_of_what_it_stands_on(store):
    below = Job(recipe=DualReward(quirks=("sgd",)), base=None, seed=0)
    job = Job(recipe=Sft(quirks=("unshifted-labels",)), base=below, seed=0)
    write(store, job)
    assert store.find(job).manifest["quirks"] == ["unshifted-labels", "sgd"]
    assert "QUIRK unshifted-labels" in store.find(job).manifest["label"]


def test_what_no_state_vouches_for_is_never_published(tmp_path):
    store = Store(tmp_path / "store")
    base = subject("lab:llama").base(0)
    disturbed, other = (Job(recipe=Sft(), base=base, seed=seed) for seed in (1, 2))
    left = store.working(disturbed)
    (left / "checkpoints" / "0000007").mkdir(parents=True)
    (left / "checkpoints" / "0000007" / "adapters.safetensors").write_text("stray")
    (left / "stray.json").write_text("{}")
    (left / "spec.json").mkdir()
    os.mkfifo(left / "metrics.jsonl")
    note = {"attempts": 1e99, "seconds": "nan", "started": -1e308}
    (left / "attempt.json").write_text(json.dumps(note))
    for job in (disturbed, other):
        storage.write(store, job)
    made = [store.find(job) for job in (disturbed, other)]
    assert made[0] is not None
    assert made[1] is not None
    files = [{p.relative_to(a.directory) for p in a.directory.rglob("*")} for a in made]
    assert files[0] == files[1]
    assert made[0].manifest["attempts"] == 1


def test_a_sessions_token_does_not_follow_a_link(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / SESSIONS).symlink_to(elsewhere)
    with pytest.raises(UserError, match=r"\.sessions is a link: remove it"), token(tmp_path):
        pass
    assert not list(elsewhere.iterdir())
