"""The store: an artifact is there whole or not at all."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.jobs.spec import Job
from lazarus_bench.jobs.store import MANIFEST, STORE_VARIABLE, Store, default_root
from lazarus_bench.training.specs import Pretrain, Sft

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


def test_the_spec_beside_the_weights_says_how_to_make_them_again(store):
    write(store)
    spec = json.loads((store.path(JOB) / "spec.json").read_text())
    assert spec["recipe"]["rank"] == 8
    assert (spec["kind"], spec["version"], spec["seed"]) == ("sft", Sft.version, 0)


def test_jobs_do_not_meet(store):
    write(store)
    assert store.find(Job(recipe=Sft(), base=None, seed=1)) is None
    assert store.find(Job(recipe=Pretrain(), base=None, seed=0)) is None


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
            (out / "adapters.safetensors").write_text("half")
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
        assert (out / "adapters.safetensors").read_text() == "half"
    assert store.find(JOB).attempts == 2


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


def test_other_bytes_of_the_same_length_are_no_artifact(store):
    job = Job(recipe=Pretrain(), base=None, seed=0)
    with store.writing(job, {}) as out:
        (out / "weights.bin").write_bytes(b"0123456789")
    assert store.find(job) is not None
    (store.path(job) / "weights.bin").write_bytes(b"9876543210")
    assert Store(store.root).find(job) is None


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_no_artifact(store, name):
    write(store)
    (store.path(JOB) / name).unlink()
    assert store.find(JOB) is None


@pytest.mark.parametrize("text", ["[]", "null", '"x"', "{}", '{"digest": 1}'])
def test_a_manifest_of_something_else_is_no_artifact(store, text):
    write(store)
    (store.path(JOB) / MANIFEST).write_text(text)
    assert store.find(JOB) is None


def test_a_store_that_cannot_be_made_says_how_to_choose_another(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=f"--lb-store or {STORE_VARIABLE}"):
        Store(tmp_path / "file" / "store")


def test_the_root_is_the_variable_else_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv(STORE_VARIABLE, str(tmp_path))
    assert default_root() == tmp_path
    monkeypatch.delenv(STORE_VARIABLE)
    assert default_root().parts[-2:] == ("lazarus-bench", "store")
