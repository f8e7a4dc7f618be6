"""The fixtures a claim's test may ask for; they import mlx only when a test uses a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from lazarus_bench.plugin.hooks import SESSION, TRIAL

if TYPE_CHECKING:
    from lazarus_bench.jobs.subjects import Need
    from lazarus_bench.session.judging import Trial
    from lazarus_bench.session.runs import Run
    from lazarus_bench.tasks.arithmetic import Problem


@pytest.fixture
def subject(request: pytest.FixtureRequest) -> str:
    """What the claim is judged on: "published", a lab model, a directory or a hub id."""
    return str(request.param)


@pytest.fixture
def judge(request: pytest.FixtureRequest, subject: str) -> Trial:  # noqa: ARG001 - its parameter
    """Call it once with the evidence; it decides by the claim's region."""
    trial: Trial = request.node.stash[TRIAL]
    return trial


@pytest.fixture
def runs(request: pytest.FixtureRequest, subject: str) -> Callable[..., list[Run]]:
    """`runs()`: the bases, `runs(recipe)`: the trained models of this subject, one a seed."""
    bench = request.config.stash[SESSION]

    def of(need: Need = None) -> list[Run]:
        return bench.runs(subject, need)

    return of


@pytest.fixture
def held_out(request: pytest.FixtureRequest) -> tuple[Problem, ...]:
    """The evaluation problems: operand pairs that no training here ever sees."""
    from lazarus_bench.tasks.arithmetic import held_out as draw

    return tuple(draw(request.config.stash[SESSION].profile.prompts, 0))
