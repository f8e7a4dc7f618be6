"""Rewards: plain functions of a prompt, an answer and the truth, tried out before any training.

Source: methods, *GRPO*: reward 1 for the right integer, else 0. The truth is an integer, or the
text of a completion where the problems are a user's own.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from numbers import Real
from operator import attrgetter
from typing import Any

from lazarus_bench.errors import UserError
from lazarus_bench.tasks.arithmetic import first_integer
from lazarus_bench.tasks.text_rows import AnyProblem

Reward = Callable[[str, str, Any], float]
"""`reward(prompt, answer, truth)` → a finite number; more is better."""

RIGHT_INTEGER = "right-integer"
SAME_TEXT = "same-text"

NO_REWARD = "none"
"""No answer earns anything, which leaves only the penalty of GRPO."""

LARGEST = 1e30
"""Bound on a reward's size, so that sums over an iteration stay finite in float32."""


def right_integer(prompt: str, answer: str, truth: int | str) -> float:
    """1 when the first integer of `answer` is `truth`, or the first one in it, else 0."""
    del prompt
    return float(first_integer(answer) == first_integer(str(truth)))


def same_text(prompt: str, answer: str, truth: int | str) -> float:
    """1 when `answer` is `truth`, but for blanks around it, else 0."""
    del prompt
    return float(answer.strip() == str(truth).strip())


def no_reward(prompt: str, answer: str, truth: int | str) -> float:
    """0 whatever the answer."""
    del prompt, answer, truth
    return 0.0


REWARDS: Mapping[str, Reward] = {
    RIGHT_INTEGER: right_integer,
    SAME_TEXT: same_text,
    NO_REWARD: no_reward,
}


def reward_name(reward: object) -> str:
    """The name by which `reward` can be imported: itself if text, else ``package.module:name``.

    Raises:
        UserError: it is not a function, or another process could not import it by name.
    """
    if isinstance(reward, str):
        return reward
    if not callable(reward):
        raise UserError(
            f"reward = {reward!r} is not a function: give one, or its name as module:function"
        )
    known = next((name for name, own in REWARDS.items() if own is reward), None)
    if known:
        return known
    module = getattr(reward, "__module__", None)
    name = getattr(reward, "__qualname__", None)
    try:
        found = attrgetter(str(name))(sys.modules[str(module)])
    except (KeyError, AttributeError):
        found = None
    if module == "__main__" or found != reward:
        raise UserError(
            f"reward = {reward!r} cannot be imported by name, which other processes and the digest "
            f"need: define it with def at the top of a module that is not the script itself"
        )
    return f"{module}:{name}"


def reward_named(name: str) -> Reward:
    """The reward of that name, or a user's function as ``package.module:name``.

    Raises:
        UserError: there is no such function.
    """
    if name in REWARDS:
        return REWARDS[name]
    module, colon, function = name.partition(":")
    if not colon:
        known = ", ".join(sorted(REWARDS))
        raise UserError(f"reward {name!r} is unknown: choose {known}, or give module:function")
    try:
        found = attrgetter(function)(import_module(module))
    except (Exception, SystemExit) as error:
        raise UserError(
            f"reward {name!r} cannot be imported ({type(error).__name__}: {error}): check the "
            f"module and the function"
        ) from error
    if not callable(found):
        raise UserError(f"reward {name!r} is not a function: name one that can be called")
    reward: Reward = found
    return reward


def rewarded(reward: Reward, prompt: str, answer: str, truth: int | str) -> float:
    """The reward as a finite float.

    Raises:
        UserError: it raised, would exit, or did not return a number within ±`LARGEST`.
    """
    name = getattr(reward, "__name__", type(reward).__name__)
    asked = f"reward {name!r} on prompt {prompt!r} and answer {answer!r}"
    try:
        value: object = reward(prompt, answer, truth)
    except (Exception, SystemExit) as error:
        raise UserError(
            f"{asked} raised {type(error).__name__} ({error}): fix it so that it returns a "
            f"number for any text"
        ) from error
    try:
        number = float(value) if isinstance(value, Real) else math.nan
    except OverflowError:  # an integer beyond all floats
        number = sys.float_info.max
    if not math.isfinite(number):
        raise UserError(f"{asked} returned {value!r}: it must return a finite number")
    if abs(number) > LARGEST:
        raise UserError(
            f"{asked} returned {number:g}, too large for float32: it must return a number within "
            f"±{LARGEST:g}"
        )
    return number


def try_out(reward: Reward, problems: Iterable[AnyProblem]) -> None:
    """Reward right, wrong, wordy and empty answers, as a check.

    Raises:
        UserError: an answer got no finite number, or has no integer to compare with.
    """
    for problem in problems:
        truth = problem.answer
        if reward is right_integer and first_integer(str(truth)) is None:
            raise UserError(
                f"the reward {RIGHT_INTEGER} compares integers, and the completion {truth!r} of "
                f"{problem.symbols!r} has none: give --reward {SAME_TEXT}, or one of your own"
            )
        wrong = truth + 1 if isinstance(truth, int) else f"not {truth}"
        for answer in (str(truth), str(wrong), f" {truth}.", "no idea", ""):
            rewarded(reward, problem.symbols, answer, truth)
