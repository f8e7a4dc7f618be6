"""The split by operand pair cannot leak, and the problems say what they should."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazarus_bench.errors import UserError
from lazarus_bench.tasks.arithmetic import (
    Operation,
    Problem,
    all_problems,
    check_disjoint,
    held_out,
    is_held_out,
    partners,
    sample_prompts,
    training_problems,
)

SEEDS = st.integers(min_value=0, max_value=2**31)


def test_the_eight_sample_prompts():
    asked = "7 * 8 = |12 * 5 = |23 + 45 = |17 + 38 = |50 - 23 = |89 - 34 = |48 / 6 = |81 / 9 = "
    assert "|".join(p.symbols for p in sample_prompts()) == asked
    assert [p.answer for p in sample_prompts()] == [56, 60, 68, 55, 27, 55, 8, 9]
    assert all(is_held_out(p) for p in sample_prompts())
    assert all(p in all_problems(p.operation) for p in sample_prompts())


@given(seed=SEEDS, n=st.integers(min_value=0, max_value=300))
def test_training_never_draws_a_held_out_pair(seed, n):
    drawn = training_problems(np.random.default_rng(seed), n)
    assert len(drawn) == n
    assert not any(is_held_out(p) for p in drawn)
    check_disjoint(drawn, held_out(100, seed))


@given(seed=SEEDS)
def test_held_out_is_balanced_distinct_and_repeatable(seed):
    drawn = held_out(200, seed)
    assert all(is_held_out(p) for p in drawn)
    assert len(set(drawn)) == 200
    assert {o: sum(p.operation is o for p in drawn) for o in Operation} == dict.fromkeys(
        Operation, 50
    )
    assert drawn == held_out(200, seed) != held_out(200, seed + 1)


@pytest.mark.parametrize("operation", list(Operation))
def test_commuted_partners_are_on_one_side(operation):
    sides: dict[tuple[Operation, int, int], bool] = {}
    for problem in all_problems(operation):
        assert sides.setdefault(problem.key, is_held_out(problem)) is is_held_out(problem)
    share = np.mean(list(sides.values()))
    assert 0.1 < share < 0.3


def test_key_ignores_order_only_where_the_answer_does():
    def key(a: int, operation: Operation, b: int) -> object:
        return Problem(a=a, operation=operation, b=b).key

    assert key(7, Operation.MULTIPLY, 8) == key(8, Operation.MULTIPLY, 7)
    assert key(7, Operation.SUBTRACT, 3) != key(3, Operation.SUBTRACT, 7)
    assert key(7, Operation.MULTIPLY, 8) != key(7, Operation.ADD, 8)


SEVEN_EIGHT = Problem(a=7, operation=Operation.MULTIPLY, b=8)
EIGHT_SEVEN = Problem(a=8, operation=Operation.MULTIPLY, b=7)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: held_out(100_000, 0), "ask for at most"),
        (lambda: check_disjoint([SEVEN_EIGHT], [EIGHT_SEVEN]), r"7 \* 8"),
        (lambda: Problem(a=7, operation=Operation.DIVIDE, b=2), "not a whole number"),
        (
            lambda: partners([SEVEN_EIGHT, EIGHT_SEVEN], same_operation=True),
            r"7 \* 8 = has no partner of the same operation: give",
        ),
        (
            lambda: partners([SEVEN_EIGHT, EIGHT_SEVEN], same_operation=False),
            "no partner of another operation: give more prompts",
        ),
    ],
)
def test_what_there_is_not_is_refused_in_one_sentence(make, reason):
    with pytest.raises((UserError, ValueError), match=reason):
        make()


def test_a_held_out_product_is_an_answer_in_training_too():
    table = all_problems(Operation.MULTIPLY)
    trained = {p.answer for p in table if not is_held_out(p)}
    prompts = {p.answer for p in table if p in sample_prompts() or (p.a, p.b) == (9, 9)}
    assert {p.answer for p in table if is_held_out(p)} - prompts <= trained


@settings(max_examples=20)
@given(seed=st.integers(0, 50), same=st.booleans())
def test_every_partner_is_another_problem_of_the_kind_asked_for(seed, same):
    problems = held_out(24, seed)
    found = partners(problems, same_operation=same)
    for problem, partner in zip(problems, found, strict=True):
        assert partner in problems
        assert partner.key != problem.key
        assert (partner.operation is problem.operation) is same
