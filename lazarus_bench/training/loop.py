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
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from lazarus_bench import backend
from lazarus_bench.backend import Group, mx, nn, optim
from lazarus_bench.errors import UserError
from lazarus_bench.training.record import Step, StepLog, StepMetrics
from lazarus_bench.training.resume import Saver, State, read_state, set_random_state

__all__ = ["DIVERGED", "Hook", "Loss", "Parts", "Prepare", "StepMetrics", "fit"]

Parts: TypeAlias = "dict[str, mx.array]"
Loss: TypeAlias = "Callable[[nn.Module, Any], tuple[mx.array, Parts]]"
"""`loss(model, batch)` → (scalar to minimise, named scalars to log).

It is compiled: what it finds in a batch, a dataclass, are the arrays, numbers of type float (as
scalar arrays), and tuples and dataclasses of such, among the fields or among the attributes that
the class names in `reads`. What else it reads, such as the switches of a recipe, must not change
during the training.
"""

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
    state.optimizer.init(state.model.trainable_parameters())
    if tree is None and group.size == 1:
        return
    tree = _from_first(tree or state.tree(), group)
    state.restore(tree)
    for _ in range(state.step):
        next(batches)
    set_random_state(tree["random"])


def arrays_of(value: Any) -> Any:
    """The arrays of a batch as a tree of dictionaries and lists; None for what is none."""
    if isinstance(value, mx.array):
        return value
    if isinstance(value, float):
        return mx.array(value)
    if isinstance(value, tuple):
        trees = [arrays_of(item) for item in value]
        return trees if all(tree is not None for tree in trees) else None
    if not is_dataclass(value):
        return None
    names = getattr(value, "reads", None) or [field.name for field in fields(value)]
    named = ((name, arrays_of(getattr(value, name))) for name in names)
    return {name: tree for name, tree in named if tree is not None}


def holding(like: Any, tree: Any) -> Any:
    """What `like` is, with the arrays of `tree` and nothing else."""
    if isinstance(tree, mx.array):
        return tree
    if isinstance(tree, list):
        return tuple(holding(item, part) for item, part in zip(like, tree, strict=True))
    found = object.__new__(type(like))
    for name, part in tree.items():
        object.__setattr__(found, name, holding(getattr(like, name), part))
    return found


Losses: TypeAlias = "tuple[mx.array, Parts]"


def stepper(state: State, loss: Loss, clip: float | None, group: Group) -> Callable[[Any], Losses]:
    """A function that begins a step on a batch and returns its losses, yet to be evaluated."""
    model, optimizer = state.model, state.optimizer
    gradient = nn.value_and_grad(model, loss)
    seen: list[Any] = []
    held = [model.state, optimizer.state, mx.random.state]

    def compute(tree: Any) -> Losses:
        (value, parts), gradients = gradient(model, holding(seen[0], tree))
        gradients = gradients if group.size == 1 else nn.average_gradients(gradients)
        if clip is not None:
            gradients, _ = optim.clip_grad_norm(gradients, clip)
        optimizer.update(model, gradients)
        return value, parts

    compiled = mx.compile(compute, inputs=held, outputs=held)

    def take(batch: Any) -> Losses:
        own = batch if group.size == 1 else batch.shard(group.rank, group.size)
        seen[:] = [own]
        found: Losses = compiled(arrays_of(own))
        mx.async_eval(found, held)
        return found

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
    at: Collection[int] | None = None,
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
        batches: endless, the same in every attempt; every batch is a dataclass (`Loss`) with
            `size`, the number of tokens fed, and for ranks `shard(rank, size)`.
        optimizer: updated in place.
        steps: how many.
        label: for the progress bar and the error.
        out: receives the log, a line a step, and while the training lasts its state.
        clip: the global norm that a step's gradients are clipped to.
        prepare: makes of each batch what the step is fed, just before that step and not for
            batches passed over; it may use the present model and `mx.random`. Every rank prepares
            the whole batch before it takes its shard.
        before: called with 0 before the first step of a training that does not resume.
        after: called after the steps `at`, or after each, with the step's number, for checkpoints;
            when the state saved last was of an earlier step, it is called again for the steps in
            between. Both return the files they wrote, if any, which a resume then verifies.
        at: the steps after which `after` is called; None stands for all.
        show: the progress bar on stderr; None shows it on a terminal only.
        limit: nats above ten times the first loss at which the training is stopped; infinite where
            the loss may be large in a training that goes on.

    Raises:
        UserError: the loss is no longer finite, or far above any that a sound model gives; or a
            batch has fewer examples than there are ranks.
        KeyboardInterrupt: at the end of a step, when Ctrl-C was pressed.
    """
    group = backend.group()
    state = State(model=model, optimizer=optimizer)
    _begin(state, batches, out, group)
    take, saver = stepper(state, loss, clip, group), Saver(out)
    lines = state.step if group.rank == 0 else 0

    def keep(hook: Hook) -> None:
        written = list(hook(state.step) or ())
        if group.rank == 0:
            saver.note(state, written)

    stopping = noted() if group.size == 1 else nullcontext(lambda: False)
    with (
        StepLog(out, keep=lines) as log,
        _bar(state.step, steps, label, show) as bar,
        stopping as stopped,
        _old_heap(),
    ):
        if state.step == 0 and before is not None:
            keep(before)
        start, begun = time.perf_counter(), deque[tuple[int, int, Losses]]()

        def finish() -> None:
            """Wait for the losses of the first step begun, check and log them."""
            nonlocal start
            step, fed, (total, named) = begun.popleft()
            losses = [float(np.array(scalar)) for scalar in (total, *named.values())]
            value, *rest = _mean_values(losses, group)
            state.first = value if step == 1 else state.first
            _check_sane(value, state.first, step, label, limit)
            now = time.perf_counter()
            start, seconds = now, now - start
            parts = dict(zip(named, rest, strict=True))
            log(Step(step=step, of=steps, loss=value, parts=parts, tokens=fed, seconds=seconds))
            bar.update()
            bar.set_postfix_str(f"loss {value:.3f}, {fed / seconds:,.0f} tok/s", False)

        for step in range(state.step + 1, steps + 1):
            batch = next(batches)
            batch = batch if prepare is None else prepare(batch)
            begun.append((step, batch.size, take(batch)))
            state.step = step
            # Losses are read when the next step has begun, so that the device never waits.
            if len(begun) > 1:
                finish()
            interrupted, followed = stopped(), after is not None and (at is None or step in at)
            saves = group.rank == 0 and (interrupted or saver.due())
            while begun and (followed or interrupted or saves or step == steps):
                finish()
            if after is not None and followed:
                keep(after)
            if saves:
                log.sync()
                saver.save(state)
            if interrupted:
                raise KeyboardInterrupt


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
