"""Progress: what is foretold of the rest, and what is told of a training that is under way."""

import json
import os
import time

import pytest

from lazarus_bench.jobs.progress import Progress
from lazarus_bench.jobs.spec import Job
from lazarus_bench.jobs.store import Artifact, Store
from lazarus_bench.jobs.work import Failure
from lazarus_bench.training import Pretrain, Sft

BASES = [Job(recipe=Pretrain(), base=None, seed=seed) for seed in range(2)]
TUNED = [Job(recipe=Sft(), base=base, seed=base.seed) for base in BASES]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def took(store, seconds: float) -> Artifact:
    return Artifact(directory=store.root, manifest={"seconds": seconds})


def log(store, job, step, of):
    """Ten steps up to `step` in the log of a training under way."""
    directory = store.working(job)
    directory.mkdir(parents=True)
    rows = [
        {"step": n, "of": of, "loss": 0.5, "parts": {}, "tokens": 200, "seconds": 0.1}
        for n in range(step - 9, step + 1)
    ]
    (directory / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return directory / "metrics.jsonl"


def test_nothing_is_foretold_of_a_kind_not_yet_seen(store):
    progress = Progress([*BASES, *TUNED], 2, store)
    assert progress.line(BASES[0], took(store, 90)) == "[1/4] pretrain seed 0: 90 s"


def test_the_rest_is_shared_by_the_workers(store):
    progress = Progress([*BASES, *TUNED], 2, store)
    progress.line(BASES[0], took(store, 80))
    assert progress.line(TUNED[0], took(store, 10)).endswith("10 s, about 45 s left")
    assert progress.line(BASES[1], took(store, 110)).endswith("110 s, about 5 s left")
    last = progress.line(TUNED[1], took(store, 10))
    assert last.endswith("[4/4] SFT LoRA all on pretrain seed 1: 10 s")


def test_the_plan_s_estimate_stands_in_until_one_is_seen(store):
    estimates = {job.digest: 60.0 for job in [*BASES, *TUNED]}
    progress = Progress([*BASES, *TUNED], 1, store, estimates)
    assert progress.seconds_left() == 240
    progress.line(BASES[0], took(store, 80))
    assert progress.seconds_left() == 80 + 60 + 60


def test_a_training_under_way_is_shown_and_counted(store):
    progress = Progress(BASES, 1, store, {job.digest: 60.0 for job in BASES})
    log(store, BASES[0], 150, 600)
    assert progress.status() == (
        "0/2 done · pretrain seed 0: step 150/600, loss 0.500, 2,000 tok/s, 0.1 s a step, "
        "its rest 45 s, about 2 min left"
    )
    assert progress.seconds_left() == 60 * 0.75 + 60


def test_the_rest_is_foretold_from_the_first_steps_of_an_unknown_kind(store):
    progress = Progress(BASES, 1, store)
    log(store, BASES[0], 10, 1010)
    assert progress.seconds_left() == pytest.approx(100 + 101)
    assert progress.begun() == [
        "pretrain seed 0: step 10/1010, loss 0.500, 2,000 tok/s, 0.1 s a step, its rest 2 min"
    ]
    assert progress.begun() == []


def test_an_old_log_is_not_called_running(store):
    progress = Progress(BASES, 1, store)
    file = log(store, BASES[0], 150, 600)
    os.utime(file, (time.time() - 1000,) * 2)
    assert progress.status() == "0/2 done"


def test_a_failure_says_why(store):
    progress = Progress(BASES, 1, store)
    failed = Failure(reason="the loss became nan at step 3", applicable=True)
    assert progress.line(BASES[0], failed) == "[1/2] pretrain seed 0: the loss became nan at step 3"
