"""The runs that a claim's functions ask for by naming a parameter.

`Trained` holds recipes and no results; the session turns it into runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Trained:
    """Runs of `recipes` in order, the first on the subject or, `on_instruct`, on its sibling.

    Without recipes it is the subject itself. Made by `lazarus_bench.trained`, which checks that
    each recipe can start from what the one before it leaves.
    """

    recipes: tuple[Any, ...] = ()
    on_instruct: bool = False


SEEDS = "seeds"
"""The parameter by which a test that asks no model gets the session's seeds, a tuple of numbers."""

Asked = Trained | Mapping[str, Trained]
"""The value of one parameter: the runs of one training, or of several by name."""

BUILT_IN: Mapping[str, Trained] = {"base": Trained(), "instruct": Trained(on_instruct=True)}
"""Parameters that need no definition: the subject as it is, and its instruct sibling."""


def parameters(function: Callable[..., object]) -> tuple[str, ...]:
    """Names of all parameters of a plain function, whatever signature it shows to pytest."""
    code: CodeType = inspect.unwrap(function).__code__
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def asked_by(function: Callable[..., object]) -> dict[str, Asked]:
    """The parameters of `function` that its module defines by `trained`, or as a dictionary of it.

    Every other parameter is a pytest fixture.
    """
    known = {**BUILT_IN, **inspect.unwrap(function).__globals__}
    return {name: known[name] for name in parameters(function) if _is_asked(known.get(name))}


def needs_of(asked: Mapping[str, Asked]) -> tuple[Trained, ...]:
    """The trainings among the parameters, each once; every claim has the bases anyway."""
    single = (
        need
        for value in asked.values()
        for need in ((value,) if isinstance(value, Trained) else value.values())
    )
    return tuple(dict.fromkeys(need for need in single if need != Trained()))


def _is_asked(value: object) -> bool:
    if isinstance(value, Mapping):
        return bool(value) and all(isinstance(each, Trained) for each in value.values())
    return isinstance(value, Trained)
