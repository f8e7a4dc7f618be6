"""The fixtures a claim's test may ask for; they import mlx only when a test uses a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from lazarus_bench.plugin.hooks import SESSION, TRIAL

if TYPE_CHECKING:
    from lazarus_bench.jobs.needs import Need
    from lazarus_bench.session.judging import Trial
    from lazarus_bench.session.runs import Runs


@pytest.fixture
def lb_subject(request: pytest.FixtureRequest) -> str:
    """What the claim is judged on: "published", a lab model, a directory or a hub id."""
    return str(request.param)


@pytest.fixture
def judge(request: pytest.FixtureRequest, lb_subject: str) -> Trial:  # noqa: ARG001 - its parameter
    """Call it once with the evidence; it decides by the claim's region."""
    trial: Trial = request.node.stash[TRIAL]
    return trial


@pytest.fixture
def runs(request: pytest.FixtureRequest, lb_subject: str) -> Callable[..., Runs]:
    """`runs()`: the bases, `runs(recipe)`: the trained models of this subject, one a seed."""
    bench = request.config.stash[SESSION]

    def of(need: Need = None) -> Runs:
        return bench.runs(lb_subject, need)

    return of


@pytest.fixture
def lb_prompts(request: pytest.FixtureRequest) -> int:
    """Number of held-out prompts that the session's profile reads."""
    return int(request.config.stash[SESSION].profile.prompts)
