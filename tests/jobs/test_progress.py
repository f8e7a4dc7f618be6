from pathlib import Path

from lazarus_bench.jobs.execute import Failure
from lazarus_bench.jobs.progress import Progress
from lazarus_bench.jobs.spec import Job
from lazarus_bench.jobs.store import Artifact
from lazarus_bench.training import Pretrain, Sft

BASES = [Job(recipe=Pretrain(), base=None, seed=seed) for seed in range(2)]
TUNED = [Job(recipe=Sft(), base=base, seed=base.seed) for base in BASES]


def took(seconds: float) -> Artifact:
    return Artifact(directory=Path(), manifest={"seconds": seconds})


def test_nothing_is_foretold_of_a_kind_not_yet_seen():
    progress = Progress([*BASES, *TUNED], 2)
    assert progress.line(BASES[0], took(90)) == "[1/4] pretrain seed 0: 90 s"


def test_the_rest_is_shared_by_the_workers():
    progress = Progress([*BASES, *TUNED], 2)
    progress.line(BASES[0], took(90))
    assert progress.line(TUNED[0], took(10)).endswith("10 s, about 50 s left")
    assert progress.line(BASES[1], took(110)).endswith("110 s, about 5 s left")
    assert progress.line(TUNED[1], took(10)).endswith("[4/4] SFT LoRA all on pretrain seed 1: 10 s")


def test_a_failure_says_why():
    progress = Progress(BASES, 1)
    failed = Failure(reason="the loss became nan at step 3", applicable=True)
    assert progress.line(BASES[0], failed) == "[1/2] pretrain seed 0: the loss became nan at step 3"
