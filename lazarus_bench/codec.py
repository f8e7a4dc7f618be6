"""Frozen dataclasses to plain JSON values and back, by their field types.

JSON has no NaN and no infinity, so these are written as the strings "nan", "inf" and "-inf" (which
a field for text or numbers reads as text). A class registered by `tagged` stores its name under
"type", so a field annotated with an abstract class is read back as the original class; names are
looked up only among registered classes. A field with `metadata=OMITTED` is written only if it
differs from its default.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from enum import Enum, StrEnum
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from cattrs import Converter
from cattrs.cols import mapping_structure_factory
from cattrs.errors import (
    AttributeValidationNote,
    BaseValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

_T = TypeVar("_T")
_Hook = Callable[[Any, Any], Any]
_ERRORS = (BaseValidationError, ForbiddenExtraKeysError, ValueError)

OMITTED: Mapping[str, Any] = {"omitted at its default": True}
"""Metadata of a field that is written only where it differs from its default."""

_TAGGED: dict[str, type] = {}


class MalformedError(ValueError):
    """A value does not fit the type it is read as; the message says where, in one sentence."""


def tagged(*kinds: type) -> None:
    """Have these dataclasses write their names under "type", and be found by them."""
    _TAGGED.update((kind.__name__, kind) for kind in kinds)


def to_plain(value: object) -> Any:
    """Return `value` as dicts, lists, strings, finite numbers, booleans and None.

    Raises:
        TypeError: `value` holds an object that is neither that nor a dataclass.
    """
    return _converter.unstructure(value)


def from_plain(data: Any, kind: type[_T], place: str = "value", *, whole: bool = False) -> _T:
    """Return the `kind` that `data` describes; integers in the place of floats are kept.

    Args:
        data: what `to_plain` returned.
        kind: a dataclass, `tuple[...]` of such, or an abstract class or `object`, read by tag. What
            is annotated with `Any` stays plain.
        place: what to call `data` in an error.
        whole: whether a dataclass needs all of its own fields in `data`, those with defaults, too.

    Raises:
        MalformedError: `data` does not fit; the message names the first place that is wrong.
    """
    try:
        found = _converter.structure(data, kind)
    except (*_ERRORS, RecursionError) as error:
        raise MalformedError(_sentence(error, place)) from None
    for field in fields(found) if whole else ():  # type: ignore[arg-type]
        if field.name not in data and field.metadata != OMITTED:
            raise MalformedError(f"{place}.{field.name} is missing")
    return found


def _sentence(error: BaseException, start: str) -> str:
    """Follow the first of nested errors to where it arose."""
    place = start
    while isinstance(error, BaseValidationError):
        error = error.exceptions[0]
        for note in getattr(error, "__notes__", ()):
            if isinstance(note, AttributeValidationNote):
                place += f".{note.name}"
            elif isinstance(note, IterableValidationNote):
                place += f"[{note.index!r}]"
    if isinstance(error, RecursionError):
        return f"{start} is nested too deeply"
    if isinstance(error, ForbiddenExtraKeysError):
        return f"{place} has no field {min(error.extra_fields)!r}"
    if isinstance(error, KeyError):
        return f"{place} is missing"
    return f"{place} {error if isinstance(error, _Misfit) else f'is invalid: {error}'}"


class _Misfit(ValueError):
    """A value is of another type; the message continues the name of its place."""

    def __init__(self, value: object, expected: str) -> None:
        super().__init__(f"is {value!r:.40}, not {expected}")


_converter = Converter(unstructure_fallback_factory=lambda kind: _write_by_class(kind))


def _write_by_class(kind: Any) -> Callable[[object], Any]:
    """Write a value whose annotation says nothing about its fields as the class it is of."""

    def write(value: object) -> Any:
        if type(value) is kind:
            raise TypeError(f"{kind.__name__} is not a type that can be written as JSON")
        return _converter.unstructure(value)

    return write


def _write_list(kind: Any) -> Callable[[Any], list[Any]]:
    of, *more = get_args(kind) or (object, ...)
    write = (
        _converter.unstructure if more not in ([], [...]) else _converter.get_unstructure_hook(of)
    )
    return lambda value: [write(item) for item in value]


def _write_record(kind: Any) -> Callable[[Any], dict[str, Any]]:
    sparse = {
        field.name: override(omit_if_default=True)
        for field in fields(kind)
        if field.metadata == OMITTED
    }
    write = make_dict_unstructure_fn(kind, _converter, **sparse)  # type: ignore[arg-type]
    if kind in _TAGGED.values():
        return lambda value: {"type": kind.__name__, **write(value)}
    return write


def _read_float(value: Any, _: Any) -> Any:
    if isinstance(value, str) and value in ("nan", "inf", "-inf"):
        return float(value)
    if type(value) is float or (type(value) is int and abs(value) < 1 << 1023):
        return value
    raise _Misfit(value, "a number")


def _read_enum(value: Any, kind: Any) -> Any:
    return kind(_one_of(value, [member.value for member in kind]))


def _one_of(value: Any, known: Sequence[object]) -> Any:
    if value not in known:
        raise _Misfit(value, f"one of {', '.join(map(repr, known))}")
    return value


def _read_list(kind: Any) -> _Hook:
    """Read a list as a tuple; text would fall into its letters."""
    of, *more = get_args(kind)
    hook = _converter.get_structure_hook(of)

    def read(value: Any, _: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise _Misfit(value, "a list")
        kinds = [of] * len(value) if more in ([], [...]) else get_args(kind)
        if len(kinds) != len(value):
            raise _Misfit(value, f"a list of {len(kinds)}")
        found = []
        for at, (item, own) in enumerate(zip(value, kinds, strict=True)):
            try:
                found.append(hook(item, own) if own is of else _converter.structure(item, own))
            except _ERRORS as error:
                error.add_note(IterableValidationNote("", at, own))
                raise IterableValidationError("", [error], kind) from error
        return tuple(found)

    return read


def _read_mapping(kind: Any) -> _Hook:
    hook = mapping_structure_factory(kind, _converter)

    def read(value: Any, _: Any) -> Any:
        if not isinstance(value, dict):
            raise _Misfit(value, "an object")
        return hook(value, kind)

    return read


def _read_record(kind: Any) -> _Hook:
    hook = make_dict_structure_fn(kind, _converter, _cattrs_forbid_extra_keys=True)

    has_tag = kind in _TAGGED.values()

    def read(value: Any, _: Any) -> Any:
        if not isinstance(value, dict):
            raise _Misfit(value, "an object")
        if has_tag:
            own = _kind_of(value)
            if own is not kind:
                raise _Misfit(own.__name__, kind.__name__)
            value = {name: item for name, item in value.items() if name != "type"}
        return hook(value, kind)

    return read


def _kind_of(value: Mapping[str, Any]) -> type:
    name = value.get("type")
    if not isinstance(name, str) or name not in _TAGGED:
        raise _Misfit(name, "a type that can be read")
    return _TAGGED[name]


def _read_by_tag(kind: Any) -> _Hook:
    """Read a subclass of an abstract class by its name."""

    def read(value: Any, _: Any) -> Any:
        if not isinstance(value, dict):
            raise _Misfit(value, "an object")
        own = _kind_of(value)
        if not issubclass(own, kind):
            raise _Misfit(own.__name__, f"a kind of {kind.__name__}")
        return _converter.structure(value, own)

    return read


def _read_union(kind: Any) -> _Hook:
    """Read None where it may be, else the first of the kinds that the value fits.

    A function is none of them: a record that takes one keeps its name.
    """
    kinds = [own for own in get_args(kind) if own is not NoneType and get_origin(own) != Callable]
    hooks = [(own, _converter.get_structure_hook(own)) for own in kinds]

    def read(value: Any, _: Any) -> Any:
        if value is None and len(kinds) < len(get_args(kind)):
            return None
        for own, hook in hooks[:-1]:
            with suppress(*_ERRORS):
                return hook(value, own)
        own, hook = hooks[-1]
        return hook(value, own)

    return read


def _read_anything(value: Any, _: Any) -> Any:
    if isinstance(value, dict):
        return _converter.structure(value, _kind_of(value))
    return tuple(_read_anything(item, object) for item in value) if type(value) is list else value


def _origin_is(*origins: object) -> Callable[[Any], bool]:
    return lambda kind: (get_origin(kind) or kind) in origins


def _register_plain(kind: type, expected: str) -> None:
    def read(value: Any, _: Any) -> Any:
        if type(value) is not kind:
            raise _Misfit(value, expected)
        return value

    _converter.register_structure_hook(kind, read)
    _converter.register_unstructure_hook(kind, lambda value: value)


_register_plain(bool, "true or false")
_register_plain(int, "a whole number")
_register_plain(str, "text")
_converter.register_unstructure_hook(NoneType, lambda value: value)
_converter.register_structure_hook(float, _read_float)
_converter.register_unstructure_hook(
    float, lambda value: value if math.isfinite(value) else str(float(value))
)
for _enum in (Enum, StrEnum):  # a StrEnum is text, too
    _converter.register_structure_hook(_enum, _read_enum)
    _converter.register_unstructure_hook(_enum, lambda member: member.value)

# What differs from cattrs's defaults; where several fit a type, the last counts.
for _fits, _write in (
    (_origin_is(tuple, Sequence), _write_list),
    (is_dataclass, _write_record),
    (inspect.isabstract, _write_by_class),
):
    _converter.register_unstructure_hook_factory(_fits, _write)
for _fits, _read in (
    (_origin_is(Any), lambda _: lambda value, _: value),
    (_origin_is(object), lambda _: _read_anything),
    (_origin_is(Literal), lambda kind: lambda value, _: _one_of(value, get_args(kind))),
    (_origin_is(Union, UnionType), _read_union),
    (_origin_is(Mapping), _read_mapping),
    (_origin_is(tuple, Sequence), _read_list),
    (is_dataclass, _read_record),
    (inspect.isabstract, _read_by_tag),
):
    _converter.register_structure_hook_factory(_fits, _read)
