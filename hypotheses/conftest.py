"""Fixtures of the study's claims."""

import pytest

from lazarus_bench.tasks.arithmetic import Problem, sample_prompts


@pytest.fixture
def writeup_prompts() -> tuple[Problem, ...]:
    """The eight prompts whose lens writeup C prints, in its order."""
    return sample_prompts()
