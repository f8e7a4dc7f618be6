"""Rewards: plain functions of a prompt, an answer and the truth, tried out before any training.

Source: methods, *GRPO*: reward 1 for the right integer, else 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from numbers import Real

from lazarus_bench.errors import UserError
from lazarus_bench.tasks.arithmetic import Problem
from lazarus_bench.tasks.integers import first_integer

Reward = Callable[[str, str, int], float]
"""`reward(prompt, answer, truth)` → a finite number; more is better."""

RIGHT_INTEGER = "right-integer"


def right_integer(prompt: str, answer: str, truth: int) -> float:
    """1 when the first integer of `answer` is `truth`, else 0."""
    del prompt
    return float(first_integer(answer) == truth)


REWARDS: Mapping[str, Reward] = {RIGHT_INTEGER: right_integer}


def reward_named(name: str) -> Reward:
    """The reward of that name here, or a function of the user's own as ``package.module:name``.

    Raises:
        UserError: there is none.
    """
    if name in REWARDS:
        return REWARDS[name]
    module, colon, function = name.partition(":")
    if not colon:
        known = ", ".join(sorted(REWARDS))
        raise UserError(f"reward {name!r} is unknown: choose {known}, or give module:function")
    try:
        found = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(
            f"reward {name!r} cannot be imported ({error}): check the module and the function"
        ) from error
    if not callable(found):
        raise UserError(f"reward {name!r} is no function: name one that can be called")
    reward: Reward = found
    return reward


def rewarded(reward: Reward, prompt: str, answer: str, truth: int) -> float:
    """The reward as a finite float.

    Raises:
        UserError: it raised, or returned anything but a finite number.
    """
    name = getattr(reward, "__name__", type(reward).__name__)
    asked = f"reward {name!r} on prompt {prompt!r} and answer {answer!r}"
    try:
        value: object = reward(prompt, answer, truth)
    except Exception as error:
        raise UserError(
            f"{asked} raised {type(error).__name__} ({error}): mend it so that any text gets a "
            f"number"
        ) from error
    if not isinstance(value, Real) or not math.isfinite(value):
        raise UserError(f"{asked} returned {value!r}: it must return a finite number")
    return float(value)


def try_out(reward: Reward, problems: Iterable[Problem]) -> None:
    """Ask for the reward of right, wrong, wordy and empty answers.

    Raises:
        UserError: one of them got no finite number.
    """
    for problem in problems:
        truth = problem.answer
        for answer in (str(truth), str(truth + 1), f" {truth}.", "no idea", ""):
            rewarded(reward, problem.symbols, answer, truth)
