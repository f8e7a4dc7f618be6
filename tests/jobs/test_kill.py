"""SIGKILL at random moments: the next run goes on, reads nothing damaged, and repeats nothing."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from storage import payload

from lazarus_bench.jobs.spec import Job
from lazarus_bench.jobs.store import Store
from lazarus_bench.jobs.subjects import subject
from lazarus_bench.training import DualReward, Sft

RUN = """
import sys
from pathlib import Path
sys.path[:0] = {tests!r}
from test_kill import jobs_on
from lazarus_bench.jobs.executors import choose, execute
from lazarus_bench.jobs.store import Store
from lazarus_bench.jobs.work import Failure, Place, missing

def main():
    store = Store(Path({store!r}))
    todo = missing(jobs_on({tiny!r}), store)
    with choose(Place(root=store.root, show=False), len(todo), {workers}, None) as executor:
        print("begun", flush=True)
        for_all = []
        execute(todo, executor, lambda job, result: for_all.append(result))
        assert not any(isinstance(result, Failure) for result in for_all), for_all

if __name__ == "__main__":
    main()
"""


def jobs_on(tiny) -> list[Job]:
    """Three trainings, one of them on top of another."""
    base = Job(
        recipe=Sft(steps=16, batch=4, examples=16, checkpoints=(0, 8), rank=2, validation=4),
        base=subject(str(tiny)).base(0),
        seed=0,
    )
    return [
        base,
        *(
            Job(recipe=DualReward(steps=16, batch=4, examples=20, rank=4), base=base.base, seed=n)
            for n in (0, 1)
        ),
    ]


def start(folder, tiny, workers) -> subprocess.Popen:
    script = folder / f"run{workers}.py"
    script.write_text(
        RUN.format(
            tests=[str(folder) for folder in Path(__file__).parents[:2]],
            store=str(folder / "store"),
            tiny=str(tiny),
            workers=workers,
        )
    )
    return subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


@pytest.fixture(scope="module")
def undisturbed(tiny, tmp_path_factory):
    """How long the trainings take when nobody kills them, and what they make."""
    folder = tmp_path_factory.mktemp("undisturbed")
    process = start(folder, tiny, 1)
    assert process.stdout.readline() == "begun\n"
    began = time.monotonic()
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    store = Store(folder / "store")
    return time.monotonic() - began, [payload(store, job) for job in jobs_on(tiny)]


def finished(store, jobs) -> dict[str, float]:
    return {job.digest: found.created for job in jobs if (found := store.find(job)) is not None}


@pytest.mark.parametrize(("workers", "kills"), [(1, 6), (2, 4)])
def test_killed_at_random_moments(tiny, tmp_path, undisturbed, workers, kills):
    seconds, expected = undisturbed
    jobs, chance = jobs_on(tiny), random.Random(workers)
    done: dict[str, float] = {}
    for _ in range(kills):
        process = start(tmp_path, tiny, workers)
        # Moments count from there: before it, nothing touches the store.
        assert process.stdout.readline() == "begun\n"
        time.sleep(chance.uniform(0.1, 1.1) * seconds)
        whole = random.Random(chance.random()).random() < 0.5
        os.killpg(process.pid, signal.SIGKILL) if whole else process.kill()
        process.communicate()
        store = Store(tmp_path / "store")
        assert not [store.damage(job) for job in jobs if store.damage(job)]
        now = finished(store, jobs)
        assert done.items() <= now.items(), "a finished training was made again"
        done = now
    last = start(tmp_path, tiny, workers)
    said, _ = last.communicate(timeout=120)
    assert last.returncode == 0, said
    store = Store(tmp_path / "store")
    assert done.items() <= finished(store, jobs).items()
    assert [payload(store, job) for job in jobs] == expected


def test_two_runs_on_one_empty_store_share_the_work(tiny, tmp_path, undisturbed):
    runs = [start(tmp_path, tiny, 1) for _ in range(2)]
    for process in runs:
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
    store = Store(tmp_path / "store")
    assert [payload(store, job) for job in jobs_on(tiny)] == undisturbed[1]
    manifests = [json.loads(f.read_text()) for f in store.root.glob("*/manifest.json")]
    assert [manifest["attempts"] for manifest in manifests] == [1, 1, 1]
