"""Ctrl-C: the step under way ends and is kept, and what follows equals what nobody stopped."""

import signal
import threading

import numpy as np
import pytest
from safetensors.numpy import load_file

from lazarus_bench.training import Sft
from lazarus_bench.training.loop import noted
from lazarus_bench.training.record import RESUME, read_steps

SPEC = Sft(steps=6, batch=4, examples=24, validation=4, checkpoints=(0, 6), rank=2)


@pytest.fixture(autouse=True)
def _answered():
    """Ctrl-C is ignored from the start by what a shell runs in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press(times: int = 1) -> None:
    for _ in range(times):
        signal.raise_signal(signal.SIGINT)


def test_the_first_press_is_noted_and_the_second_interrupts():
    with noted() as stopped:
        assert not stopped()
        press()
        assert stopped()
        with pytest.raises(KeyboardInterrupt):
            press()
    with pytest.raises(KeyboardInterrupt):
        press()


def test_somebody_elses_handler_and_other_threads_stay_as_they_are():
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    try:
        with noted() as stopped:
            press()
            assert not stopped()
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [1]
    asked = []

    def elsewhere():
        with noted() as stopped:
            asked.append(stopped())

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert asked == [False]


def test_a_stopped_training_goes_on_to_the_same_bits(tiny, tmp_path, monkeypatch):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    for out in (whole, stopped):
        out.mkdir()
    SPEC.train(tiny, whole, 0, show=False)
    from lazarus_bench.training import loop

    log = loop.StepLog.__call__

    def pressed(self, step):
        log(self, step)
        if step.step == 3:
            press()

    with monkeypatch.context() as patched:
        patched.setattr(loop.StepLog, "__call__", pressed)
        with pytest.raises(KeyboardInterrupt):
            SPEC.train(tiny, stopped, 0, show=False)
    assert len(read_steps(stopped)) == 3
    assert len(list((stopped / RESUME).iterdir())) == 1
    SPEC.train(tiny, stopped, 0, show=False)
    assert [step.loss for step in read_steps(stopped)] == [s.loss for s in read_steps(whole)]
    ours, theirs = (load_file(out / "adapters.safetensors") for out in (stopped, whole))
    for name, weight in theirs.items():
        np.testing.assert_array_equal(ours[name], weight)
