"""Controls that claims share: what must hold, or must be known, before a number means anything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lazarus_bench.judge import Control
from lazarus_bench.tasks.arithmetic import Operation, Problem
from lazarus_bench.trials.runs import Run


def overlap(runs: Sequence[Run], problems: Sequence[Problem]) -> Control:
    """No evaluation pair occurs in what any of the runs was trained on."""
    asked = {problem.key for problem in problems}
    shared = {problem.key for run in runs for problem in run.trained_on} & asked
    return Control(
        name="operand pairs shared by training and evaluation",
        value=float(len(shared)),
        expectation="0",
        passed=not shared,
    )


def room_to_move(runs: Sequence[Run], problems: Sequence[Problem]) -> Control:
    """Every base answers each operation right on at least 5% and at most 95% of the prompts.

    Otherwise a gain or a loss of accuracy could not show.
    """
    worst = max(
        (abs(rate - 0.5) for run in runs for rate in accuracy_by_operation(run, problems)),
    )
    return Control(
        name="largest distance of a base's accuracy from 0.5, over operations",
        value=worst,
        expectation="at most 0.45, so that gains and losses both show",
        passed=worst <= 0.45,
    )


def accuracy_by_operation(run: Run, problems: Sequence[Problem]) -> list[float]:
    """Exact-match accuracy on each operation that occurs, in `Operation`'s order."""
    correct = run.answers(problems).correct
    kinds = np.array([problem.operation.value for problem in problems])
    return [float(correct[kinds == op.value].mean()) for op in Operation if op.value in kinds]
