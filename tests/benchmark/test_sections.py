"""What sections measure, or why they left it out, reaches the document."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from lazarus_bench.benchmark import instruments, scaling, verdict_time
from lazarus_bench.benchmark.document import LeftOut
from lazarus_bench.benchmark.instruments import GIVEN, Use
from lazarus_bench.benchmark.rivals import Effort
from lazarus_bench.benchmark.scaling import Growth, fitted, growths, measure
from lazarus_bench.benchmark.sections import Subject, measure_sections
from lazarus_bench.benchmark.verdict_time import CLAIM, seconds_to_verdict
from lazarus_bench.errors import UserError

EFFORT = Effort(rounds=2, steps=1, prompts=40)


def timed(monkeypatch, seconds, **about):
    """The document of the section, where pytest takes `seconds`, and what is told."""
    told = []
    monkeypatch.setattr(verdict_time, "seconds_to_verdict", seconds)
    subject = Subject(name="lab:llama", directory=Path(), lab=True, **about)
    return measure_sections(["verdict"], subject, EFFORT, told.append, "made up"), told


@pytest.mark.parametrize("judged", [False, True])
def test_the_first_verdict_is_timed(monkeypatch, tmp_path, judged):
    asked = []

    def seconds(hypotheses, options, folder):
        asked.append((hypotheses, *options))
        return 1.0 + len(asked)

    found, told = timed(monkeypatch, seconds, hypotheses=tmp_path, judged=judged)
    expected = ["published numbers", *(["lab:llama"] if judged else [])]
    assert [reading.name for reading in found.readings] == expected
    assert {reading.unit for reading in found.readings} == {"s"}
    assert len(asked) == EFFORT.rounds * len(expected)
    assert all(place == tmp_path for place, *_ in asked)
    assert told == ["time to the first verdict"]
    assert found.readings[0].found.value == pytest.approx(2.5)


def test_what_cannot_be_timed_is_left_out_with_the_reason(monkeypatch, tmp_path):
    def fails(_, options, folder):
        if "--lb-model" in options:
            raise UserError("pytest judged nothing")
        return 2.0

    found, _ = timed(monkeypatch, fails)
    assert found.readings == ()
    assert "no folder of claims" in found.skipped["time to the first verdict"]
    found, _ = timed(monkeypatch, fails, hypotheses=tmp_path, judged=True)
    assert found.skipped == {"time to the first verdict, lab:llama": "pytest judged nothing"}
    assert [reading.name for reading in found.readings] == ["published numbers"]


JUDGED = {"outcome": "supported", "estimate": {"value": 0.1}}
PASSED_OVER = {"outcome": "not applicable", "estimate": None}


@pytest.fixture
def pytest_leaves(monkeypatch, tmp_path):
    """Have pytest end well, say something and leave these verdicts of the claim, or no report."""

    def prepare(verdicts, said=""):
        def run(command, **_):
            if verdicts is not None:
                rows = [{"claim_id": CLAIM, "verdict": verdict} for verdict in verdicts]
                (tmp_path / "report.json").write_text(json.dumps({"rows": rows}))
            return subprocess.CompletedProcess(command, 0, stdout=said, stderr="")

        monkeypatch.setattr(verdict_time.subprocess, "run", run)
        return tmp_path

    return prepare


@pytest.mark.parametrize("verdicts", [None, [], [None], [PASSED_OVER]])
def test_a_claim_that_was_passed_over_has_no_time(pytest_leaves, verdicts):
    said = f"{CLAIM} on tiny: not applicable: no such token\nwritten: report.json\n"
    folder = pytest_leaves(verdicts, said)
    with pytest.raises(UserError, match=r"judged nothing: .* on tiny: not applicable: no such"):
        seconds_to_verdict(folder, [], folder)


def test_a_judged_claim_takes_time_and_a_verdict_of_before_does_not_count(pytest_leaves):
    assert seconds_to_verdict(pytest_leaves([JUDGED]), [], pytest_leaves([JUDGED])) > 0
    folder = pytest_leaves(None, "1 skipped")
    with pytest.raises(UserError, match="1 skipped"):
        seconds_to_verdict(folder, [], folder)


def test_every_instrument_is_measured_or_left_out_with_the_reason(monkeypatch, tiny):
    def later_arms_take_longer(arms, rounds, **_):
        for arm in arms.values():
            assert arm() > 0
        return {name: np.full(rounds, 1.0 + at) for at, name in enumerate(arms)}

    monkeypatch.setattr(instruments, "interleaved", later_arms_take_longer)
    subject, effort = (
        Subject(name="lab:tiny", directory=tiny, lab=True),
        replace(EFFORT, prompts=24),
    )
    found = measure_sections(["instruments"], subject, effort, lambda _: None, "made up")
    assert set(found.skipped) == {"routing", "router projection"}
    assert all(why.startswith("lab:tiny has no router") for why in found.skipped.values())
    units = {}
    for reading in found.readings:
        assert reading.found.value > 0
        units.setdefault(reading.name, []).append(reading.unit)
    assert "MiB, allocator" in units["lens, all layers"]
    assert "MiB, allocator" not in units[f"cluster separation, {GIVEN}"]  # numpy alone
    assert all({"prompts/s", "prompt_tps"} < {*of} for of in units.values() if len(of) > 1)


def test_what_reads_no_prompt_has_no_speed_of_prompts(monkeypatch, tiny_model):
    looked = {"weights": Use(work=lambda: sum(range(1000)))}
    monkeypatch.setattr(instruments, "uses", lambda loaded, count: looked)
    none = LeftOut(name="generation_tps", why="no time")
    monkeypatch.setattr(instruments, "_generation", lambda *_: none)
    *found, last = instruments.measure_instruments(tiny_model, rounds=2, count=4)
    assert [reading.unit for reading in found if "MiB" not in reading.unit] == ["readings/s"]
    assert last is none


def test_a_curve_has_the_exponent_of_its_costs():
    growth = Growth(what="work", along="size", arms=lambda _: {}, at_most=1.1)
    sizes = (1, 10, 100)
    curve = fitted(growth, sizes, np.tile(2.0 * np.array(sizes) ** 1.5, (4, 1)))
    assert curve.exponent.value == pytest.approx(1.5)
    assert [cost.value for cost in curve.cost] == pytest.approx([2e3, 2e3 * 10**1.5, 2e6])
    assert curve.outcome == "missed"


def test_sizes_take_turns_and_have_a_folder_of_their_own():
    calls, folders = [], []

    def arms(folder):
        folders.append(folder)
        assert folder.is_dir()
        return {size: lambda size=size: calls.append(size) or float(size) for size in (2, 4)}

    curve = measure(Growth(what="work", along="size", arms=arms, unit="s", factor=1.0), rounds=2)
    assert calls == [4, 2, 2, 4, 4, 2]
    assert curve.exponent.value == pytest.approx(1)
    assert not folders[0].exists()


def test_every_curve_of_the_report_has_a_name_of_its_own():
    named = [(growth.what, growth.along) for growth in growths()]
    assert len(set(named)) == len(named)
    along = {name for _, name in named}
    wanted = {"layers", "width", "vocabulary", "prompts", "batch", "sequence length", "seeds"}
    assert along == wanted | {"workers"}


def test_with_workers_the_cost_is_of_each_training(monkeypatch, tmp_path):
    clock = iter(range(0, 1000, 6))
    started = []
    monkeypatch.setattr(scaling, "write_llama", lambda folder: folder)
    monkeypatch.setattr(scaling, "begin", lambda *_: started.append(Mock()) or started[-1])
    monkeypatch.setattr(scaling, "end", lambda *_: None)
    monkeypatch.setattr(scaling.time, "perf_counter", lambda: next(clock))
    costs = {workers: arm() for workers, arm in scaling._by_workers(tmp_path).items()}
    assert costs == {1: 6.0, 2: 3.0}
    assert len(started) == 3
    assert all(process.kill.called for process in started)


ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--lb-rounds", "1"], "--lb-rounds 1 is too few"),
        (["--lb-findings", "/dev/null/x.json"], "cannot write the document to /dev/null/x.json"),
    ],
)
def test_a_mistake_is_told_at_once(options, sentence):
    command = [sys.executable, "-m", "pytest", "benchmarks", "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert sentence in done.stderr
