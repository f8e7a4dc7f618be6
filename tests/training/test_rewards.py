"""Rewards: the right integer, the user's own, and a clear refusal of what is no number."""

import math
from functools import partial

import numpy as np
import pytest

from lazarus_bench.errors import UserError
from lazarus_bench.jobs.spec import Job
from lazarus_bench.tasks.arithmetic import held_out
from lazarus_bench.training import Grpo
from lazarus_bench.training.rewards import (
    LARGEST,
    reward_name,
    reward_named,
    rewarded,
    right_integer,
    try_out,
)

PROBLEMS = held_out(4, 0)


@pytest.mark.parametrize(
    ("answer", "reward"),
    [("56", 1.0), (" 56.", 1.0), ("56 or 57", 1.0), ("57 56", 0.0), ("-56", 0.0), ("", 0.0)],
)
def test_the_first_integer_decides(answer, reward):
    assert right_integer("7 * 8 = ", answer, 56) == reward


def short(prompt: str, answer: str, truth: int) -> float:
    return -float(len(answer))


class Rewards:
    """Functions kept in a class."""

    @staticmethod
    def long(prompt: str, answer: str, truth: int) -> float:
        return float(len(answer))

    def __call__(self, prompt: str, answer: str, truth: int) -> float:
        return 0.0


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (short, f"{__name__}:short"),
        (Rewards.long, f"{__name__}:Rewards.long"),
        (right_integer, "right-integer"),
    ],
)
def test_a_function_becomes_the_name_it_is_found_by(function, name):
    assert reward_named(reward_name(function)) is function
    given, named = Grpo(reward=function), Grpo(reward=name)
    assert given == named
    assert given.reward == name
    assert digest_of(given) == digest_of(named)
    assert (digest_of(given) == digest_of(Grpo())) == (function is right_integer)


def digest_of(spec: Grpo) -> str:
    return Job(recipe=spec, base=None, seed=0).digest


def nested():
    def inner(prompt: str, answer: str, truth: int) -> float:
        return 0.0

    return inner


def of_the_script(prompt: str, answer: str, truth: int) -> float:
    return 0.0


of_the_script.__module__ = "__main__"


@pytest.mark.parametrize(
    "reward",
    [lambda *_: 0.0, nested(), partial(short, "p"), Rewards(), Rewards().__call__, of_the_script],
    ids=["lambda", "nested", "partial", "object", "method", "script"],
)
def test_what_no_other_process_could_import_is_refused_where_it_is_given(reward):
    with pytest.raises(UserError, match=r"^reward = .* cannot be imported .*: define it with def"):
        Grpo(reward=reward)


@pytest.mark.parametrize("reward", [None, 3, 0.5])
def test_what_is_no_function_is_refused_where_it_is_given(reward):
    with pytest.raises(UserError, match=rf"^reward = {reward} is not a function: give one, or its"):
        Grpo(reward=reward)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("length", "choose none, right-integer, same-text, or give module:function"),
        ("no.such.module:reward", "cannot be imported"),
        (f"{__name__}:missing", "cannot be imported"),
        (f"{__name__}:PROBLEMS", "is not a function"),
        ("leaving_rewards:reward", r"cannot be imported \(SystemExit: 3\): check"),
    ],
)
def test_an_unknown_reward_is_refused(name, reason, tmp_path, monkeypatch):
    (tmp_path / "leaving_rewards.py").write_text("import sys\nsys.exit(3)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=f"reward .*{reason}"):
        reward_named(name)


NOT_FINITE = "must return a finite number"
TOO_LARGE = r"too large for float32: .* within ±1e\+30"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        *((value, NOT_FINITE) for value in (math.nan, math.inf, None, "1", 1j, np.array([1.0]))),
        *((by, TOO_LARGE) for by in (1e39, -1e308, 10**400, -(10**400), np.float64(2 * LARGEST))),
        (SystemExit(1), r"raised SystemExit \(1\): fix it"),
        (KeyError("a"), "raised KeyError"),
    ],
)
def test_what_is_no_number_or_too_large_is_refused_with_the_answer_that_got_it(value, reason):
    def odd(prompt: str, answer: str, truth: int) -> float:
        if isinstance(value, BaseException) and answer == "no idea":
            raise value
        return value if answer == "no idea" else 1.0

    with pytest.raises(UserError, match=rf"reward 'odd' .*answer 'no idea' .*{reason}"):
        try_out(odd, PROBLEMS)


@pytest.mark.parametrize(
    "value", [True, 1, np.float32(0.5), np.int64(2), LARGEST, -LARGEST, np.float16(6e4)]
)
def test_numbers_of_any_kind_are_taken(value):
    assert rewarded(lambda *_: value, "p", "a", 1) == float(value)
