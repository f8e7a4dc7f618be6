"""In process: two sessions on one store share the work, and nothing is made twice."""

import json
import signal
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from storage import payload

from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.jobs import executors
from lazarus_bench.jobs.executors import (
    InProcess,
    automatic_workers,
    choose,
    execute,
    longest_first,
)
from lazarus_bench.jobs.spec import Checkpoint, Job
from lazarus_bench.jobs.store import Artifact, Store
from lazarus_bench.jobs.subjects import subject
from lazarus_bench.jobs.work import Failure, Place, missing, run_job, start
from lazarus_bench.training import DualReward, Fuse, Instruct, Pretrain, Recipe, Sft
from lazarus_bench.training.recipe import Stack

DUAL = DualReward(steps=2, batch=4, examples=20, rank=4)


def jobs_on(tiny, seeds):
    return [Job(recipe=DUAL, base=subject(str(tiny)).base(seed), seed=seed) for seed in seeds]


def test_another_s_job_is_left_until_it_is_done(tiny, tmp_path):
    store = Store(tmp_path / "store")
    mine, theirs = jobs_on(tiny, (0, 1))
    executor = InProcess(Place(root=store.root, show=False))
    ticks = []
    with store.claim(theirs, wait=False) as held:
        assert held
        results = executor.run([theirs, mine], lambda: ticks.append(1))
        assert next(results)[0] == mine
    job, result = next(results)
    assert job == theirs
    assert isinstance(result, Artifact)


def test_a_job_made_meanwhile_is_found_not_made_again(tiny, tmp_path):
    store = Store(tmp_path / "store")
    place = Place(root=store.root, show=False)
    (job,) = jobs_on(tiny, (0,))
    results = InProcess(place).run([job], lambda: None)
    made = run_job(job, place)
    assert isinstance(made, Artifact)
    ((_, found),) = results
    assert found.created == made.created


def test_a_claimed_job_is_waited_for(tiny, tmp_path):
    store = Store(tmp_path / "store")
    place = Place(root=store.root, show=False)
    (job,) = jobs_on(tiny, (0,))
    with store.claim(job, wait=False):
        assert run_job(job, place, wait=False) is None
    release = threading.Event()
    held = threading.Event()

    def hold():
        with store.claim(job, wait=False):
            held.set()
            release.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    threading.Timer(0.5, release.set).start()
    assert isinstance(run_job(job, place, wait=True), Artifact)
    thread.join()


def test_workers_follow_the_cores(monkeypatch):
    monkeypatch.setattr(executors.os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    monkeypatch.setattr("lazarus_bench.backend.on_accelerator", lambda: False)
    assert automatic_workers() == 6
    assert automatic_workers(ranks=4) == 1
    monkeypatch.setattr("lazarus_bench.backend.on_accelerator", lambda: True)
    assert automatic_workers() == 1


SFT = Sft(steps=2, batch=4, examples=20, validation=8, checkpoints=(0, 2))
SHORT_PRETRAIN = Pretrain(steps=1)


@dataclass(frozen=True, kw_only=True)
class Nowhere(Recipe):
    """A recipe that has no `train`."""

    kind: ClassVar[str] = "nowhere"
    version: ClassVar[int] = 1


DIVERGES = Sft(steps=20, batch=4, examples=20, validation=8, checkpoints=(), learning_rate=1e30)


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


def run(jobs, store, workers=1) -> dict[Job, Artifact | Failure]:
    results: dict[Job, Artifact | Failure] = {}
    todo = missing(jobs, store)
    with choose(Place(root=store.root, show=False), len(todo), workers, None) as executor:
        execute(todo, executor, results.__setitem__)
    return results


def on(tiny: Path, recipe, seed=0) -> Job:
    return Job(recipe=recipe, base=subject(str(tiny)).base(seed), seed=seed)


def test_what_is_in_the_store_is_not_made_again(tiny, store):
    job = on(tiny, DUAL)
    assert list(run([job], store)) == [job]
    made = store.find(job).created
    assert missing([job], store) == []
    assert run([job], store) == {}
    assert store.find(job).created == made


def test_the_manifest_says_what_made_it(tiny, store):
    job = on(tiny, DUAL)
    run([job], store)
    manifest = store.find(job).manifest
    assert {"mlx", "mlx-lm", "revision", "device", "blas"} <= set(manifest["made_by"])
    spec = json.loads((store.path(job) / "spec.json").read_text())
    assert spec["recipe"]["weight"] == 0.4


def test_a_base_is_made_first_and_used(store):
    base = Job(recipe=SHORT_PRETRAIN, base=None, seed=0)
    tuned = Job(recipe=Instruct(steps=1), base=base, seed=0)
    results = run([tuned, base], store)
    assert all(isinstance(result, Artifact) for result in results.values())
    assert list(results) == [base, tuned]


def failing_chain(tiny) -> tuple[Job, Job, Job]:
    """A job that fails, one on top of it, and one on top of that."""
    bad = on(tiny, DIVERGES)
    child = Job(recipe=Fuse(), base=bad, seed=0)
    return bad, child, Job(recipe=SFT, base=child, seed=0)


def check_all_failed(chain, results, store) -> None:
    for job in chain:
        assert isinstance(results[job], Failure)
        assert "the loss became" in results[job].reason
        assert results[job].applicable
        assert store.find(job) is None
    assert not any((store.root / ".partial").iterdir())


def test_a_failure_takes_its_dependents_and_nothing_else(tiny, store):
    chain, good = failing_chain(tiny), on(tiny, DUAL)
    results = run([chain[-1], good], store)
    check_all_failed(chain, results, store)
    assert isinstance(results[good], Artifact)


@pytest.fixture(scope="module")
def plain(tiny):
    return [on(tiny, SFT), on(tiny, DUAL), on(tiny, DUAL, seed=1)]


@pytest.fixture(scope="module")
def chain(tiny):
    return failing_chain(tiny)


@pytest.fixture(scope="module")
def tuned():
    base = Job(recipe=SHORT_PRETRAIN, base=None, seed=0)
    return Job(recipe=Instruct(steps=1), base=base, seed=0)


@pytest.fixture(scope="module")
def odd(request):
    """A job that cannot be asked of its model; None where the real checkpoints are absent."""
    try:
        shared = request.getfixturevalue("shared")
    except pytest.skip.Exception:
        return None
    return on(shared / "models" / "stories260K", DUAL)


@pytest.fixture(scope="module")
def two_workers(plain, chain, tuned, odd, tmp_path_factory):
    """One run of two workers, since starting them takes seconds."""
    store = Store(tmp_path_factory.mktemp("two") / "store")
    jobs = [chain[-1], *plain, tuned, *([odd] if odd else [])]
    return store, run(jobs, store, workers=2)


def test_two_workers_make_the_same_files_as_one_process(two_workers, plain, tmp_path):
    one, (two, results) = Store(tmp_path / "one"), two_workers
    run(plain, one)
    for job in plain:
        assert isinstance(results[job], Artifact)
        assert payload(one, job) == payload(two, job)
        assert "adapters.safetensors" in payload(two, job)


def test_two_workers_fail_the_same_jobs(two_workers, chain):
    store, results = two_workers
    check_all_failed(chain, results, store)


def test_two_workers_make_bases_first(two_workers, tuned):
    results = two_workers[1]
    assert isinstance(results[tuned], Artifact)
    assert list(results).index(tuned.base) < list(results).index(tuned)


def test_two_workers_tell_what_does_not_apply(two_workers, odd):
    if odd is None:
        pytest.skip("the real checkpoints are absent")
    assert not two_workers[1][odd].applicable


def test_what_does_not_apply_is_no_failure_of_the_model(tiny, store, recipe_that):
    recipe_that(raising(NotApplicable("no routers")))
    job = on(tiny, DUAL)
    child = Job(recipe=Fuse(), base=job, seed=0)
    expected = Failure(reason="no routers", applicable=False)
    assert run([child], store) == {job: expected, child: expected}


def test_a_checkpoint_that_went_away_is_a_failure(store):
    gone = Checkpoint(source="/no/such/model", fingerprint="ab")
    job = Job(recipe=DUAL, base=gone, seed=0)
    result = run([job], store)[job]
    assert result.applicable
    assert "/no/such/model does not exist" in result.reason


@pytest.fixture
def recipe_that(monkeypatch):
    """Replace what the dual-reward recipe does."""

    def replaced(does) -> None:
        monkeypatch.setattr(DualReward, "train", does)

    return replaced


def raising(error):
    def run(spec, base, out, seed, show=None):
        (out / "half").write_text("x")
        raise error

    return run


def test_a_bug_stays_loud(tiny, store, recipe_that):
    recipe_that(raising(ZeroDivisionError("ours")))
    with pytest.raises(ZeroDivisionError, match="ours"):
        run([on(tiny, DUAL)], store)
    assert not list(store.artifacts())


def test_an_interrupt_keeps_what_was_finished(tiny, store, recipe_that):
    done = on(tiny, SFT)
    recipe_that(raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        run([done, on(tiny, DUAL)], store)
    assert store.find(done) is not None
    assert store.find(on(tiny, DUAL)) is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_while_workers_run_stops_them_and_keeps_what_was_finished(
    tiny, store, number, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    before = signal.signal(number, usual)  # `nohup` and pytest-xdist ignore some
    long = Sft(steps=100_000, batch=4, examples=20, validation=8, checkpoints=())
    jobs = [on(tiny, DUAL), on(tiny, long)]

    def interrupt(job: Job, result: Artifact | Failure) -> None:
        signal.raise_signal(number)

    with (
        pytest.raises(KeyboardInterrupt),
        choose(Place(root=store.root), len(jobs), 2, None) as executor,
    ):
        execute(jobs, executor, interrupt)
    assert signal.signal(number, before) == usual
    assert not list(tmp_path.glob("lazarus-bench-*/processes"))
    assert store.find(jobs[0]) is not None
    assert store.find(jobs[1]) is None
    with store.claim(jobs[1], wait=False) as free:
        assert free


def test_a_bug_in_a_worker_stays_loud(store):
    jobs = [Job(recipe=Nowhere(), base=None, seed=seed) for seed in (0, 1)]
    with pytest.raises(NotImplementedError):
        run(jobs, store, workers=2)


def test_long_chains_come_first(tiny):
    base = Job(recipe=SHORT_PRETRAIN, base=None, seed=0)
    tuned = Job(recipe=Instruct(steps=1), base=base, seed=0)
    top, alone = Job(recipe=DUAL, base=tuned, seed=0), on(tiny, DUAL)
    assert longest_first([alone, base, tuned, top]) == [base, tuned, alone, top]


def test_an_adapters_model_lost_from_the_store_is_made_again_before_the_adapter_is_fused(store):
    base = Job(recipe=SHORT_PRETRAIN, base=None, seed=0)
    tuned = Job(recipe=SFT, base=base, seed=0)
    top = Job(recipe=Fuse(), base=tuned, seed=0)
    run([tuned], store)
    store.discard(store.path(base))
    assert longest_first([top, base]) == [base, top]
    results = run([top], store, workers=2)
    assert list(results) == [base, top]
    assert isinstance(results[top], Artifact)
    assert start(top, store) == Stack(model=store.path(base), adapter=store.path(tuned))
    assert start(tuned, store) == store.path(base)
    assert start(base, store) is None


def test_what_cannot_start_is_refused_before_anything_below_it_runs(tiny, store):
    job = Job(recipe=DUAL, base=on(tiny, SFT), seed=0)
    with pytest.raises(UserError, match="put Fuse"):
        missing([job], store)
    alone = run_job(job, Place(root=store.root))
    assert isinstance(alone, Failure)
    assert "put Fuse() between them" in alone.reason
    assert not list(store.artifacts())
