"""The log: a line a step, means made at reading, a tail that may be half written."""

import json
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazarus_bench.training import record
from lazarus_bench.training.record import (
    METRICS,
    VALIDATION,
    Step,
    StepLog,
    latest,
    logged_steps,
    read_metrics,
    read_steps,
    read_thinned,
    read_validation,
    write_whole,
)


def step(number: int, loss: float = 1.0, of: int = 25) -> Step:
    parts = {"a": loss / 3}
    return Step(step=number, of=of, loss=loss, parts=parts, tokens=10, seconds=0.5)


def write(directory, steps, keep=0) -> None:
    with StepLog(directory, keep=keep) as log:
        for one in steps:
            log(one)


def test_the_log_gives_back_every_step(tmp_path):
    steps = tuple(step(i, 1 / i) for i in range(1, 6))
    write(tmp_path, steps)
    assert read_steps(tmp_path) == steps
    rows = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    assert rows == [asdict(one) for one in steps]

    # A new log forgets the old one but for what is kept.
    write(tmp_path, [step(3, 7.0)], keep=2)
    assert read_steps(tmp_path) == (*steps[:2], step(3, 7.0))
    write(tmp_path, [])
    assert read_steps(tmp_path) == ()


@given(losses=st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=35))
def test_means_add_in_the_order_of_the_steps(tmp_path_factory, losses):
    directory = tmp_path_factory.mktemp("log")
    write(directory, [step(i, loss) for i, loss in enumerate(losses, 1)])
    before = 0
    for metrics in read_metrics(directory):
        total = 0.0
        for loss in losses[before : metrics.step]:
            total += loss
        assert metrics.loss == total / (metrics.step - before)
        assert metrics.tokens_per_second == pytest.approx(20.0)
        before = metrics.step
    assert before == len(losses)


@pytest.mark.parametrize(
    ("steps", "records", "ends"),
    [
        (0, 25, []),
        (1, 25, [1]),
        (24, 25, list(range(1, 25))),
        (25, 25, [1, *range(2, 25, 2), 25]),
        (500, 25, [1, *range(25, 501, 25)]),
        (600, 25, [1, *range(25, 601, 25)]),
        (601, 25, [1, *range(50, 601, 50), 601]),
        (7, 2, [1, 7]),
    ],
)
def test_a_thinned_log_ends_its_windows_at_round_steps(tmp_path, steps, records, ends):
    write(tmp_path, [step(i, float(i)) for i in range(1, steps + 1)])
    thinned = read_thinned(tmp_path, records)
    assert [metrics.step for metrics in thinned] == ends
    before = 0
    for metrics in thinned:
        assert metrics.loss == pytest.approx((before + 1 + metrics.step) / 2)
        assert metrics.parts == {"a": pytest.approx(metrics.loss / 3)}
        before = metrics.step


@given(steps=st.integers(1, 300), records=st.integers(2, 30))
def test_a_thinned_log_has_no_more_records_than_asked(tmp_path_factory, steps, records):
    directory = tmp_path_factory.mktemp("log")
    write(directory, [step(i) for i in range(1, steps + 1)])
    thinned = read_thinned(directory, records)
    assert len(thinned) <= records
    assert (thinned[0].step, thinned[-1].step) == (1, steps)
    with pytest.raises(ValueError, match="two records or more, not 1"):
        read_thinned(directory, 1)


def test_the_latest_means_are_of_the_last_ten_steps(tmp_path):
    assert latest(tmp_path) is None
    write(tmp_path, [])
    assert latest(tmp_path) is None
    losses = np.arange(1.0, 14.0)
    write(tmp_path, [step(i, float(loss)) for i, loss in enumerate(losses, 1)])
    found = latest(tmp_path)
    assert (found.step, found.steps) == (13, 25)
    assert found.loss == losses[-10:].mean()
    assert found.parts["a"] == pytest.approx(found.loss / 3)
    assert found.tokens_per_second == pytest.approx(20.0)
    assert found.written == (tmp_path / METRICS).stat().st_mtime


def test_only_the_end_of_a_long_log_is_read(tmp_path, monkeypatch):
    write(tmp_path, [step(i, float(i)) for i in range(1, 26)])
    line = len((tmp_path / METRICS).read_bytes().splitlines(keepends=True)[-1])
    monkeypatch.setattr(record, "TAIL_BYTES", 3 * line + line // 2)
    assert latest(tmp_path).loss == 24.0


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_a_line_that_is_not_whole_yet_is_passed_over(tmp_path, cut):
    write(tmp_path, [step(1), step(2, 3.0)])
    file = tmp_path / METRICS
    file.write_bytes(file.read_bytes()[:-cut])
    assert latest(tmp_path).step == 1
    assert logged_steps(tmp_path) == 1
    assert [s.step for s in read_steps(tmp_path)] == [1]
    write(tmp_path, [step(2, 4.0)], keep=1)
    assert [s.loss for s in read_steps(tmp_path)] == [1.0, 4.0]


def test_a_text_is_replaced_as_a_whole(tmp_path):
    file = tmp_path / "losses.json"
    for text in ("one", "two"):
        write_whole(file, text)
        assert file.read_text() == text
    assert list(tmp_path.iterdir()) == [file]


def test_reading_a_log_needs_no_mlx():
    code = "import sys, lazarus_bench.training.record; sys.exit('mlx.core' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("text", ['{"0": 1e400}', '{"0": 1.0, "a": "\\ud800"}', "[" * 5000, "{"])
def test_validation_losses_are_strict_json(tmp_path, text):
    (tmp_path / VALIDATION).write_text(text)
    with pytest.raises(ValueError, match=r"larger|surrogate|nested|Expecting"):
        read_validation(tmp_path)
