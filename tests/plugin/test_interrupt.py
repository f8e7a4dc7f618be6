"""An interrupt in the middle of training: what is finished stays, and the next run goes on."""

import signal
import subprocess
import sys
import time

import pytest
from claimfiles import arguments, clean_environment, write

from lazarus_bench.report.schema import load

CLAIMS = """
long = trained(Sft(**TINY | dict(steps=600)))

@pre("long/short", AtLeast(0.3))
def test_short(sft):
    assert len(sft) == 2
    return Means(values=NARROW)

@pre("long/long", AtLeast(0.3))
def test_long(long):
    assert len(long) == 2
    return Means(values=NARROW)
"""


def finished(store):
    return {d.name: d.stat().st_mtime_ns for d in store.glob("sft-*")}


def start(folder, *args):
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", *arguments(folder, "interrupted", args)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=clean_environment(),
        preexec_fn=heed_interrupts,
    )


def heed_interrupts():
    """A shell's background job is started deaf to them, and its children are too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(process, condition):
    until = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < until, "the training never came so far"
        time.sleep(0.01)


def ps(*args):
    return subprocess.run(["ps", *args], capture_output=True, text=True).stdout.split()


def gone(pid):
    """Whether a process has ended; one that nobody has waited for yet has too."""
    state = ps("-o", "stat=", "-p", pid)
    return not state or state[0].startswith("Z")


def all_gone(pids):
    until = time.monotonic() + 120
    while not all(map(gone, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    return all(map(gone, pids))


def interrupted(folder, *args):
    """What a run said that was interrupted after the second of four trainings."""
    store = folder / "store"
    process = start(folder, *args)
    wait_for(process, lambda: len(finished(store)) == 2 and any((store / ".partial").iterdir()))
    helpers = ps("-o", "pid=", "--ppid", str(process.pid))
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 2, said
    assert all_gone(helpers)
    return said


@pytest.mark.parametrize("workers", [1, 2])
def test_interrupt_keeps_what_is_finished_and_nothing_else(tmp_path, tiny, workers):
    folder = write(tmp_path, test_long=CLAIMS)
    store = folder / "store"
    args = ("-m", "slow", "--lb-model", str(tiny), "--lb-seeds", "2")
    said = interrupted(folder, *args, "--lb-workers", workers)

    kept = finished(store)
    assert len(kept) == 2
    assert "interrupted; what is done is kept, run the same command to go on" in said
    assert "Traceback" not in said
    assert "INTERNALERROR" not in said
    if workers == 1:
        goes_on(folder, kept, *args)


def goes_on(folder, kept, *args):
    """The next run trains only the rest, and judges."""
    process = start(folder, *args)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert "2 trainings to run" in said
    after = finished(folder / "store")
    assert len(after) == 4
    assert {name: after[name] for name in kept} == kept
    rows = load(folder / "reports" / "interrupted" / "report.json").rows
    assert [row.verdict.outcome for row in rows] == ["supported for this run"] * 2
