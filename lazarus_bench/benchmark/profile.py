"""Where a training step's time goes: by stage, and by kind of kernel.

A recipe's own `train` is called with its loop replaced by one that keeps its arguments, so what is
profiled is the recipe's model, loss, batches and optimizer and no copy of them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lazarus_bench import backend
from lazarus_bench.backend import mx, nn, optim
from lazarus_bench.benchmark.document import MADE, OPTIMIZER, REST, Part, Profile
from lazarus_bench.benchmark.meters import Arm, interleaved, timed
from lazarus_bench.benchmark.operations import MATMUL, parts_of, traced
from lazarus_bench.benchmark.roofline import dispatch_seconds, view_seconds
from lazarus_bench.judge.rounds import median
from lazarus_bench.training import Recipe, loop
from lazarus_bench.training.loop import arrays_of, holding, stepper
from lazarus_bench.training.resume import State


@dataclass(frozen=True, kw_only=True)
class Caught:
    """What a recipe hands to the loop."""

    model: nn.Module
    loss: Any
    batches: Iterator[Any]
    optimizer: optim.Optimizer
    clip: float | None
    prepare: Any

    def batch(self) -> Any:
        """The next batch as the loss takes it."""
        drawn = next(self.batches)
        return drawn if self.prepare is None else self.prepare(drawn)


class _Stop(Exception):
    """Ends a recipe's `train` where its loop would begin."""

    def __init__(self, caught: Caught) -> None:
        self.caught = caught


def catch(spec: Recipe, base: Path | None) -> Caught:
    """What `spec` would train with on `base`.

    Raises:
        ValueError: the recipe has no training loop.
    """

    def fit(model: nn.Module, loss: Any, batches: Iterator[Any], **rest: Any) -> None:
        raise _Stop(
            Caught(
                model=model,
                loss=loss,
                batches=batches,
                optimizer=rest["optimizer"],
                clip=rest.get("clip"),
                prepare=rest.get("prepare"),
            )
        )

    usual, loop.fit = loop.fit, fit
    try:
        with tempfile.TemporaryDirectory() as folder:
            spec.train(base, Path(folder), 100, show=False)
    except _Stop as stop:
        return stop.caught
    finally:
        loop.fit = usual
    raise ValueError(f"{spec.label} has no training loop")


def _stages(caught: Caught) -> dict[str, Arm]:
    """Arms of a step's stages, on one batch; "step" is all of a step, on new ones."""
    model, batch = caught.model, caught.batch()
    optimizer = caught.optimizer
    optimizer.init(model.trainable_parameters())
    held, arrays = [model.state, optimizer.state], arrays_of(batch)
    differentiate = nn.value_and_grad(model, caught.loss)
    forward = mx.compile(lambda tree: caught.loss(model, holding(batch, tree)), inputs=held)
    gradient = mx.compile(lambda tree: differentiate(model, holding(batch, tree)), inputs=held)

    @partial(mx.compile, inputs=held, outputs=held)
    def step_along(gradients: Any) -> None:
        if caught.clip is not None:
            gradients, _ = optim.clip_grad_norm(gradients, caught.clip)
        optimizer.update(model, gradients)

    def update() -> None:
        step_along(kept)
        mx.eval(held)

    _, kept = gradient(arrays)
    mx.eval(kept)
    state = State(model=model, optimizer=optimizer)
    take = stepper(state, caught.loss, caught.clip, backend.group())
    return {
        "batch": timed(lambda: next(caught.batches)),
        "batch and rollouts": timed(caught.batch),
        "forward": timed(lambda: mx.eval(forward(arrays))),
        "gradient": timed(lambda: mx.eval(gradient(arrays))),
        "optimizer": timed(update),
        "step": timed(lambda: mx.eval(take(caught.batch()), held)),
    }


def profiled(spec: Recipe, base: Path | None, *, rounds: int, machine: float) -> Profile:
    """The profile of a step of `spec` on `base`, on a machine of at most `machine` GFLOP/s.

    Raises:
        NotApplicable: its operations cannot be counted, or the recipe is not for this model.
    """
    caught = catch(spec, base)
    found = _operations(caught)
    seconds = interleaved(_stages(caught), rounds, warm=2)
    ms = {name: 1e3 * float(np.median(found)) for name, found in seconds.items()}
    dispatch, view = dispatch_seconds().value, view_seconds().value
    parts = parts_of(found, dispatch=dispatch, view=view, rounds=3)
    own = (*parts, Part(kind=OPTIMIZER, operations=0, milliseconds=ms["optimizer"]))
    products = next(part for part in parts if part.kind == MATMUL)
    before = ms["batch and rollouts"]
    rest = ms["step"] - before - sum(part.milliseconds for part in own)
    made = Part(kind=MADE, operations=0, milliseconds=before)
    other = Part(kind=REST, operations=0, milliseconds=rest)
    return Profile(
        recipe=spec.label,
        step=median(1e3 * seconds["step"]),
        parts=(*own, made, other),
        phases={
            "batch": ms["batch"],
            "rollouts": max(0.0, before - ms["batch"]),
            "forward": ms["forward"],
            "backward": ms["gradient"] - ms["forward"],
            "optimizer": ms["optimizer"],
        },
        gflop=products.gflop,
        achieved=products.gflop / (1e-3 * ms["step"]),
        machine=machine,
        attainable=products.gflop / (1e-3 * max(products.milliseconds, 1e-9)),
        rounds=rounds,
        about={"dispatch": f"{1e6 * dispatch:.2f} µs a kernel, {1e6 * view:.2f} µs a view"},
    )


def _operations(caught: Caught) -> Any:
    """The operations of one gradient."""
    from mlx.utils import tree_flatten, tree_unflatten

    model, batch = caught.model, caught.batch()
    before = dict(tree_flatten(model.trainable_parameters()))
    gradient = nn.value_and_grad(model, caught.loss)

    def function(*arrays: mx.array) -> list[mx.array]:
        model.update(tree_unflatten(list(zip(before, arrays, strict=True))))
        (value, _), gradients = gradient(model, batch)
        flat: dict[str, mx.array] = dict(tree_flatten(gradients))
        return [value, *flat.values()]

    try:
        return traced(function, *before.values())
    finally:
        model.update(tree_unflatten(list(before.items())))
