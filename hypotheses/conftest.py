"""Fixtures of the study's claims."""

import pytest

from lazarus_bench.tasks.arithmetic import Problem, sample_prompts
from lazarus_bench.tasks.arithmetic import held_out as draw


@pytest.fixture
def held_out(lb_prompts: int) -> tuple[Problem, ...]:
    """The evaluation problems: operand pairs that no training here ever sees."""
    return tuple(draw(lb_prompts, 0))


@pytest.fixture
def writeup_prompts() -> tuple[Problem, ...]:
    """The eight prompts whose lens writeup C prints, in its order."""
    return sample_prompts()
