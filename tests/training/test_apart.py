"""A training in a process of its own is weighed, or says why it cannot be."""

import subprocess
import sys

import numpy as np
import pytest

from lazarus_bench.errors import UserError
from lazarus_bench.tasks.labelled_data import DataSource
from lazarus_bench.training import Engram, Sft, apart
from lazarus_bench.training.apart import ProcessError, weighed

SPEC = Sft(steps=4, batch=4, examples=20, validation=8, checkpoints=())


@pytest.mark.parametrize(
    "spec", [SPEC, Engram(data=DataSource(train=16), epochs=1, batch=8)], ids=lambda s: s.kind
)
def test_a_training_is_weighed_in_its_own_process(tiny, spec):
    found = weighed(spec.label, spec, tiny, 3)
    assert len(found.rates) == (4 if spec is SPEC else 2)
    assert min(found.rates) > 0
    assert found.resident >= found.before > 2**20
    assert found.allocated > 2**20


def test_a_users_mistake_comes_back_as_one(tmp_path):
    with pytest.raises(UserError, match=r"nowhere does not exist"):
        weighed("SFT", SPEC, tmp_path / "nowhere", 3)


def test_a_process_that_falls_is_an_error_that_names_the_training(tiny, monkeypatch):
    monkeypatch.setattr(apart.sys, "executable", "/bin/false")
    with pytest.raises(ProcessError, match=r"^SFT: its process ended with 1 and no .*said nothing"):
        weighed("SFT", SPEC, tiny, 3)


def test_no_training_goes_on_where_the_waiting_was_interrupted(monkeypatch, tmp_path):
    sleeps = [sys.executable, "-c", "import time; time.sleep(60)"]
    process = subprocess.Popen(sleeps, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(apart, "begin", lambda *_: process)
    monkeypatch.setattr(apart, "end", interrupted)
    with pytest.raises(KeyboardInterrupt):
        weighed("SFT", SPEC, tmp_path, 3)
    assert process.wait(10) == -9
    process.communicate()


def test_a_started_process_does_not_count_what_its_parent_held():
    held = np.ones(1 << 25)
    code = "from lazarus_bench.training.apart import peak_since_start as p; print(p())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 1 << 21 < int(done.stdout) < held.nbytes
