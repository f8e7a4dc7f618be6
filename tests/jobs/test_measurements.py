"""The store's room of readings: what its digest covers, and what upkeep removes."""

import ast
import json
from pathlib import Path

import pytest
import storage
from storage import BASE, TUNED

import lazarus_bench
from lazarus_bench import cli
from lazarus_bench.jobs import readings
from lazarus_bench.jobs.readings import Room, code_digest
from lazarus_bench.jobs.store import Store

PACKAGE = Path(lazarus_bench.__file__).parent

NOT_READ = {
    "errors",
    "judge",  # evidence is made of readings
    "judge.bounds",
    "published.dual_objective_engram",  # a word of the evidence
    "versions",  # which are in the digest themselves
    "jobs.readings",  # keeps bytes and makes none
    "training.engram",  # which texts an artifact says it was trained on
    "training.finetune_cost",  # what a training left is read from its log each time
    "training.loop",
    "training.record",
    "training.specs",
    "training.sft",
}
"""What the sources import although no reading depends on it."""


def imported(file: Path) -> set[str]:
    """Modules of the package that a file imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lazarus_bench"):
            base = str(node.module).split(".")[1:]
            found |= {".".join([*base, alias.name]) for alias in node.names}
    return found


def file_of(name: str) -> Path | None:
    """The file that holds a module, or the module that holds a name."""
    for parts in (name.split("."), name.split(".")[:-1]):
        file = PACKAGE.joinpath(*parts).with_suffix(".py") if parts else None
        if file is not None and file.exists():
            return file
        package = PACKAGE.joinpath(*parts, "__init__.py")
        if parts and package.exists():
            return package
    return None


def test_all_that_readings_import_is_in_the_digest():
    covered = set(readings.sources())
    exempt = {file_of(name) for name in NOT_READ}
    assert None not in exempt
    for source in covered:
        needed = {file_of(name) for name in imported(source)} - {None}
        assert needed <= covered | exempt, f"{source}: add to SOURCES what it imports"


def test_the_digest_is_of_source_and_versions(tmp_path, monkeypatch):
    before = code_digest()
    assert code_digest() == before
    versions = readings.numeric_versions()
    assert {"mlx", "numpy", "scipy", "scikit-learn", "transformers"} <= set(versions)
    assert "revision" not in versions
    monkeypatch.setattr(readings, "numeric_versions", lambda: versions | {"mlx": "0"})
    assert code_digest() != before
    monkeypatch.undo()
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "a.py").write_text("A = 1\n")
    monkeypatch.setattr(readings, "_PACKAGE", tmp_path)
    monkeypatch.setattr(readings, "SOURCES", ("tasks",))
    one = code_digest()
    (tmp_path / "tasks" / "a.py").write_text("A = 2\n")
    assert code_digest() != one


@pytest.fixture
def store(tmp_path):
    """An artifact built on another, readings of both, of a checkpoint and of another time."""
    store = Store(tmp_path / "store")
    for job in (BASE, TUNED):
        storage.write(store, job)
        room(store, store.path(job).name).write("one", b"content")
    room(store, None).write("one", b"content")
    room(store, store.path(BASE).name, code="0" * 64).write("old", b"content")
    return store


def room(store, artifact, code=None):
    model = readings.model_name("ab" * 32, artifact)
    return Room(root=store.root, code=code or code_digest(), model=model)


def run(capsys, store, *arguments):
    code = cli.main(["store", *arguments, "--store", str(store.root)])
    said = capsys.readouterr().out
    return code, json.loads(said) if "--json" in arguments else said


def test_ls_counts_readings_and_lists_none(store, capsys):
    code, said = run(capsys, store, "ls", "--json")
    assert (code, len(said["artifacts"])) == (0, 2)
    assert said["readings"]["count"] == 4
    assert run(capsys, store, "ls")[1].splitlines()[-1].count("4 readings") == 1


def test_verify_names_a_damaged_reading(store, capsys):
    assert run(capsys, store, "verify")[0] == 0
    file = next(f for f in (store.root / readings.ROOM).rglob("one"))
    file.write_bytes(b"junk")
    code, said = run(capsys, store, "verify")
    assert code == 1
    assert f"{file.relative_to(store.root / readings.ROOM)} is damaged" in said
    assert said.splitlines()[-1].endswith("4 readings: 1 damaged")
    assert run(capsys, store, "gc", "--json")[1]["readings"]["removed"] == 2
    assert not file.exists()
    assert run(capsys, store, "verify")[0] == 0


def test_gc_removes_readings_of_other_code_and_of_what_is_gone(store, capsys):
    current = [room(store, store.path(job).name) for job in (BASE, TUNED)]
    (store.path(TUNED) / "adapters.safetensors").write_text("WEIGHTS")
    told = run(capsys, store, "gc", "--dry-run", "--json")[1]
    assert told["readings"]["removed"] == 2
    assert current[1].read("one") is not None
    said = run(capsys, store, "gc")[1]
    assert "removed 2 readings" in said
    assert current[0].read("one") == b"content"
    assert current[1].read("one") is None
    assert room(store, None).read("one") == b"content"
    assert readings.amount(store.root).count == 2
    assert store.find(BASE) is not None


def test_gc_removes_what_a_killed_session_left_half_written(store, capsys):
    beside = (store.root / readings.ROOM).glob("*/*/one").__next__().with_name(".one-ab")
    beside.write_bytes(b"half")
    assert list(readings.damaged(store.root)) == []
    run(capsys, store, "gc")
    assert not beside.exists()
