"""The training loop every recipe shares: steps, log, progress, resuming, a stop on divergence.

Several ranks, each a process of an `mlx.launch`, stay alike: every rank takes its share of one
batch. A shard divides its summed losses by the whole batch's counts over the number of ranks, so
the mean over ranks of losses and of gradients is that of the whole batch, up to rounding.
"""

from __future__ import annotations

import gc
import math
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from lazarus_bench import backend
from lazarus_bench.backend import Group, mx, nn, optim
from lazarus_bench.errors import UserError
from lazarus_bench.training.optimizers import Bucketed
from lazarus_bench.training.record import Step, StepLog, StepMetrics
from lazarus_bench.training.resume import Saver, State, read_state, set_random_state

__all__ = ["DIVERGED", "Hook", "Loss", "Parts", "Prepare", "StepMetrics", "fit"]

Parts: TypeAlias = "dict[str, mx.array]"
Loss: TypeAlias = "Callable[[nn.Module, Any], tuple[mx.array, Parts]]"
"""`loss(model, batch)` → (scalar to minimise, named scalars to log)."""

Hook = Callable[[int], Iterable[Path] | None]
"""Called with a step; the files it wrote that an interrupted training keeps."""

Prepare = Callable[[Any], Any]

DIVERGED = 100.0
"""Nats above ten times the first loss at which a training has diverged.

A uniform guess over 200,000 tokens costs 12 nats; a middle layer's lens may start far above that.
"""


def _check_sane(loss: float, first: float, step: int, label: str, limit: float) -> None:
    if not math.isfinite(loss):
        raise UserError(
            f"{label}: the loss became {loss} at step {step}: lower the learning rate, or check "
            f"that the base model's own logits are finite"
        )
    if loss > limit + 10 * abs(first):
        raise UserError(
            f"{label}: the loss diverged to {loss:.3g} nats at step {step}: lower the learning rate"
        )


def _mean_values(values: list[float], group: Group) -> list[float]:
    """Means over ranks of float32 scalars, the same on every rank."""
    if group.size == 1:
        return values
    total = mx.distributed.all_sum(mx.array(values, dtype=mx.float32))
    return [float(mean) for mean in np.array(total) / group.size]


def _from_first(tree: Any, group: Group) -> Any:
    """Rank 0's `tree` on every rank, bit for bit; all ranks pass trees of the same shapes."""
    from mlx.utils import tree_map

    return tree if group.size == 1 else tree_map(lambda array: _array_of_first(array, group), tree)


def _array_of_first(array: mx.array, group: Group) -> mx.array:
    # Sums of bytes, as −0.0 + 0.0 would lose its sign and a NaN its payload.
    sent = array.reshape(-1).view(mx.uint8)
    if group.rank > 0:
        sent = mx.zeros_like(sent)
    received = mx.distributed.all_sum(sent).view(array.dtype).reshape(array.shape)
    # One at a time: the ring delivers in the order of calls, which a lazy graph does not promise.
    mx.eval(received)
    return received


def _begin(state: State, batches: Iterator[Any], out: Path, group: Group) -> None:
    """Bring `state` and `batches` to where the training stopped; every rank follows rank 0."""
    tree = read_state(out, state) if group.rank == 0 else None
    if tree is None and group.size == 1:
        return
    state.optimizer.init(state.model.trainable_parameters())
    tree = _from_first(tree or state.tree(), group)
    state.restore(tree)
    for _ in range(state.step):
        next(batches)
    set_random_state(tree["random"])


def _stepper(
    state: State, loss: Loss, clip: float | None, group: Group
) -> Callable[[Any], tuple[float, dict[str, float]]]:
    """A function that takes one step on a batch and returns its losses, means over ranks."""
    gradient = nn.value_and_grad(state.model, loss)

    def take(batch: Any) -> tuple[float, dict[str, float]]:
        own = batch if group.size == 1 else batch.shard(group.rank, group.size)
        (value, parts), gradients = gradient(state.model, own)
        gradients = gradients if group.size == 1 else nn.average_gradients(gradients)
        state.optimizer.update(state.model, gradients, clip)
        del gradients  # so that each is free as soon as its bucket is packed
        mx.eval(state.model.trainable_parameters(), state.optimizer.state, value, parts)
        losses = [float(np.array(scalar)) for scalar in (value, *parts.values())]
        total, *rest = _mean_values(losses, group)
        return total, dict(zip(parts, rest, strict=True))

    return take


def fit(
    model: nn.Module,
    loss: Loss,
    batches: Iterator[Any],
    *,
    optimizer: optim.Optimizer,
    steps: int,
    label: str,
    out: Path,
    clip: float | None = None,
    prepare: Prepare | None = None,
    before: Hook | None = None,
    after: Hook | None = None,
    show: bool | None = None,
    limit: float = DIVERGED,
) -> None:
    """Take `steps` optimizer steps on the model's trainable parameters.

    Where a killed attempt left its state in `out`, the training goes on from there and ends
    bit-identical to one that nobody stopped: batches it has seen are drawn again and passed over.
    Ctrl-C lets the step under way end and saves the state, unless several ranks are at work.
    Under `mlx.launch` every rank calls this with the same arguments but for its own `out`; rank 0
    alone saves and reads the state.

    Args:
        model: its trainable parameters are what it has not frozen.
        loss: the recipe's loss.
        batches: endless, the same in every attempt; every batch has `size`, the number of tokens
            fed, and for ranks `shard(rank, size)`.
        optimizer: an elementwise one (`optimizers.py`), updated in place.
        steps: how many.
        label: for the progress bar and the error.
        out: receives the log, a line a step, and while the training lasts its state.
        clip: the global norm that a step's gradients are clipped to.
        prepare: makes of each batch what the step is fed, just before that step and not for
            batches passed over; it may use the present model and `mx.random`. Every rank prepares
            the whole batch before it takes its shard.
        before: called with 0 before the first step of a training that does not resume.
        after: called after each step with its number, for checkpoints; when the state saved last
            was of an earlier step, it is called again for the steps in between. Both return the
            files they wrote, if any, which a resume then verifies.
        show: the progress bar on stderr; None shows it on a terminal only.
        limit: nats above ten times the first loss at which the training is stopped; infinite where
            the loss may be large in a training that goes on.

    Raises:
        UserError: the loss is no longer finite, or far above any that a sound model gives; or a
            batch has fewer examples than there are ranks.
        KeyboardInterrupt: at the end of a step, when Ctrl-C was pressed.
    """
    group = backend.group()
    state = State(model=model, optimizer=Bucketed(optimizer))
    _begin(state, batches, out, group)
    take, saver = _stepper(state, loss, clip, group), Saver(out)
    lines = state.step if group.rank == 0 else 0

    def keep(hook: Hook | None) -> None:
        written = list(hook(state.step) or ()) if hook is not None else []
        if group.rank == 0:
            saver.note(state, written)

    stopping = noted() if group.size == 1 else nullcontext(lambda: False)
    with (
        StepLog(out, keep=lines) as log,
        _bar(state.step, steps, label, show) as bar,
        stopping as stopped,
        _old_heap(),
    ):
        if state.step == 0 and not _FIRST_ONLY.get():
            keep(before)
        for step in range(state.step + 1, steps + 1):
            start = time.perf_counter()
            batch = next(batches)
            batch = batch if prepare is None else prepare(batch)
            value, parts = take(batch)
            state.step, state.first = step, value if step == 1 else state.first
            _check_sane(value, state.first, step, label, limit)
            seconds = time.perf_counter() - start
            if _FIRST_ONLY.get():
                raise FirstStep(seconds, steps)
            fed = batch.size
            log(Step(step=step, of=steps, loss=value, parts=parts, tokens=fed, seconds=seconds))
            keep(after)
            interrupted = stopped()
            if group.rank == 0 and (interrupted or saver.due()):
                log.sync()
                saver.save(state)
            if interrupted:
                raise KeyboardInterrupt
            bar.update()
            bar.set_postfix_str(f"loss {value:.3f}, {fed / seconds:,.0f} tok/s", False)


class FirstStep(Exception):
    """The first step of a training that was to take `steps` took `seconds`."""

    def __init__(self, seconds: float, steps: int) -> None:
        super().__init__(f"{seconds:.3g} s of {steps} steps")
        self.seconds, self.steps = seconds, steps


_FIRST_ONLY: ContextVar[bool] = ContextVar("first_only", default=False)


@contextmanager
def first_step_only() -> Iterator[None]:
    """Within the block, `fit` takes one step and raises a `FirstStep`."""
    token = _FIRST_ONLY.set(True)
    try:
        yield
    finally:
        _FIRST_ONLY.reset(token)


@contextmanager
def noted() -> Iterator[Callable[[], bool]]:
    """Within the block, a first Ctrl-C is noted and asked for; a second one interrupts at once.

    The step under way then ends and its state is saved: an interrupt inside a step would leave
    weights of one step beside the count of another.
    Nothing changes outside the main thread, which alone gets signals, and where somebody else
    handles the signal already.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield lambda: False
        return
    asked = threading.Event()

    def note(number: int, frame: Any) -> None:
        if asked.is_set():
            signal.default_int_handler(number, frame)
        asked.set()

    signal.signal(signal.SIGINT, note)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def _old_heap() -> Iterator[None]:
    """Keep the garbage collector off older objects: some 2% of a small step."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _bar(done: int, steps: int, label: str, show: bool | None) -> Any:
    from tqdm import tqdm

    hidden = None if show is None else not show
    return tqdm(initial=done, total=steps, desc=label, unit="step", disable=hidden, leave=False)
