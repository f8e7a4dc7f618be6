"""How cost grows along one size at a time, all other sizes fixed, all sizes timed in turn."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from lazarus_bench.analysis.lens import read_lens
from lazarus_bench.analysis.probe import probe
from lazarus_bench.analysis.probe_prompts import in_symbols
from lazarus_bench.analysis.prompts import prompt_tokens, read_states
from lazarus_bench.backend import mx
from lazarus_bench.benchmark.document import Curve
from lazarus_bench.benchmark.meters import Arm, interleaved, peak_bytes, timed
from lazarus_bench.benchmark.recipes import task_of
from lazarus_bench.benchmark.workloads import (
    LAB,
    Shape,
    adapted,
    arithmetic,
    chunks_of,
    random_text,
    sft,
    write_llama,
)
from lazarus_bench.cores import on_own_core
from lazarus_bench.judge.rounds import Floats, exponent, last_exponent, median
from lazarus_bench.models.load import LoadedModel, load
from lazarus_bench.training.apart import begin, end
from lazarus_bench.training.arithmetic_data import draw_problems
from lazarus_bench.training.jacobian_lens import rows_of
from lazarus_bench.training.lens_texts import lens_batch

LAYERS = (2, 4, 8, 16, 32)
WIDTHS = (64, 128, 256, 512)
VOCABULARIES = (4_000, 16_000, 64_000, 128_000, 200_000)
BATCHES = (4, 8, 16, 32, 64)
LENGTHS = (16, 32, 64, 128, 256)
PROMPTS = (50, 100, 200, 400, 800)
SEEDS = (1, 2, 4)
WORKERS = (1, 2)

ROUNDS = 3
"""Rounds of a curve at most: a fit over all its sizes evens out noise in one of them."""

LINEAR = 1.1
"""Largest exponent of what should grow no worse than linearly."""

SQUARE = 2.1
"""Largest exponent of what should grow no worse than a matrix."""

TOP = 20
TEXT_TOKENS, LENS_ROWS = 16, 32
LENS_PROMPTS = 100
MEMORY_PROMPTS = 20


@dataclass(frozen=True, kw_only=True)
class Growth:
    """A curve to be measured; `arms` makes an arm a size, given a folder for models."""

    what: str
    along: str
    arms: Callable[[Path], Mapping[float, Arm]]
    unit: str = "ms"
    factor: float = 1e3
    at_most: float | None = None
    rounds: int | None = None


def measure(growth: Growth, rounds: int) -> Curve:
    """Time all sizes in turn, in `ROUNDS` rounds at most, and fit the exponents."""
    # Workers have a core each.
    alone = nullcontext() if growth.along == "workers" else on_own_core()
    count = growth.rounds or min(rounds, ROUNDS)
    with alone, tempfile.TemporaryDirectory() as folder:
        arms = growth.arms(Path(folder))
        found = interleaved({str(size): arm for size, arm in arms.items()}, count)
    return fitted(growth, list(arms), np.stack(list(found.values()), axis=1))


def fitted(growth: Growth, sizes: Sequence[float], costs: Floats) -> Curve:
    """The curve of costs `[round, size]`."""
    scaled = growth.factor * costs
    return Curve(
        what=growth.what,
        along=growth.along,
        unit=growth.unit,
        sizes=tuple(sizes),
        cost=tuple(median(column) for column in scaled.T),
        exponent=exponent(sizes, scaled),
        last=last_exponent(sizes, scaled),
        rounds=len(costs),
        at_most=growth.at_most,
    )


def _training(base: Path, batch: int = 8, length: int | None = None, steps: int = 4) -> Arm:
    loaded = adapted(base)
    count = 2 * batch
    examples = arithmetic(loaded, count) if length is None else random_text(length, count)
    training = sft(loaded, chunks_of(examples, batch))
    return lambda: training.step_seconds(steps)


def _batches(what: str, sizes: Sequence[int]) -> Callable[[Path], Mapping[float, Arm]]:
    def arms(folder: Path) -> Mapping[float, Arm]:
        base = write_llama(folder / "lab")
        return {size: _training(base, **{what: size}) for size in sizes}

    return arms


def _trainings(shapes: Mapping[float, Shape]) -> Callable[[Path], Mapping[float, Arm]]:
    return lambda folder: {
        size: _training(write_llama(folder / str(size), shape)) for size, shape in shapes.items()
    }


def _lens_of(loaded: LoadedModel, count: int) -> Callable[[], object]:
    prompts = prompt_tokens(loaded, [problem.symbols for problem in draw_problems(100, count)])
    targets = np.full((len(prompts), 1), 5, dtype=np.int64)
    return lambda: read_lens(loaded, prompts, targets, TOP)


def _lenses(
    shapes: Mapping[float, Shape], prompts: int = LENS_PROMPTS
) -> Callable[[Path], Mapping[float, Arm]]:
    return lambda folder: {
        size: timed(_lens_of(load(write_llama(folder / str(size), shape)), prompts))
        for size, shape in shapes.items()
    }


def _peaks(shapes: Mapping[float, Shape]) -> Callable[[Path], Mapping[float, Arm]]:
    """Bytes by which one reading raises the allocator, weights not counted."""

    def peak(model: Path) -> Arm:
        work = _lens_of(load(model), MEMORY_PROMPTS)
        return lambda: float(peak_bytes(work)[1])

    return lambda folder: {
        size: peak(write_llama(folder / str(size), shape)) for size, shape in shapes.items()
    }


def _rows_of_lenses(shapes: Mapping[float, Shape]) -> Callable[[Path], Mapping[float, Arm]]:
    """A row of a Jacobian lens, of all layers: one vector-Jacobian product on a few texts."""

    def work(model: Path) -> Arm:
        loaded, texts = load(model), [tuple(range(1, TEXT_TOKENS + 1))] * 2
        pull = rows_of(loaded, range(loaded.depth - 1), lens_batch(texts))
        seconds = timed(lambda: mx.eval(pull(mx.arange(LENS_ROWS))))
        return lambda: seconds() / LENS_ROWS

    return lambda folder: {
        size: work(write_llama(folder / str(size), shape)) for size, shape in shapes.items()
    }


def _by_prompts(folder: Path) -> Mapping[float, Arm]:
    loaded = load(write_llama(folder / "lab"))
    return {count: timed(_lens_of(loaded, count)) for count in PROMPTS}


def _probes_by_prompts(folder: Path) -> Mapping[float, Arm]:
    loaded = load(write_llama(folder / "lab", replace(LAB, layers=2)))
    asked = {count: in_symbols(draw_problems(100, count)) for count in (100, 200, 400, 800)}
    states = {count: read_states(loaded, prompts.texts) for count, prompts in asked.items()}
    return {n: timed(partial(probe, states[n], asked[n])) for n in asked}


def _probes_by_layers(folder: Path) -> Mapping[float, Arm]:
    asked = in_symbols(draw_problems(100, 200))
    loaded = load(write_llama(folder / "lab", replace(LAB, layers=16)))
    states = read_states(loaded, asked.texts)
    return {n: timed(partial(probe, states[:, :n], asked)) for n in (2, 4, 8, 16)}


def _by_seeds(folder: Path) -> Mapping[float, Arm]:
    base = write_llama(folder / "lab")

    def trained(seeds: int) -> None:
        for _ in range(seeds):
            _training(base)()

    return {seeds: timed(partial(trained, seeds)) for seeds in SEEDS}


WORKER_STEPS = 60


def _by_workers(folder: Path) -> Mapping[float, Arm]:
    """Seconds a training, so many processes at a time, start included."""
    spec, base = task_of("SFT, LoRA", write_llama(folder / "lab"), WORKER_STEPS, lab=True)

    def together(workers: int) -> float:
        start = time.perf_counter()
        with ExitStack() as stack:
            started = [begin(spec, base, 100) for _ in range(workers)]
            for process in started:
                stack.callback(process.kill)
            for process in started:
                end(spec.label, process)
        return (time.perf_counter() - start) / workers

    return {workers: partial(together, workers) for workers in WORKERS}


def growths() -> Iterator[Growth]:
    """Every curve of the report."""
    layers: dict[float, Shape] = {size: replace(LAB, layers=size) for size in LAYERS}
    widths: dict[float, Shape] = {size: replace(LAB, width=size) for size in WIDTHS}
    words: dict[float, Shape] = {size: replace(LAB, vocabulary=size) for size in VOCABULARIES}
    step, lens = "SFT, a step", "lens, all layers"
    yield Growth(what=step, along="layers", arms=_trainings(layers), at_most=LINEAR)
    yield Growth(what=step, along="width", arms=_trainings(widths))
    yield Growth(what=step, along="vocabulary", arms=_trainings(words), at_most=LINEAR)
    yield Growth(what=step, along="batch", arms=_batches("batch", BATCHES), at_most=LINEAR)
    yield Growth(what=step, along="sequence length", arms=_batches("length", LENGTHS))
    yield Growth(what="SFT, trainings", along="seeds", arms=_by_seeds, at_most=LINEAR)
    yield Growth(
        what="SFT, each training", along="workers", arms=_by_workers, unit="s", factor=1.0, rounds=3
    )
    yield Growth(what=lens, along="prompts", arms=_by_prompts, at_most=LINEAR)
    yield Growth(what=lens, along="layers", arms=_lenses(layers), at_most=LINEAR)
    yield Growth(what=lens, along="width", arms=_lenses(widths))
    yield Growth(what=lens, along="vocabulary", arms=_lenses(words, 20), at_most=LINEAR)
    peak = partial(Growth, what="lens, allocator's peak", unit="MiB", factor=2.0**-20, rounds=2)
    wide = {s: replace(shape, vocabulary=128_000) for s, shape in layers.items()}
    yield peak(along="layers", arms=_peaks(wide))
    yield peak(along="vocabulary", arms=_peaks(words))
    row = partial(Growth, what="Jacobian lens, a row of all layers")
    yield row(along="layers", arms=_rows_of_lenses(layers), at_most=LINEAR)
    yield row(along="width", arms=_rows_of_lenses(widths), at_most=SQUARE)
    yield Growth(what="probe, all layers", along="prompts", arms=_probes_by_prompts, at_most=LINEAR)
    yield Growth(what="probe, all layers", along="layers", arms=_probes_by_layers, at_most=LINEAR)
