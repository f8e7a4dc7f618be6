"""The store's measurements: what their code's digest covers, and what upkeep removes."""

import json
import sys

import pytest
import storage
from storage import BASE, TUNED

from lazarus_bench import cli
from lazarus_bench.analysis.probe import probe
from lazarus_bench.jobs import measurements, sources
from lazarus_bench.jobs.measurements import Room, instrument_folder
from lazarus_bench.jobs.sources import closure, code_of, name_of
from lazarus_bench.jobs.store import Store

PROBE = "lazarus_bench.analysis.probe.probe"


def test_the_closure_holds_what_an_instrument_imports_and_no_more():
    found = closure(PROBE)
    assert {
        "lazarus_bench.analysis.probe",
        "lazarus_bench.analysis.prompts",
        "lazarus_bench.analysis.logistic",
        "lazarus_bench.models.load",
        "lazarus_bench.models.taps",
        "lazarus_bench.backend",
        "lazarus_bench.exp",
        "lazarus_bench.tasks.arithmetic",
    } <= set(found)
    rooms = {module.split(".")[1] for module in found if "." in module}
    assert not rooms & {"report", "plugin", "cli", "training", "session", "judge"}
    assert all(file.is_file() for file in found.values())


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Write an outsider's package; its modules are not imported."""
    folder = tmp_path / "outsider" / "instruments"
    folder.mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)

    def write(at_top="from .. import shared", inside="import outsider.instruments.late"):
        (folder.parent / "__init__.py").write_text("")
        (folder / "__init__.py").write_text("raise ImportError('not to be run')")
        (folder.parent / "shared.py").write_text("from lazarus_bench.tasks import words")
        (folder / "late.py").write_text("import json, numpy.linalg")
        (folder / "only_typed.py").write_text("")
        (folder / "mine.py").write_text(
            f"from typing import TYPE_CHECKING\n{at_top}\nif TYPE_CHECKING:\n"
            f"    from . import only_typed\ndef measure(run) -> int:\n    {inside}\n    return 1\n"
        )
        for cached in (sources._file, sources._module, sources._read, sources._imported, code_of):
            cached.cache_clear()
        return folder

    yield write
    for cached in (sources._file, sources._module, sources._roots, code_of):
        cached.cache_clear()


MINE = "outsider.instruments.mine.measure"


def test_an_outsiders_closure_is_of_its_own_package_and_of_this_one(package):
    package()
    found = set(closure(MINE))
    own = {"", ".shared", ".instruments", ".instruments.mine", ".instruments.late"}
    assert {name for name in found if name.startswith("outsider")} == {f"outsider{o}" for o in own}
    assert "lazarus_bench.tasks.words" in found
    assert "outsider" not in sys.modules
    assert closure("nowhere.at.all") == {}


def test_the_digest_is_of_source_and_versions(package, monkeypatch):
    monkeypatch.setattr(sources, "_STARTED", float("inf"))
    package()
    before = code_of(MINE)
    (package() / "only_typed.py").write_text("A = 1")
    assert code_of(MINE) == before
    (package() / "late.py").write_text("A = 1")
    assert code_of(MINE) != before
    package()
    versions = sources.numeric_versions()
    assert {"mlx", "numpy", "scipy", "scikit-learn", "transformers"} <= set(versions)
    assert "revision" not in versions
    monkeypatch.setattr(sources, "numeric_versions", lambda: versions | {"mlx": "0"})
    assert code_of(MINE) not in (before, None)


def test_source_newer_than_the_process_has_no_digest(package):
    package()
    assert code_of(MINE) is None
    assert code_of(PROBE) is not None


def test_only_what_can_be_found_again_has_a_name():
    assert name_of(probe) == PROBE
    assert name_of(lambda run: run) is None
    assert name_of(print) == "builtins.print"
    assert code_of("builtins.print") is None

    def inner(run):
        return run

    assert name_of(inner) is None


@pytest.fixture
def store(tmp_path):
    """An artifact built on another, measurements of both, of a checkpoint and of another time."""
    store = Store(tmp_path / "store")
    for job in (BASE, TUNED):
        storage.write(store, job)
        room(store, store.path(job).name).write(CURRENT, "one", b"content")
    room(store, None).write(CURRENT, "one", b"content")
    room(store, store.path(BASE).name).write(f"{PROBE}@{'0' * 20}", "old", b"content")
    return store


CURRENT = instrument_folder(PROBE, code_of(PROBE) or "")


def room(store, artifact):
    return Room(root=store.root, model=measurements.model_name("ab" * 32, artifact))


def run(capsys, store, *arguments):
    code = cli.main(["store", *arguments, "--store", str(store.root)])
    said = capsys.readouterr().out
    return code, json.loads(said) if "--json" in arguments else said


def test_ls_counts_measurements_and_lists_none(store, capsys):
    code, said = run(capsys, store, "ls", "--json")
    assert (code, len(said["artifacts"])) == (0, 2)
    assert said["readings"]["count"] == 4
    assert run(capsys, store, "ls")[1].splitlines()[-1].count("4 measurements") == 1


def test_verify_names_a_damaged_reading(store, capsys):
    assert run(capsys, store, "verify")[0] == 0
    file = next(f for f in (store.root / measurements.ROOM).rglob("one"))
    file.write_bytes(b"junk")
    code, said = run(capsys, store, "verify")
    assert code == 1
    assert f"{file.relative_to(store.root / measurements.ROOM)} is damaged" in said
    assert said.splitlines()[-1].endswith("4 measurements: 1 damaged")
    assert run(capsys, store, "gc", "--json")[1]["readings"]["removed"] == 2
    assert not file.exists()
    assert run(capsys, store, "verify")[0] == 0


def test_gc_removes_measurements_of_other_code_and_of_what_is_gone(store, capsys):
    current = [room(store, store.path(job).name) for job in (BASE, TUNED)]
    (store.path(TUNED) / "adapters.safetensors").write_text("WEIGHTS")
    told = run(capsys, store, "gc", "--dry-run", "--json")[1]
    assert told["readings"]["removed"] == 2
    assert current[1].read(CURRENT, "one") is not None
    said = run(capsys, store, "gc")[1]
    assert "removed 2 measurements" in said
    assert current[0].read(CURRENT, "one") == b"content"
    assert current[1].read(CURRENT, "one") is None
    assert room(store, None).read(CURRENT, "one") == b"content"
    assert measurements.amount(store.root).count == 2
    assert store.find(BASE) is not None


def test_gc_removes_what_a_killed_session_left_half_written(store, capsys):
    beside = (store.root / measurements.ROOM).glob("*/*/one").__next__().with_name(".one-ab")
    beside.write_bytes(b"half")
    assert list(measurements.damaged(store.root)) == []
    run(capsys, store, "gc")
    assert not beside.exists()
