"""SFT beside `mlx_lm.lora`, and dual reward beside SFT."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lazarus_bench.backend import optim
from lazarus_bench.benchmark.document import Ratio
from lazarus_bench.benchmark.rivals.compared import Effort, speed
from lazarus_bench.benchmark.rivals.shipped import as_shipped
from lazarus_bench.benchmark.stopwatch import Arm, interleaved
from lazarus_bench.benchmark.trainings import (
    RATE,
    SETTLING,
    Training,
    adapted,
    arithmetic,
    chunks_of,
    dual,
    peak_bytes,
    random_text,
    sft,
    step_seconds,
)
from lazarus_bench.judge.rounds import ratio_of_medians
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.prompts import Example

Pairs = Sequence[tuple[list[int], int]]
"""mlx-lm's data: tokens of a text and how many of them are the prompt's."""


def pairs_of(examples: Sequence[Example]) -> Pairs:
    """Examples as mlx-lm's trainer takes them."""
    return [(list(example.tokens), len(example.prompt)) for example in examples]


def mlx_lm_step_seconds(loaded: LoadedModel, pairs: Pairs, batch: int, steps: int) -> float:
    """Median seconds of a step of `mlx_lm.tuner.trainer.train`, as its own report times them."""
    from mlx_lm.tuner.callbacks import TrainingCallback
    from mlx_lm.tuner.trainer import TrainingArgs, train

    base: Any = TrainingCallback

    class Clock(base):  # type: ignore[misc]
        def __init__(self) -> None:
            self.seconds: list[float] = []

        def on_train_loss_report(self, train_info: dict[str, float]) -> None:
            self.seconds.append(1.0 / train_info["iterations_per_second"])

    clock, never, taken = Clock(), 10**9, steps + SETTLING
    with tempfile.TemporaryDirectory() as folder, as_shipped():
        arguments = TrainingArgs(
            batch_size=batch,
            iters=taken,
            steps_per_report=1,
            steps_per_eval=never,
            steps_per_save=never,
            adapter_file=str(Path(folder, "adapters.safetensors")),
        )
        with contextlib.redirect_stdout(io.StringIO()):
            train(
                loaded.model,
                optim.Adam(RATE, bias_correction=True),
                pairs,
                args=arguments,
                training_callback=clock,
            )
    return float(np.median(clock.seconds[SETTLING:]))


def sft_against_mlx_lm(
    base: Path, *, batch: int, effort: Effort, length: int | None = None
) -> list[Ratio]:
    """SFT beside `mlx_lm.lora`: LoRA of rank 8 on all linears, Adam, the same examples and batch.

    mlx-lm pads every batch to 33 tokens or more; with `length` all texts have 33 random ones, every
    one a label, so that neither pads nor masks: then only the work itself differs.
    """
    ours, theirs = adapted(base), adapted(base)
    count = batch * (effort.steps + SETTLING)
    examples = arithmetic(ours, count) if length is None else random_text(length, count)
    training, pairs = sft(ours, chunks_of(examples, batch)), pairs_of(examples)
    peaks: dict[str, list[int]] = {"ours": [], "mlx-lm": []}

    def kept(name: str, work: Arm) -> Arm:
        def arm() -> float:
            seconds, peak = peak_bytes(work)
            peaks[name].append(peak)
            return float(seconds) / training.tokens

        return arm

    found = interleaved(
        {
            "ours": kept("ours", lambda: step_seconds(training, effort.steps)),
            "mlx-lm": kept(
                "mlx-lm", lambda: mlx_lm_step_seconds(theirs, pairs, batch, effort.steps)
            ),
        },
        effort.rounds,
    )
    data = "arithmetic" if length is None else f"{length} random tokens a text"
    about: dict[str, str | float] = {"batch": batch, "data": data, "tokens a step": training.tokens}
    where = f"{data}, batch {batch}"
    return [
        speed(f"SFT over mlx_lm.lora: {where}", found, "ours", "mlx-lm", "tok/s", 1.5, about),
        Ratio(
            name=f"SFT's peak memory over mlx_lm.lora's: {where}",
            found=ratio_of_medians(peaks["ours"][1:], peaks["mlx-lm"][1:]),
            rounds=effort.rounds,
            at_most=1.0,
            about=about | _sizes(peaks),
        ),
    ]


def _sizes(peaks: Mapping[str, Sequence[int]]) -> dict[str, str | float]:
    return {name: f"{np.median(peak) / 2**20:.1f} MiB" for name, peak in peaks.items()}


def dual_against_sft(base: Path, *, batch: int, effort: Effort) -> list[Ratio]:
    """Dual reward beside SFT: the same LoRA on V and O, data and batch; cost of a token."""
    models = {name: adapted(base, targets="vo", rank=16, scale=2.0) for name in ("dual", "SFT")}
    chunks = chunks_of(arithmetic(models["SFT"], batch * effort.steps), batch)
    trainings = {
        "dual": dual(models["dual"], chunks),
        "SFT": sft(models["SFT"], chunks),
    }

    def token_seconds(training: Training) -> float:
        return step_seconds(training, effort.steps) / training.tokens

    arms: dict[str, Arm] = {n: partial(token_seconds, t) for n, t in trainings.items()}
    found = interleaved(arms, effort.rounds)
    rates = {name: f"{1 / np.median(cost):,.0f} tok/s" for name, cost in found.items()}
    return [
        Ratio(
            name=f"dual reward over SFT: seconds a token, batch {batch}",
            found=ratio_of_medians(found["dual"], found["SFT"]),
            rounds=effort.rounds,
            at_most=1.25,
            about={"batch": batch, "LoRA": "V and O, rank 16", **rates},
        )
    ]
