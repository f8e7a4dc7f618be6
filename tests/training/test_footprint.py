"""Memory: a peak is named before a training begins, and one that does not fit is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from lazarus_bench import backend, memory
from lazarus_bench.errors import UserError
from lazarus_bench.jobs.executors import automatic_workers
from lazarus_bench.jobs.spec import Checkpoint, Job
from lazarus_bench.session.options import Options
from lazarus_bench.session.session import Session
from lazarus_bench.tasks.text_rows import TextSource
from lazarus_bench.training import Grpo, JacobianLens, Sft, TunedLens
from lazarus_bench.training.footprint import peak_line, training_peak
from lazarus_bench.training.jacobian_lens import ROOM


@pytest.fixture
def model(tmp_path) -> Path:
    """Files of a model of a million weights, with which nothing is computed."""
    config = {"model_type": "llama", "hidden_size": 100, "num_hidden_layers": 2}
    config |= {"intermediate_size": 200, "num_attention_heads": 4, "vocab_size": 1000}
    (tmp_path / "config.json").write_text(json.dumps(config))
    save_file({"w": np.zeros((1000, 1000), np.float16)}, tmp_path / "model.safetensors")
    return tmp_path


def test_a_peak_counts_weights_and_what_is_trained(model):
    lora, full = (training_peak(Sft(full=f), model, "float32") for f in (False, True))
    assert lora > training_peak(Sft(), model, None) + 1.9e6
    assert full - lora > 4 * 4 * 800_000
    assert training_peak(Grpo(), model, None) > training_peak(Grpo(full=False), model, None)


def test_a_lens_s_peak_counts_cotangents_matrices_and_logits(model):
    plain, sft = (training_peak(spec, model, None) for spec in (JacobianLens(), Sft()))
    own = TextSource(digest="ab")
    longer = training_peak(JacobianLens(texts=own, batch=4096), model, None)
    assert plain < longer
    assert longer - sft > 4 * ROOM
    tuned = [training_peak(TunedLens(layers=some), model, None) for some in ((), (0,))]
    assert tuned[0] - tuned[1] == 4 * (2 * 24 * 32 * 1000 + 4 * 100**2)


def test_a_peak_is_named_and_one_that_does_not_fit_is_refused(monkeypatch):
    monkeypatch.setattr(backend, "memory_limit", lambda: 8 * 10**9)
    assert peak_line("SFT", 10**6, "take less") is None
    assert peak_line("SFT", 2 * 10**9, "take less") == (
        "SFT takes about 2.0 GB of memory at its peak, of 8.0 GB"
    )
    with pytest.raises(UserError, match=r"9.0 GB of memory, and this machine has 8.0"):
        peak_line("SFT", 9 * 10**9, "take less")


def test_fewer_workers_than_cores_where_memory_lacks(model, tmp_path, monkeypatch):
    monkeypatch.setattr(backend, "memory_limit", lambda: 3 * 10**9)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(4), raising=False)
    assert automatic_workers(1, 10**9) == 3
    assert automatic_workers(2, 10**9) == automatic_workers(1, 10**10) == 1
    monkeypatch.setattr("lazarus_bench.session.session.training_peak", lambda *_: 10**9)
    session = Session(Options(store=tmp_path / "store"))
    job = Job(recipe=Sft(), base=Checkpoint(source=str(model), fingerprint="ab"), seed=0)
    plan = session.plan([job])
    assert session.workers(plan) == 3
    few = "memory allows 3 at a time, though there are cores for 4"
    told, fewer = session.memory_lines(plan)
    assert told.endswith("1.0 GB of memory at its peak, of 3.0 GB")
    assert fewer == few
    monkeypatch.setattr(backend, "memory_limit", lambda: 15 * 10**8)
    monkeypatch.setattr("lazarus_bench.session.session.training_peak", lambda *_: 5 * 10**8)
    assert session.memory_lines(plan) == [few]  # too small a peak to be named


def test_the_limit_is_that_of_the_nearest_control_group(tmp_path, monkeypatch):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "memory.max").write_text("1000\n")
    (tmp_path / "a" / "b" / "memory.max").write_text("max\n")
    own = tmp_path / "cgroup"
    own.write_text("0::/a/b\n")
    monkeypatch.setattr(memory, "GROUPS", tmp_path)
    monkeypatch.setattr(memory, "OWN_GROUP", own)
    assert memory.limit() == 1000
