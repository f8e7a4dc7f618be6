"""Rewards: the right integer, the user's own, and a clear refusal of what is no number."""

import math

import numpy as np
import pytest

from lazarus_bench.errors import UserError
from lazarus_bench.tasks.arithmetic import held_out
from lazarus_bench.training.rewards import reward_named, rewarded, right_integer, try_out

PROBLEMS = held_out(4, 0)


@pytest.mark.parametrize(
    ("answer", "reward"),
    [("56", 1.0), (" 56.", 1.0), ("56 or 57", 1.0), ("57 56", 0.0), ("-56", 0.0), ("", 0.0)],
)
def test_the_first_integer_decides(answer, reward):
    assert right_integer("7 * 8 = ", answer, 56) == reward


def short(prompt: str, answer: str, truth: int) -> float:
    return -float(len(answer))


def test_a_users_reward_is_found_by_its_module():
    found = reward_named(f"{__name__}:short")
    assert rewarded(found, "7 * 8 = ", "five", 56) == -4.0
    try_out(found, PROBLEMS)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("length", "choose right-integer, or give module:function"),
        ("no.such.module:reward", "cannot be imported"),
        (f"{__name__}:missing", "cannot be imported"),
        (f"{__name__}:PROBLEMS", "is no function"),
    ],
)
def test_an_unknown_reward_is_refused(name, told):
    with pytest.raises(UserError, match=f"reward .*{told}"):
        reward_named(name)


@pytest.mark.parametrize("value", [math.nan, math.inf, None, "1", 1j, np.array([1.0])])
def test_what_is_no_finite_number_is_refused_with_the_answer_that_got_it(value):
    with pytest.raises(UserError, match=r"reward '<lambda>' on prompt .* must return a finite"):
        try_out(lambda prompt, answer, truth: value if answer == "" else 1.0, PROBLEMS)


def test_a_reward_that_raises_is_refused_with_the_answer_it_fell_over():
    def fragile(prompt: str, answer: str, truth: int) -> float:
        return float(int(answer.strip(" .")) == truth)

    with pytest.raises(UserError, match=r"'fragile' .*answer 'no idea' raised ValueError"):
        try_out(fragile, PROBLEMS)


@pytest.mark.parametrize("value", [True, 1, np.float32(0.5), np.int64(2)])
def test_numbers_of_any_kind_are_taken(value):
    assert rewarded(lambda *_: value, "p", "a", 1) == float(value)
