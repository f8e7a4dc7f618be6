"""In process: two sessions on one store share the work, and nothing is made twice."""

import threading

from lazarus_bench.jobs.executors import InProcess, automatic_workers
from lazarus_bench.jobs.spec import Job
from lazarus_bench.jobs.store import Artifact, Store
from lazarus_bench.jobs.subjects import subject
from lazarus_bench.jobs.work import Place, run_job
from lazarus_bench.training import DualReward

DUAL = DualReward(steps=2, batch=4, examples=20, rank=4)


def jobs_on(tiny, seeds):
    return [Job(recipe=DUAL, base=subject(str(tiny)).base(seed), seed=seed) for seed in seeds]


def test_another_s_job_is_left_until_it_is_done(tiny, tmp_path):
    store = Store(tmp_path / "store")
    mine, theirs = jobs_on(tiny, (0, 1))
    executor = InProcess(Place(root=store.root, show=False))
    executor.submit(theirs)
    executor.submit(mine)
    ticks = []
    with store.claim(theirs, wait=False) as held:
        assert held
        results = executor.completed(lambda: ticks.append(1))
        assert next(results)[0] == mine
    job, result = next(results)
    assert job == theirs
    assert isinstance(result, Artifact)


def test_a_job_made_meanwhile_is_found_not_made_again(tiny, tmp_path):
    store = Store(tmp_path / "store")
    place = Place(root=store.root, show=False)
    (job,) = jobs_on(tiny, (0,))
    executor = InProcess(place)
    executor.submit(job)
    made = run_job(job, place)
    assert isinstance(made, Artifact)
    ((_, found),) = executor.completed(lambda: None)
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
    from lazarus_bench.jobs import executors

    monkeypatch.setattr(executors.os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    monkeypatch.setattr("lazarus_bench.backend.on_accelerator", lambda: False)
    assert automatic_workers() == 6
    assert automatic_workers(ranks=4) == 1
    monkeypatch.setattr("lazarus_bench.backend.on_accelerator", lambda: True)
    assert automatic_workers() == 1
