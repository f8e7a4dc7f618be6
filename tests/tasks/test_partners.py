"""Partners: another prompt of the same operation, or of another."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazarus_bench.errors import UserError
from lazarus_bench.tasks.arithmetic import Operation, Problem, held_out
from lazarus_bench.tasks.partners import partners


@settings(max_examples=20)
@given(seed=st.integers(0, 50), same=st.booleans())
def test_every_partner_is_another_problem_of_the_kind_asked_for(seed, same):
    problems = held_out(24, seed)
    found = partners(problems, same_operation=same)
    for problem, partner in zip(problems, found, strict=True):
        assert partner in problems
        assert partner.key != problem.key
        assert (partner.operation is problem.operation) is same


def test_a_problem_without_a_partner_is_named():
    alone = Problem(a=7, operation=Operation.MULTIPLY, b=8)
    turned = Problem(a=8, operation=Operation.MULTIPLY, b=7)
    with pytest.raises(UserError, match=r"7 \* 8 = has no partner of the same operation: give"):
        partners([alone, turned], same_operation=True)
    with pytest.raises(UserError, match="no partner of another operation: give more prompts"):
        partners([alone, turned], same_operation=False)
