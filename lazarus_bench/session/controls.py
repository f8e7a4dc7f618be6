"""Controls that claims share: what must hold, or must be known, before a number means anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lazarus_bench.judge import Control
from lazarus_bench.tasks.arithmetic import Problem

if TYPE_CHECKING:
    from lazarus_bench.session.run import Run
    from lazarus_bench.session.samples import Asked


def _correct(run: Run, problems: Sequence[Problem]) -> Any:
    """Which of the prompts in symbols a run answers rightly."""
    return run.answers(problems).correct


def overlap(asked: Asked) -> Control:
    """No evaluation pair occurs in what any of the runs was trained on.

    Implied by evidence from samples, which know whom they `asked` about what.
    """
    own = any(isinstance(key, str) for key in asked.problems)
    return Control(
        name=f"{'prompts' if own else 'operand pairs'} shared by training and evaluation",
        value=float(len(asked.shared)),
        expectation="0",
        passed=not asked.shared,
    )


def room_to_gain(
    runs: Sequence[Run],
    problems: Sequence[Problem],
    by: float,
    read: Callable[[Run, Sequence[Problem]], Any] = _correct,
) -> Control:
    """No base is so accurate, by what `read` says of its prompts, that a gain could not show."""
    best = max(float(read(run, problems).mean()) for run in runs)
    return Control(
        name="accuracy of the most accurate base",
        value=best,
        expectation=f"at most {1 - by:g}, so that a gain of {by:g} can show",
        passed=best <= 1 - by,
    )


def room_to_lose(runs: Sequence[Run], problems: Sequence[Problem], by: float) -> Control:
    """No base is so inaccurate that a loss of `by` could not show."""
    worst = min(float(run.answers(problems).correct.mean()) for run in runs)
    return Control(
        name="accuracy of the least accurate base",
        value=worst,
        expectation=f"at least {by:g}, so that a loss of {by:g} can show",
        passed=worst >= by,
    )
