"""The loop: a line a step, the asked number of steps, and a stop on a loss that is no number."""

import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from safetensors.numpy import load_file

from lazarus_bench.backend import mx, nn, optim
from lazarus_bench.errors import UserError
from lazarus_bench.training import Sft
from lazarus_bench.training.loop import fit, noted
from lazarus_bench.training.record import RESUME, Step, read_steps


@dataclass(frozen=True)
class Fed:
    """A batch that is its own loss."""

    value: float
    size: int = 3


class Point(nn.Module):
    """One weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = mx.array(1.0)


def value_of_batch(model: nn.Module, batch: Fed):
    loss = mx.array(batch.value) + 0.0 * model.weight
    return loss, {"twice": 2 * loss}


def distance(model: nn.Module, batch: Fed):
    return (model.weight - batch.value) ** 2, {}


def run(values, steps, loss=value_of_batch, read=read_steps, **options):
    with TemporaryDirectory() as out:
        fit(
            options.pop("model", None) or Point(),
            loss,
            iter([Fed(v) for v in values]),
            optimizer=optim.SGD(0.25),
            steps=steps,
            label="test run",
            out=Path(out),
            show=False,
            **options,
        )
        return read(Path(out))


def test_every_step_is_logged_with_its_tokens_and_seconds(monkeypatch):
    from lazarus_bench.training import loop

    clock = iter(np.arange(0.0, 100.0, 0.5))
    monkeypatch.setattr(loop.time, "perf_counter", lambda: float(next(clock)))
    assert run([1.0, 2.0], 2) == (
        Step(step=1, of=2, loss=1.0, parts={"twice": 2.0}, tokens=3, seconds=0.5),
        Step(step=2, of=2, loss=2.0, parts={"twice": 4.0}, tokens=3, seconds=0.5),
    )


def test_a_batch_is_prepared_by_the_present_model_and_its_tokens_are_those_fed():
    model = Point()

    def prepare(batch: Fed) -> Fed:
        return Fed(value=batch.value + float(np.array(model.weight)), size=7)

    steps = run([1.0, 1.0], 2, distance, model=model, prepare=prepare)
    # The target stays one above the weight, and each step halves the distance of then.
    assert [step.loss for step in steps] == [1.0, 1.0]
    assert [step.tokens for step in steps] == [7, 7]
    assert float(np.array(model.weight)) == 2.0


def test_it_takes_the_asked_number_of_steps_downhill():
    model, steps = Point(), []
    run([5.0] * 3, 3, distance, model=model, after=steps.append)
    assert steps == [1, 2, 3]
    assert float(np.array(model.weight)) == pytest.approx(5 - 4 * 0.5**3)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        *(([1.0, 1.0, float(bad)], f"became {bad}") for bad in ("nan", "inf", "-inf")),
        ([2.0, 119.0, 121.0], "diverged to 121 nats"),
    ],
)
def test_a_loss_that_is_no_number_or_far_above_the_first_stops_the_run(values, reason):
    seen: list[int] = []
    with pytest.raises(UserError, match=rf"test run: the loss {reason} at step 3: lower the"):
        run([*values, 1.0], 4, after=seen.append)
    assert seen == [1, 2]


def test_a_high_start_is_no_divergence():
    assert run([400.0, 500.0, 300.0], 3)[-1].step == 3


def test_frozen_weights_do_not_move():
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.moving, self.still = Point(), Point()

    model = Two()
    model.still.freeze()

    def loss(model: nn.Module, batch: Fed):
        return (model.moving.weight + model.still.weight - batch.value) ** 2, {}

    run([5.0] * 2, 2, loss, model=model)
    assert float(np.array(model.still.weight)) == 1.0
    assert float(np.array(model.moving.weight)) != 1.0


SFT = Sft(steps=6, batch=4, examples=24, validation=4, checkpoints=(0, 6), rank=2)


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
    SFT.train(tiny, whole, 0, show=False)
    from lazarus_bench.training import loop

    log = loop.StepLog.__call__

    def pressed(self, step):
        log(self, step)
        if step.step == 3:
            press()

    with monkeypatch.context() as patched:
        patched.setattr(loop.StepLog, "__call__", pressed)
        with pytest.raises(KeyboardInterrupt):
            SFT.train(tiny, stopped, 0, show=False)
    assert len(read_steps(stopped)) == 4  # as step 4 had begun
    assert len(list((stopped / RESUME).iterdir())) == 1
    SFT.train(tiny, stopped, 0, show=False)
    assert [step.loss for step in read_steps(stopped)] == [s.loss for s in read_steps(whole)]
    ours, theirs = (load_file(out / "adapters.safetensors") for out in (stopped, whole))
    for name, weight in theirs.items():
        np.testing.assert_array_equal(ours[name], weight)
