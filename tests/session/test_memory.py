"""Measurements in the store: found again by all that they come from, and by nothing less."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lazarus_bench.analysis import operations
from lazarus_bench.jobs import measurements, sources
from lazarus_bench.session import loaded, memory
from lazarus_bench.session.options import Options
from lazarus_bench.session.session import Session
from lazarus_bench.tasks.arithmetic import held_out
from lazarus_bench.training import DualReward, Sft

PROBLEMS = tuple(held_out(8, 0))


@pytest.fixture
def model(tiny, tmp_path):
    """A model directory of this test's own."""
    return Path(shutil.copytree(tiny, tmp_path / "model"))


@pytest.fixture
def read(monkeypatch):
    """How many prompts each lens read."""
    asked = []
    whole = operations.read_lens

    def counted(loaded, prompts, *how):
        asked.append(len(prompts))
        return whole(loaded, prompts, *how)

    monkeypatch.setattr(operations, "read_lens", counted)
    return asked


@pytest.fixture
def begin(tmp_path, model):
    """The run of a new session on the same store and model."""

    def of(need=None, fresh=False, **how):
        options = Options(
            profile="smoke", seeds=1, store=tmp_path / "store", fresh_measurements=fresh
        )
        bench = Session(options, **how)
        return bench.runs(str(model), need)[0]

    return of


def kept(tmp_path):
    return [file for file in (tmp_path / "store" / measurements.ROOM).rglob("*") if file.is_file()]


def test_a_second_session_reads_nothing(begin, read, monkeypatch):
    first = begin().lens(PROBLEMS)
    depth = begin().depth
    monkeypatch.setattr(loaded, "load", None)
    loaded._MANY_SMALL.cache_clear()
    again = begin()
    second = again.lens(PROBLEMS)
    assert read == [8]
    assert again.depth == depth
    assert second.problems == first.problems
    for name in ("bare", "variants", "answer", "top", "top_probability"):
        assert np.array_equal(getattr(first, name), getattr(second, name))
    # Sums over the same numbers in another order of memory round differently.
    assert first.bare.strides == second.bare.strides


@pytest.mark.parametrize(
    "others",
    [
        [lambda run: run.lens(PROBLEMS[:4])],
        [lambda run: run.lens(PROBLEMS[::-1])],
        [lambda run: run.randomised().lens(PROBLEMS)],
        [
            lambda run: run.with_quirk("bf16-lens").lens(PROBLEMS),
            lambda run: replace(run, quirk="bf16-lens").lens(PROBLEMS),
        ],
        [
            lambda run: run.randomised().with_quirk("bf16-lens").lens(PROBLEMS),
            lambda run: run.with_quirk("bf16-lens").randomised().lens(PROBLEMS),
        ],
    ],
    ids=["prompts", "order", "random weights", "quirk", "quirk of random weights"],
)
def test_another_reading_is_kept_apart(begin, read, tmp_path, others):
    plain = begin().lens(PROBLEMS)
    first, *again = [other(begin()) for other in (*others, *others)]
    assert len(read) == len(kept(tmp_path)) == 2
    assert not np.array_equal(first.bare, plain.bare)
    assert all(np.array_equal(found.bare, first.bare) for found in again)
    assert np.array_equal(begin().lens(PROBLEMS).bare, plain.bare)
    begin().with_quirk("non-causal-lens").lens(PROBLEMS)
    assert len(read) == len(kept(tmp_path)) == 3


def flip(model):
    weights = model / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-2] ^= 1
    weights.write_bytes(content)


@pytest.mark.parametrize(
    "change",
    [
        lambda patch, model: flip(model),
        lambda patch, model: patch.setattr(memory, "code_of", lambda name: "c0de" * 16),
        lambda patch, model: patch.setattr(memory, "machine", lambda: ("cuda", "", "1")),
    ],
    ids=["weights", "code", "device"],
)
def test_what_changed_is_measured_anew(begin, read, model, monkeypatch, change):
    begin().lens(PROBLEMS)
    change(monkeypatch, model)
    begin().lens(PROBLEMS)
    begin().lens(PROBLEMS)
    assert len(read) == 2


CHANGED = ((memory, "code_of", sources.code_of.__wrapped__), (sources, "_STARTED", 0.0))


@pytest.mark.parametrize(
    "settings", [CHANGED, [(measurements, "LARGEST", 100)]], ids=["source changed", "too large"]
)
def test_what_may_not_be_kept_is_read_each_time(begin, read, tmp_path, monkeypatch, settings):
    for setting in settings:
        monkeypatch.setattr(*setting)
    begin().lens(PROBLEMS)
    begin().lens(PROBLEMS)
    assert len(read) == 2
    assert kept(tmp_path) == []


def test_a_weight_that_a_fingerprint_did_not_sample_tells_by_its_time(model):
    before = measurements.content_of_checkpoint(model, "ab")
    assert measurements.content_of_checkpoint(model, "ab") == before
    os.utime(model / "model.safetensors", ns=(1, 1))
    assert measurements.content_of_checkpoint(model, "ab") != before


@pytest.mark.parametrize("at", [0, 40, -1])
def test_a_flipped_bit_is_noticed_and_mended(begin, read, tmp_path, at):
    first = begin().lens(PROBLEMS)
    (file,) = kept(tmp_path)
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)
    assert len(list(measurements.damaged(tmp_path / "store"))) == 1
    second = begin().lens(PROBLEMS)
    begin().lens(PROBLEMS)
    assert len(read) == 2
    assert np.array_equal(first.bare, second.bare)
    assert list(measurements.damaged(tmp_path / "store")) == []


def test_half_a_file_and_anothers_place_are_noticed(begin, read, tmp_path):
    begin().lens(PROBLEMS)
    (file,) = kept(tmp_path)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    begin().lens(PROBLEMS)
    begin().lens(PROBLEMS[:4])
    assert len(read) == 3
    (other,) = set(kept(tmp_path)) - {file}
    file.write_bytes(other.read_bytes())
    assert len(begin().lens(PROBLEMS).problems) == 8
    assert len(read) == 4


def test_fresh_readings_replace_those_that_are_kept(begin, read, tmp_path):
    begin().lens(PROBLEMS)
    (file,) = kept(tmp_path)
    before = file.stat().st_ino
    begin(fresh=True).lens(PROBLEMS)
    assert len(read) == 2
    (file,) = kept(tmp_path)
    assert file.stat().st_ino != before
    begin().lens(PROBLEMS)
    assert len(read) == 2


def test_a_store_that_cannot_be_written_still_serves(begin, read, tmp_path, monkeypatch):
    begin().lens(PROBLEMS)

    def refused(*_):
        raise PermissionError

    monkeypatch.setattr(measurements.Path, "write_bytes", refused)
    begin().lens(PROBLEMS)
    assert len(read) == 1
    begin().lens(PROBLEMS[:4])
    begin().lens(PROBLEMS[:4])
    assert len(read) == 3
    assert len(kept(tmp_path)) == 1


TAKEN = []


def counts(run, what="") -> int:
    """Count the measurements, as an instrument of another package."""
    TAKEN.append((run.seed, what))
    return len(TAKEN)


def gives_a_set(loaded) -> set:
    """Measure what no file can hold."""
    TAKEN.append(loaded.name)
    return {object()}


def says_nothing(run):
    """Have no return annotation."""
    TAKEN.append(run.seed)
    return 1


def test_an_instrument_of_anybody_is_measured_once(begin, tmp_path):
    TAKEN.clear()
    asked = [begin().read(counts), begin().read(counts, ""), begin().read(counts, what="")]
    assert asked == [1, 1, 1]
    assert begin().read(counts, "else") == 2
    (first, _) = kept(tmp_path)
    assert first.parent.parent.name.startswith(f"{counts.__module__}.counts@")


@pytest.mark.parametrize(
    ("instrument", "args"),
    [(gives_a_set, ()), (says_nothing, ()), (lambda run: TAKEN.append(run), ()), (counts, ({1},))],
)
def test_what_cannot_be_kept_is_measured_each_time(begin, tmp_path, instrument, args):
    TAKEN.clear()
    begin().read(instrument, *args)
    begin().read(instrument, *args)
    assert len(TAKEN) == 2
    assert kept(tmp_path) == []


def test_a_misspelt_instrument_is_answered_by_the_nearest(begin):
    with pytest.raises(AttributeError, match="did you mean 'likelihood'"):
        begin().likelyhood(PROBLEMS)


def test_adapters_and_their_steps_are_models_of_their_own(tmp_path, model, monkeypatch):
    bench = Session(Options(profile="smoke", seeds=1, store=tmp_path / "store"))
    recipes = (Sft(), DualReward(targets="vo"))
    jobs = [bench.jobs(str(model), recipe)[0] for recipe in recipes]
    for job in jobs:
        with bench.store.claim(job, wait=True), bench.store.writing(job, {}) as out:
            (out / "adapters.safetensors").write_text(job.recipe.kind)
    base, first, second = (bench.runs(str(model), need)[0] for need in (None, *recipes))
    memories = [run.memory.model for run in (base, first, second, first.checkpoint(1))]
    assert len(set(memories)) == 4
    assert all(found[: len(base.memory.model)] == base.memory.model for found in memories)
    assert first.memory.room.model.startswith(bench.store.path(jobs[0]).name)


def test_the_content_of_an_artifact_is_that_of_its_files():
    files = {"a": [1, "x"], "b": [2, "y"]}
    content = measurements.content_of({"files": files, "created": 1.0})
    assert content == measurements.content_of(json.loads(json.dumps({"files": files})))
    assert content != measurements.content_of({"files": files | {"b": [2, "z"]}})
