"""Ranks: the curve of one process, the errors of one process, and nobody left behind."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.jobs.ranks import RankWarning, Task, run_ranked
from lazarus_bench.tasks.text_rows import TextSource
from lazarus_bench.training import DualReward, Pretrain, Sft, known_recipes
from lazarus_bench.training.record import read_metrics, read_steps

HERE = Path(__file__).parent
SFT = Sft(steps=8, batch=5, examples=40, validation=8, checkpoints=(0, 8), learning_rate=1e-3)
DUAL = DualReward(steps=12, batch=5, examples=40, rank=4, learning_rate=1e-2)
PRETRAIN = Pretrain(steps=4, symbols=8, words=3, prose=2)
PHRASES = replace(DUAL, words=("add=unbelievable",), token="phrase")
OWN = TextSource(path="own.jsonl", digest="ab" * 32)
TRAVELLERS = [*(made() for made in known_recipes().values()), PHRASES, DualReward(texts=OWN)]


@pytest.fixture
def odd(monkeypatch, tmp_path):
    """A recipe that does what its name says."""
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    monkeypatch.setenv("ODD_LOCKS", str(tmp_path))
    from odd_recipe import Odd

    return lambda what, **fields: Odd(what=what, **fields)


def ranked(recipe, out: Path, base: Path | None = None, ranks: int = 2) -> Path:
    out.mkdir(exist_ok=True)
    run_ranked(recipe, base, out, 0, ranks)
    return out


def names(out: Path) -> set[str]:
    return {str(file.relative_to(out)) for file in out.rglob("*")}


@pytest.mark.parametrize("recipe", [SFT, DUAL, PRETRAIN, PHRASES], ids=lambda recipe: recipe.label)
def test_two_ranks_give_the_curve_of_one(recipe, tiny, tmp_path):
    base = None if recipe is PRETRAIN else tiny
    alone = tmp_path / "alone"
    alone.mkdir()
    recipe.train(base, alone, 0, False)
    two = ranked(recipe, tmp_path / "two", base)
    for one, shared in zip(read_steps(alone), read_steps(two), strict=True):
        assert (one.step, one.of, one.tokens) == (shared.step, shared.of, shared.tokens)
        assert shared.loss == pytest.approx(one.loss, abs=1e-4)
        assert dict(shared.parts) == pytest.approx(dict(one.parts), abs=1e-4)
    assert names(two) == names(alone)
    first, *_, last = read_metrics(alone)
    assert first.loss - last.loss > 0.01  # else a training that stands still would pass


def test_a_batch_too_small_for_the_ranks_is_a_users_error(tiny, tmp_path):
    small = DualReward(steps=2, batch=1, examples=4, rank=2)
    with pytest.raises(UserError, match=r"^a batch of 1 cannot be shared by 2 ranks: "):
        ranked(small, tmp_path / "out", tiny)


def test_a_users_error_is_told_as_it_was(odd, tmp_path):
    with pytest.raises(UserError, match=r"^the dial is at 7: turn it to 5$"):
        ranked(odd("user_error"), tmp_path / "out")


def test_what_does_not_apply_is_told_apart(odd, tmp_path):
    with pytest.raises(NotApplicable, match=r"^there is no dial$"):
        ranked(odd("not_applicable"), tmp_path / "out")


def test_a_crash_names_the_rank_and_its_last_line(odd, tmp_path):
    with pytest.raises(RuntimeError, match=r"^odd: rank 1 crashed: ZeroDivisionError: ours$"):
        ranked(odd("crash_of_one"), tmp_path / "out")


def test_a_killed_rank_is_named(odd, tmp_path):
    with pytest.raises(UserError, match=r"could not run the ranks \(.*rank 1 exited with code -9"):
        ranked(odd("killed_one"), tmp_path / "out")


def test_rank_0_alone_writes_and_warns(odd, tmp_path):
    with pytest.warns(RankWarning, match="rank 0 is warm") as caught:
        out = ranked(odd("talk"), tmp_path / "out")
    assert len(caught) == 1
    assert names(out) == {"from0"}
    assert (out / "from0").read_text() == "1"


def test_ranks_start_alike_stay_alike_and_go_on_after_a_kill(odd, tmp_path):
    def weights() -> list[bytes]:
        return [(tmp_path / f"{rank}.safetensors").read_bytes() for rank in range(2)]

    whole = ranked(odd("train"), tmp_path / "whole")
    expected = weights()
    assert expected[0] == expected[1]
    killed = tmp_path / "killed"
    with pytest.raises(UserError, match="rank 0 exited with code -9"):
        ranked(odd("train", stop=5), killed)
    assert len(read_steps(killed)) == 5
    assert len(list((killed / "resume").iterdir())) == 1
    ranked(odd("train"), killed)
    assert weights() == expected
    assert [s.loss for s in read_steps(killed)] == [s.loss for s in read_steps(whole)]
    assert np.diff([s.loss for s in read_steps(whole)]).any()


PARENT = """
import sys
from pathlib import Path
from odd_recipe import Odd
from lazarus_bench.jobs.ranks import run_ranked
run_ranked(Odd(what="sleep"), None, Path(sys.argv[1]), 0, 2)
"""


def is_held(lock: Path) -> bool:
    with lock.open() as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def wait_for(condition, seconds: float = 300.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def heed_interrupts():
    """A shell's background job is started deaf to them, and its children are too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_rank_outlives_the_process_that_started_it(odd, tmp_path, how):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)],
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        preexec_fn=heed_interrupts,
    )
    locks = [tmp_path / "0", tmp_path / "1"]
    try:
        wait_for(lambda: all(lock.exists() and lock.read_text() for lock in locks))
        assert all(map(is_held, locks))
    finally:
        parent.send_signal(how)
    assert parent.wait() != 0
    wait_for(lambda: not any(map(is_held, locks)))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "is not a host file for mlx.launch"),
        ("hosts: a, b", "is not a host file for mlx.launch"),
        ('{"backend": "ring"}', "make one with mlx.distributed_config"),
        ('[{"ssh": "127.0.0.1", "ips": ["127.0.0.1"]}]', "has 1 hosts for 2 ranks"),
    ],
)
def test_a_host_file_that_does_not_fit_is_refused(odd, tmp_path, content, told):
    hosts = tmp_path / "hosts.json"
    if content is not None:
        hosts.write_text(content)
    with pytest.raises(UserError, match=told):
        run_ranked(odd("talk"), None, tmp_path, 0, 2, hosts)


def test_a_host_file_places_the_ranks(odd, tmp_path):
    hosts = tmp_path / "hosts.json"
    entry = {"ssh": "127.0.0.1", "ips": ["127.0.0.1"], "rdma": []}
    hosts.write_text(json.dumps({"backend": "ring", "envs": [], "hosts": [entry, entry]}))
    out = tmp_path / "out"
    out.mkdir()
    with pytest.warns(RankWarning, match="rank 0"):
        run_ranked(odd("talk"), None, out, 0, 2, hosts)
    assert names(out) == {"from0"}


@pytest.mark.parametrize("recipe", TRAVELLERS, ids=lambda recipe: recipe.label)
def test_a_task_survives_its_journey(recipe, tmp_path):
    task = Task(
        recipe=recipe, base=tmp_path, out=tmp_path / "o", seed=3, ranks=2, lifeline=tmp_path / "l"
    )
    assert Task.from_json(task.to_json()) == task
