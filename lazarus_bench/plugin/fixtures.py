"""The fixtures of a session; all begin with lb_, so that no other project's are in their way."""

from __future__ import annotations

import pytest

from lazarus_bench.plugin.hooks import SESSION


@pytest.fixture
def lb_subject(request: pytest.FixtureRequest) -> str:
    """What the claim is judged on: "published", a lab model, a directory or a hub id."""
    return str(request.param)


@pytest.fixture
def lb_prompts(request: pytest.FixtureRequest) -> int:
    """Number of held-out prompts that the session's profile reads."""
    return int(request.config.stash[SESSION].profile.prompts)
