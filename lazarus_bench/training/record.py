"""Records a training leaves with its weights: a log of its steps and the problems it saw.

The log holds one JSON line per step, written as the step ends, so that others can follow a running
training; means over ten steps are computed on reading. No mlx here: reports read logs without it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import reduce
from itertools import chain, count
from operator import add
from pathlib import Path

from lazarus_bench import reading
from lazarus_bench.tasks.arithmetic import Operation, Problem
from lazarus_bench.tasks.text_rows import AnyProblem, OwnProblem

METRICS = "metrics.jsonl"
PROBLEMS = "problems.jsonl"
VALIDATION = "validation.json"
RESUME = "resume"
"""Folder of an unfinished training's state; an artifact is published without it."""

LOG_EVERY = 10
TAIL_BYTES = 32 * 1024


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of `of`: its loss, the named parts of the loss, tokens fed, and duration.

    `seconds` cover batch, gradient and update, not what a recipe does between steps.
    """

    step: int
    of: int
    loss: float
    parts: Mapping[str, float]
    tokens: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class StepMetrics:
    """Means over the steps since the previous record; `tokens_per_second` counts fed tokens."""

    step: int
    loss: float
    parts: Mapping[str, float]
    tokens_per_second: float


@dataclass(frozen=True, kw_only=True)
class Latest(StepMetrics):
    """Means over the last ten steps of a training that may still run.

    `steps` is the total number of steps, `seconds` those of one, `written` the time of the last
    line in seconds since the epoch.
    """

    steps: int
    seconds: float
    written: float

    @property
    def left(self) -> float:
        """Seconds of the steps that are left, at the present rate."""
        return (self.steps - self.step) * self.seconds


class StepLog:
    """Appends steps to `metrics.jsonl`, one flushed line each, after its first `keep` lines."""

    def __init__(self, directory: Path, keep: int) -> None:
        kept = first_lines(directory, keep) if keep else []
        self._stream = (directory / METRICS).open("r+b" if keep else "wb")
        self._stream.truncate(sum(map(len, kept)))
        self._stream.seek(0, os.SEEK_END)

    def __call__(self, step: Step) -> None:
        """Append `step`."""
        self._stream.write(json.dumps(asdict(step)).encode() + b"\n")
        self._stream.flush()

    def sync(self) -> None:
        """Flush to disk, so that the lines survive a power cut."""
        os.fsync(self._stream.fileno())

    def __enter__(self) -> StepLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()


def logged_steps(directory: Path) -> int:
    """Number of complete steps in the log in `directory`; 0 without a log."""
    file = directory / METRICS
    return len(_lines(file)) if file.is_file() else 0


def first_lines(directory: Path, count: int) -> list[bytes]:
    """The first `count` lines of the log in `directory`, one a step."""
    return _lines(directory / METRICS)[:count]


def _lines(file: Path) -> list[bytes]:
    """The complete lines of `file`; a kill may have cut the last one off."""
    lines = reading.read_bytes(file).splitlines(keepends=True)
    return lines if not lines or lines[-1].endswith(b"\n") else lines[:-1]


def read_steps(directory: Path) -> tuple[Step, ...]:
    """Every step in the log, first to last."""
    return tuple(Step(**reading.parse_json(line.decode())) for line in _lines(directory / METRICS))


def read_metrics(directory: Path) -> tuple[StepMetrics, ...]:
    """Step 1, then means over every ten steps, and over those left at the end."""
    return tuple(_mean(window) for window in _windows(read_steps(directory), LOG_EVERY))


def read_thinned(directory: Path, records: int) -> tuple[StepMetrics, ...]:
    """Step 1, then means over windows of a round width, at most `records` in all.

    Raises:
        ValueError: fewer than two records leave no window.
    """
    if records < 2:
        raise ValueError(f"a log is thinned to two records or more, not {records}")
    steps = read_steps(directory)
    further = (width * 10**power for power in count() for width in (10, 20, 25, 50))
    every = next(w for w in chain((1, 2, 5), further) if len(steps) <= w * (records - 1))
    return tuple(_mean(window) for window in _windows(steps, every))


def _windows(steps: Sequence[Step], every: int) -> Iterator[list[Step]]:
    window: list[Step] = []
    for step in steps:
        window.append(step)
        if step.step == 1 or step.step % every == 0 or step is steps[-1]:
            yield window
            window = []


def _mean(window: Sequence[Step]) -> StepMetrics:
    count = len(window)
    return StepMetrics(
        step=window[-1].step,
        loss=_sum(step.loss for step in window) / count,
        parts={name: _sum(s.parts[name] for s in window) / count for name in window[0].parts},
        tokens_per_second=sum(s.tokens for s in window) / max(sum(s.seconds for s in window), 1e-9),
    )


def _sum(values: Iterable[float]) -> float:
    # Python 3.12's `sum` compensates for rounding, so means would depend on the version.
    return reduce(add, values, 0.0)


def latest(directory: Path) -> Latest | None:
    """Means over the last ten steps of a log that may still be written; None without a step.

    Reads the end of the file only and skips an incomplete line.
    """
    try:
        with (directory / METRICS).open("rb") as stream:
            written, size = os.fstat(stream.fileno()).st_mtime, os.fstat(stream.fileno()).st_size
            stream.seek(max(0, size - TAIL_BYTES))
            tail = stream.read()
    except FileNotFoundError:
        return None
    steps = []
    for line in tail.split(b"\n")[:-1]:
        with suppress(ValueError, TypeError):  # the end of a line whose beginning was not read
            steps.append(Step(**reading.parse_json(line.decode())))
    if not steps:
        return None
    last = steps[-LOG_EVERY:]
    seconds = sum(step.seconds for step in last) / len(last)
    return Latest(**vars(_mean(last)), steps=steps[-1].of, seconds=seconds, written=written)


def write_whole(file: Path, text: str) -> None:
    """Write `file` atomically: a kill leaves the old text or the new one."""
    part = file.with_name(file.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(file)


def validation_text(losses: Mapping[int, float]) -> str:
    """What `validation.json` holds: losses (nats per answer token) by step."""
    return json.dumps(losses, indent=1) + "\n"


def write_validation(directory: Path, losses: Mapping[int, float]) -> Path:
    """Write `losses` (nats per answer token) by step, atomically, and name the file."""
    write_whole(directory / VALIDATION, validation_text(losses))
    return directory / VALIDATION


def read_validation(directory: Path) -> dict[int, float]:
    """Validation loss (nats per answer token) by step."""
    return {int(k): v for k, v in reading.read_json(directory / VALIDATION).items()}


def write_problems(directory: Path, problems: Iterable[AnyProblem]) -> None:
    """Keep the distinct training problems, so that overlap can be checked against the artifact.

    A row is operation and operands, or of one's own problems prompt, answer and class.
    """
    distinct: set[tuple[str, int | str, int | str]] = {
        (p.symbols, p.answer, p.operation)
        if isinstance(p, OwnProblem)
        else (p.operation.value, p.a, p.b)
        for p in problems
    }
    text = "".join(json.dumps(row) + "\n" for row in sorted(distinct))
    (directory / PROBLEMS).write_text(text, encoding="utf-8")


def read_problems(directory: Path) -> tuple[AnyProblem, ...]:
    """The distinct problems an artifact was trained on."""
    rows = map(reading.parse_json, reading.read_text(directory / PROBLEMS).splitlines())
    return tuple(
        Problem(a=a, operation=Operation(name), b=b)
        if isinstance(a, int)
        else OwnProblem(symbols=name, answer=a, operation=b)
        for name, a, b in rows
    )
