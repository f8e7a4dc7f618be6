"""SFT beside `mlx_lm.lora`, dual reward beside SFT, sampling beside mlx-lm's batched generation.

mlx-lm runs as it is shipped (`as_shipped`): it has its own gates back, and its `train` compiles its
step, as `mlx_lm.lora` does.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lazarus_bench.analysis.prompts import prompt_tokens
from lazarus_bench.backend import mx, optim
from lazarus_bench.benchmark.document import About, Ratio
from lazarus_bench.benchmark.meters import Arm, interleaved, peak_bytes, timed
from lazarus_bench.benchmark.rivals import Effort, speed
from lazarus_bench.benchmark.workloads import (
    RATE,
    SETTLING,
    Training,
    adapted,
    arithmetic,
    chunks_of,
    dual,
    random_text,
    sft,
)
from lazarus_bench.judge.rounds import ratio_of_medians
from lazarus_bench.models.load import LoadedModel, load
from lazarus_bench.models.prompts import Example
from lazarus_bench.tasks.arithmetic import held_out
from lazarus_bench.training.arithmetic_data import end_tokens
from lazarus_bench.training.sampling import sample

ANSWERS, ANSWER_TOKENS = 8, 6

Pairs = Sequence[tuple[list[int], int]]
"""mlx-lm's data: tokens of a text and how many of them are the prompt's."""


@contextlib.contextmanager
def as_shipped() -> Iterator[None]:
    """Within the block, mlx-lm's families compute their gates as mlx-lm does."""
    import mlx.core

    installed = mlx.core.sigmoid
    mlx.core.sigmoid = mx.sigmoid  # `backend`'s name for it stays mlx's
    try:
        yield
    finally:
        mlx.core.sigmoid = installed


def pairs_of(examples: Sequence[Example]) -> Pairs:
    """Examples as mlx-lm's trainer takes them."""
    return [(list(example.tokens), len(example.prompt)) for example in examples]


def mlx_lm_step_seconds(loaded: LoadedModel, pairs: Pairs, batch: int, steps: int) -> float:
    """Median seconds of a step of `mlx_lm.tuner.trainer.train`, as its own report times them."""
    from mlx_lm.tuner.callbacks import TrainingCallback
    from mlx_lm.tuner.trainer import TrainingArgs, train

    base: Any = TrainingCallback
    seconds: list[float] = []

    class Clock(base):  # type: ignore[misc]
        def on_train_loss_report(self, train_info: dict[str, float]) -> None:
            seconds.append(1.0 / train_info["iterations_per_second"])

    never = 10**9
    with tempfile.TemporaryDirectory() as folder, as_shipped():
        arguments = TrainingArgs(
            batch_size=batch,
            iters=steps + SETTLING,
            steps_per_report=1,
            steps_per_eval=never,
            steps_per_save=never,
            adapter_file=str(Path(folder, "adapters.safetensors")),
        )
        optimizer = optim.Adam(RATE, bias_correction=True)
        with contextlib.redirect_stdout(io.StringIO()):
            train(loaded.model, optimizer, pairs, args=arguments, training_callback=Clock())
    return float(np.median(seconds[SETTLING:]))


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
    works: dict[str, Arm] = {
        "ours": lambda: training.step_seconds(effort.steps),
        "mlx-lm": lambda: mlx_lm_step_seconds(theirs, pairs, batch, effort.steps),
    }
    peaks: dict[str, list[int]] = {name: [] for name in works}

    def token_seconds(name: str) -> float:
        seconds, peak = peak_bytes(works[name])
        peaks[name].append(peak)
        return float(seconds) / training.tokens

    found = interleaved({name: partial(token_seconds, name) for name in works}, effort.rounds)
    data = "arithmetic" if length is None else f"{length} random tokens a text"
    about: About = {"batch": batch, "data": data, "tokens a step": training.tokens}
    sizes = {name: f"{np.median(peak) / 2**20:.1f} MiB" for name, peak in peaks.items()}
    where = f"{data}, batch {batch}"
    return [
        speed(f"SFT over mlx_lm.lora: {where}", found, "mlx-lm", "tok/s", 1.5, about),
        Ratio(
            name=f"SFT's peak memory over mlx_lm.lora's: {where}",
            found=ratio_of_medians(peaks["ours"][1:], peaks["mlx-lm"][1:]),
            rounds=effort.rounds,
            at_most=1.0,
            about={**about, **sizes},
        ),
    ]


def dual_against_sft(base: Path, *, batch: int, effort: Effort) -> list[Ratio]:
    """Dual reward beside SFT: the same LoRA on V and O, data and batch; cost of a token."""
    models = {name: adapted(base, targets="vo", rank=16, scale=2.0) for name in ("dual", "SFT")}
    chunks = chunks_of(arithmetic(models["SFT"], batch * effort.steps), batch)
    trainings = {"dual": dual(models["dual"], chunks), "SFT": sft(models["SFT"], chunks)}

    def cost(training: Training) -> Arm:
        return lambda: training.step_seconds(effort.steps) / training.tokens

    found = interleaved({name: cost(t) for name, t in trainings.items()}, effort.rounds)
    rates = {name: f"{1 / np.median(seconds):,.0f} tok/s" for name, seconds in found.items()}
    return [
        Ratio(
            name=f"dual reward over SFT: seconds a token, batch {batch}",
            found=ratio_of_medians(found["dual"], found["SFT"]),
            rounds=effort.rounds,
            at_most=1.25,
            about={"batch": batch, "LoRA": "V and O, rank 16", **rates},
        )
    ]


def sampling_against_mlx_lm(base: Path, *, what: str, effort: Effort) -> list[Ratio]:
    """GRPO's sampling beside `mlx_lm.batch_generate`: as many answers to the same prompts.

    Eight answers of at most six tokens each, temperature 1, all at once in one batch for mlx-lm
    (its default of 32 at a time is an arm too). Ours also keeps the log-probabilities that GRPO
    needs; mlx-lm does not have to.
    """
    from mlx_lm import batch_generate
    from mlx_lm.sample_utils import make_sampler

    ours, theirs = load(base), load(base)
    prompts = prompt_tokens(ours, [p.symbols for p in held_out(64, 0)])
    repeated = [prompt for prompt in prompts for _ in range(ANSWERS)]
    draws = iter(range(10**9))

    def own() -> object:
        return sample(
            ours.model,
            ours.anatomy,
            prompts,
            group=ANSWERS,
            tokens=ANSWER_TOKENS,
            ends=end_tokens(ours),
            seed=(100, next(draws)),
        )

    def other(**sizes: Any) -> Callable[[], object]:
        def generate() -> object:
            with as_shipped():
                return batch_generate(
                    theirs.model,
                    theirs.tokenizer,
                    repeated,
                    max_tokens=ANSWER_TOKENS,
                    sampler=make_sampler(temp=1.0),
                    **sizes,
                )

        return generate

    whole = other(completion_batch_size=len(repeated), prefill_batch_size=len(repeated))
    works = {"ours": own, "one batch": whole, "as shipped": other()}
    found = interleaved({name: timed(work) for name, work in works.items()}, effort.rounds)
    about: About = {
        "model": what,
        "prompts": len(prompts),
        "answers": ANSWERS,
        "tokens": ANSWER_TOKENS,
    }
    units, name = float(len(repeated)), "sampling over mlx-lm's batched generation"
    return [
        speed(f"{name}, {words}: {what}", found, rival, "answers/s", 1.0, about, units)
        for rival, words in (
            ("one batch", "all in one batch"),
            ("as shipped", "its default batch of 32"),
        )
    ]
