"""What a training leaves beside its weights: metrics a step and the problems it saw."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from lazarus_bench.tasks.arithmetic import Operation, Problem
from lazarus_bench.training.loop import Report, StepMetrics

METRICS = "metrics.jsonl"
PROBLEMS = "problems.jsonl"


def metrics_log(directory: Path) -> Report:
    """A `Report` that appends one JSON line a record to `metrics.jsonl`."""
    file = directory / METRICS
    file.write_text("", encoding="utf-8")

    def report(metrics: StepMetrics) -> None:
        with file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(metrics)) + "\n")

    return report


def read_metrics(directory: Path) -> tuple[StepMetrics, ...]:
    """The records of a finished training, first to last."""
    lines = (directory / METRICS).read_text(encoding="utf-8").splitlines()
    return tuple(StepMetrics(**json.loads(line)) for line in lines)


def write_problems(directory: Path, problems: Iterable[Problem]) -> None:
    """Keep the distinct training problems, so that overlap can be checked against the artifact."""
    distinct = sorted({(p.operation.value, p.a, p.b) for p in problems})
    text = "".join(json.dumps(row) + "\n" for row in distinct)
    (directory / PROBLEMS).write_text(text, encoding="utf-8")


def read_problems(directory: Path) -> tuple[Problem, ...]:
    """The distinct problems an artifact was trained on."""
    rows = map(json.loads, (directory / PROBLEMS).read_text(encoding="utf-8").splitlines())
    return tuple(Problem(a=a, operation=Operation(name), b=b) for name, a, b in rows)
