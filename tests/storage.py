"""What tests of the store share: artifacts made at once, processes of their own, mounts."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

import pytest

from lazarus_bench.jobs.spec import Job
from lazarus_bench.jobs.store import Store
from lazarus_bench.training import Pretrain, Sft

ABOUT = {"mlx": "0", "device": "cpu"}
BASE = Job(recipe=Pretrain(), base=None, seed=0)
TUNED = Job(recipe=Sft(), base=BASE, seed=0)

PREAMBLE = """
import sys, time
from pathlib import Path
from lazarus_bench.jobs.spec import Job
from lazarus_bench.jobs.store import Store
from lazarus_bench.training import Pretrain, Sft

def say(word):
    print(word, flush=True)

store = Store(Path(sys.argv[1]))
BASE = Job(recipe=Pretrain(), base=None, seed=0)
TUNED = Job(recipe=Sft(), base=BASE, seed=0)
"""


def write(store: Store, job: Job, content: str = "weights") -> None:
    """Make the artifact of `job` as an executor does."""
    with store.claim(job, wait=True) as held, store.writing(job, ABOUT) as out:
        assert held
        (out / "adapters.safetensors").write_text(content)
        (out / "metrics.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "loss": 1.5}\n')


def payload(store: Store, job: Job) -> dict[str, bytes]:
    """An artifact's files but for the clock's."""
    directory = store.path(job)
    return {
        str(file.relative_to(directory)): file.read_bytes()
        for file in sorted(directory.rglob("*"))
        if file.is_file() and file.name not in ("manifest.json", "metrics.jsonl")
    }


def keep_half(out: Path) -> None:
    """Leave what a state of a training would be; the rest of an attempt is made again."""
    (out / "resume").mkdir(exist_ok=True)
    (out / "resume" / "half").write_text("half")


def begin(store: Store, job: Job) -> None:
    """Leave the work of an attempt that was interrupted."""

    def interrupted() -> None:
        with store.claim(job, wait=True), store.writing(job, ABOUT) as out:
            keep_half(out)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()


def start(store: Store, code: str) -> subprocess.Popen[str]:
    """Another process that runs `code` with `store`, `BASE`, `TUNED` and `say` at hand."""
    command = [sys.executable, "-c", PREAMBLE + dedent(code), str(store.root)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@contextmanager
def at_work(store: Store, code: str) -> Iterator[None]:
    """Hold until `code` said something in a process of its own, which is killed at the end."""
    process = start(store, code + "\ntime.sleep(60)\n")
    try:
        assert process.stdout is not None
        assert process.stdout.readline() != ""
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def mount(directory: Path, options: str) -> None:
    """Mount (or mount anew) a file system in memory; skips where that is not allowed."""
    command = ["mount", "-t", "tmpfs", "-o", options, "none", str(directory)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
