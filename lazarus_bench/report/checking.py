"""Whether what was read from a file has the types that its fields are annotated with."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


def check(value: object, kind: Any, where: str) -> None:
    """Make sure that `value`, which stands at `where`, is a `kind` all the way down.

    Raises:
        TypeError: it is not; the message names the first place that is wrong.
    """
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and isinstance(value, kind):
        for name, own in _fields(type(value)).items():
            check(getattr(value, name), own, f"{where}.{name}")
    elif get_origin(kind) is tuple and isinstance(value, tuple):
        _check_items(value, get_args(kind), where)
    elif get_origin(kind) in (Union, UnionType):
        _check_any(value, get_args(kind), where)
    elif not _is(value, kind):
        raise TypeError(f"{where} is {value!r:.40}")


@cache
def _fields(kind: type[Any]) -> Mapping[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _check_items(value: tuple[object, ...], kinds: tuple[Any, ...], where: str) -> None:
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise TypeError(f"{where} has {len(value)} values, not {len(kinds)}")
    for at, (item, kind) in enumerate(zip(value, kinds, strict=True)):
        check(item, kind, f"{where}[{at}]")


def _check_any(value: object, kinds: tuple[Any, ...], where: str) -> None:
    if value is None and NoneType in kinds:
        return
    rest = [kind for kind in kinds if kind is not NoneType]
    if len(rest) == 1:
        check(value, rest[0], where)
    elif not any(_is(value, kind) for kind in rest):
        raise TypeError(f"{where} is {value!r:.40}")


def _is(value: object, kind: Any) -> bool:
    """Whether `value` is a `kind` that has no fields of its own."""
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if kind in (float, int):
        return isinstance(value, (int, kind)) and not isinstance(value, bool)
    if get_origin(kind) is Mapping:
        keys, values = get_args(kind)
        return isinstance(value, Mapping) and all(
            _is(name, keys) and _is(held, values) for name, held in value.items()
        )
    return isinstance(value, kind) if isinstance(kind, type) else False
