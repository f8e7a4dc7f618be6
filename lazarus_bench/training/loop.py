"""The training loop every recipe shares: steps, metrics, progress, a stop on divergence."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from lazarus_bench.backend import mx, nn, optim
from lazarus_bench.errors import UserError

Parts = dict[str, mx.array]
Loss = Callable[[nn.Module, Any], tuple[mx.array, Parts]]
"""`loss(model, batch)` → (scalar to minimise, named scalars to log)."""

LOG_EVERY = 10

DIVERGED = 100.0
"""Nats above ten times the first loss at which a training has diverged.

A uniform guess over 200,000 tokens costs 12 nats; a middle layer's lens may start far above that.
"""


@dataclass(frozen=True, kw_only=True)
class StepMetrics:
    """Means over the steps since the previous record; `tokens_per_second` counts fed tokens."""

    step: int
    loss: float
    parts: Mapping[str, float]
    tokens_per_second: float


Report = Callable[[StepMetrics], None]
Hook = Callable[[int], None]


class _Window:
    """Sums since the last record."""

    def __init__(self) -> None:
        self.count = 0
        self.tokens = 0
        self.loss = 0.0
        self.parts: dict[str, float] = {}
        self.start = time.perf_counter()

    def add(self, loss: float, parts: Mapping[str, float], tokens: int) -> None:
        self.count += 1
        self.tokens += tokens
        self.loss += loss
        for name, value in parts.items():
            self.parts[name] = self.parts.get(name, 0.0) + value

    def close(self, step: int) -> StepMetrics:
        elapsed = max(time.perf_counter() - self.start, 1e-9)
        return StepMetrics(
            step=step,
            loss=self.loss / self.count,
            parts={name: value / self.count for name, value in self.parts.items()},
            tokens_per_second=self.tokens / elapsed,
        )


def _check_sane(loss: float, first: float, step: int, label: str) -> None:
    if not math.isfinite(loss):
        raise UserError(
            f"{label}: the loss became {loss} at step {step}: lower the learning rate, or check "
            f"that the base model's own logits are finite"
        )
    if loss > DIVERGED + 10 * abs(first):
        raise UserError(
            f"{label}: the loss diverged to {loss:.3g} nats at step {step}: lower the learning rate"
        )


def fit(
    model: nn.Module,
    loss: Loss,
    batches: Iterator[Any],
    *,
    optimizer: optim.Optimizer,
    steps: int,
    label: str,
    report: Report,
    after: Hook | None = None,
    show: bool | None = None,
) -> None:
    """Take `steps` optimizer steps on the model's trainable parameters.

    Args:
        model: its trainable parameters are what it has not frozen.
        loss: the recipe's loss.
        batches: endless; every batch has `size`, the number of tokens fed.
        optimizer: updated in place.
        steps: how many.
        label: for the progress bar and the error.
        report: receives the metrics of step 1 and then of every 10 steps.
        after: called after each step with its number, for checkpoints.
        show: the progress bar on stderr; None shows it on a terminal only.

    Raises:
        UserError: the loss is no longer finite, or far above any that a sound model gives.
    """
    gradient = nn.value_and_grad(model, loss)
    window, first = _Window(), 0.0
    hidden = None if show is None else not show
    with tqdm(total=steps, desc=label, unit="step", disable=hidden, leave=False) as bar:
        for step in range(1, steps + 1):
            batch = next(batches)
            (value, parts), grads = gradient(model, batch)
            optimizer.update(model, grads)
            mx.eval(model.trainable_parameters(), optimizer.state, value, parts)
            number = float(np.array(value))
            first = number if step == 1 else first
            _check_sane(number, first, step, label)
            window.add(number, {k: float(np.array(v)) for k, v in parts.items()}, batch.size)
            if after is not None:
                after(step)
            bar.update()
            if step == 1 or step % LOG_EVERY == 0 or step == steps:
                metrics = window.close(step)
                report(metrics)
                bar.set_postfix_str(
                    f"loss {metrics.loss:.3f}, {metrics.tokens_per_second:,.0f} tok/s"
                )
                window = _Window()
