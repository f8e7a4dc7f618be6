"""What a spec's fields may hold, read from their annotations and checked where a spec is made.

A number of numpy's becomes Python's, and an integer in a float field a float, so that equal specs
share a digest. Refused are bools for numbers, floats for integers, and floats of fewer than 64
bits, which are other numbers than they print as.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from functools import cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin
from typing import get_type_hints as hints_of

import numpy as np

from lazarus_bench.errors import UserError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True, kw_only=True)
class Bound:
    """Where a number has to lie, and `because` of what where that is not plain."""

    least: float = -math.inf
    above: float = -math.inf
    most: float = math.inf
    because: str = ""

    def holds(self, value: float) -> bool:
        """Whether `value` lies there."""
        return self.least <= value <= self.most and value > self.above

    def __str__(self) -> str:
        """In words, after "a number"."""
        limits = {"of at least": self.least, "above": self.above, "of at most": self.most}
        told = " and ".join(f"{how} {at:g}" for how, at in limits.items() if math.isfinite(at))
        return told + (f", as {self.because}" if self.because else "")


Count = Annotated[int, Bound(least=1)]
Index = Annotated[int, Bound(least=0)]
Positive = Annotated[float, Bound(above=0)]
NonNegative = Annotated[float, Bound(least=0)]
Share = Annotated[float, Bound(least=0, most=1)]


class _UnfitError(Exception):
    """A value does not fit its annotation; at most a few words on why, after those of the hint."""


def check_fields(spec: DataclassInstance) -> None:
    """Make sure that every field of the frozen `spec` fits its annotation; make numbers Python's.

    Raises:
        UserError: one does not, named with its value and what to give.
    """
    hints = _hints(type(spec))
    for field in fields(spec):
        given, hint = getattr(spec, field.name), hints[field.name]
        try:
            value = _fitting(given, hint)
        except _UnfitError as error:
            usual = None if field.default is MISSING else field.default
            such = "" if usual is None else f": give one such as {usual!r}"
            raise UserError(
                f"{type(spec).__name__}.{field.name} = {given!r} must be {_words(hint)}"
                f"{error}{such}"
            ) from None
        object.__setattr__(spec, field.name, value)


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return hints_of(kind, include_extras=True)


def _fitting(value: object, hint: Any) -> Any:
    """`value` as Python's own; an _UnfitError if it does not fit."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _bounded(_fitting(value, arguments[0]), arguments[1])
    if origin is Literal:
        return _chosen(value, arguments)
    if origin is tuple:
        return _each(value, arguments[0])
    if origin in (Union, UnionType):
        empty = value is None and NoneType in arguments
        return None if empty else _fitting(value, arguments[0])
    return _nested(value, hint) if is_dataclass(hint) else PLAIN[hint][1](value)


def _nested(value: Any, kind: Any) -> Any:
    """A record of its own in a field: a copy of it whose fields are checked as the spec's are."""
    if not isinstance(value, kind):
        raise _UnfitError
    copy = replace(value)
    check_fields(copy)
    return copy


def _bounded(number: float, bound: Bound) -> float:
    if not bound.holds(number):
        raise _UnfitError
    return number


def _chosen(value: object, choices: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise _UnfitError
    return str(value)


def _each(value: object, hint: Any) -> tuple[Any, ...]:
    if not isinstance(value, tuple | list):
        raise _UnfitError
    return tuple(_fitting(item, hint) for item in value)


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise _UnfitError
    return int(value)


def _number(value: object) -> float:
    if isinstance(value, np.floating) and value.dtype != np.float64:
        raise _UnfitError(f", of Python's or of 64 bits (this {value.dtype} is {float(value)})")
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer):
        raise _UnfitError
    try:
        number = float(value)
    except OverflowError:
        raise _UnfitError from None
    if not math.isfinite(number):
        raise _UnfitError
    return number


def _boolean(value: object) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise _UnfitError
    return bool(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _UnfitError
    return str(value)


PLAIN: Mapping[Any, tuple[str, Callable[[object], object]]] = {
    int: ("an integer", _integer),
    float: ("a finite number", _number),
    bool: ("True or False", _boolean),
    str: ("text", _text),
}


def _words(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return f"{_words(arguments[0])} {arguments[1]}"
    if origin is Literal:
        return "one of " + ", ".join(arguments)
    if origin is tuple:
        return f"a tuple, each item {_words(arguments[0])}"
    if origin in (Union, UnionType):
        return _words(arguments[0]) + (" or None" if NoneType in arguments else "")
    if isinstance(hint, type) and is_dataclass(hint):
        return f"a {hint.__name__}"
    return PLAIN[hint][0]
