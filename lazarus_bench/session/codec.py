"""Measurements as bytes and back: dataclasses, numbers, strings and arrays.

The structure is JSON, the arrays beside it safetensors, so nothing that is read can run code. The
type is that of the instrument's return annotation, so no name of a class is looked up; only a
member of a union is tagged. What was written comes back equal to the last bit, its arrays
contiguous.
"""

from __future__ import annotations

import hashlib
import json
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from functools import cache, lru_cache, partial
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn
from safetensors.numpy import load, save

_ARRAY, _SCALAR, _STRUCTURE, _TAG, _VALUE = "@array", "@scalar", "structure", "@type", "@value"
_PLAIN = (bool, int, float, str, NoneType)


class UnwritableError(Exception):
    """A value cannot be written, or not as the annotated type."""


class UnreadableError(Exception):
    """Bytes are not what `encode` wrote for this type."""


def returned_type(instrument: Callable[..., Any]) -> Any:
    """The type that an instrument is annotated to return.

    Raises:
        UnwritableError: it has no such annotation, or one that cannot be resolved.
    """
    try:
        return get_type_hints(instrument, include_extras=True)["return"]
    except Exception as error:
        raise UnwritableError(f"{instrument} has no return annotation that resolves") from error


def encode(value: Any, kind: Any) -> bytes:
    """`value`, of the type `kind`, as bytes.

    Raises:
        UnwritableError: it is not of that type, or holds what neither JSON nor safetensors can.
    """
    arrays: dict[str, np.ndarray[Any, Any]] = {}

    def place(item: Any) -> dict[str, str]:
        given = item.value if isinstance(item, _Scalar) else _exactly(np.ndarray, item)
        array, at = np.asarray(given), str(len(arrays))
        arrays[at] = np.ascontiguousarray(array).reshape(array.shape)
        return {_SCALAR if isinstance(item, _Scalar) else _ARRAY: at}

    try:
        tree = _converter().unstructure(value, unstructure_as=kind)
        text = json.dumps(tree, separators=(",", ":"), default=place)
        arrays[_STRUCTURE] = np.frombuffer(text.encode(), dtype=np.uint8)
        return bytes(save(arrays))
    except Exception as error:  # whatever a type of somebody else's raises
        raise UnwritableError(str(error)) from error


def decode(content: bytes, kind: Any) -> Any:
    """The value of the type `kind` that `encode` made `content` of.

    Raises:
        UnreadableError: these are not such bytes.
    """
    try:
        arrays = load(content)

        def placed(item: dict[str, Any]) -> Any:
            if item.keys() == {_ARRAY}:
                return arrays[item[_ARRAY]]
            return arrays[item[_SCALAR]][()] if item.keys() == {_SCALAR} else item

        tree = json.loads(arrays[_STRUCTURE].tobytes(), object_hook=placed)
        return _converter().structure(tree, kind)
    except Exception as error:
        raise UnreadableError(str(error)) from error


@dataclass(frozen=True)
class _Scalar:
    """Keeps a NumPy scalar from passing for the Python number that it derives from."""

    value: np.generic


@cache
def _converter() -> Converter:
    converter = Converter(detailed_validation=False, forbid_extra_keys=True)
    to_write, to_read = (
        converter.register_unstructure_hook_func,
        converter.register_structure_hook_func,
    )
    for plain in _PLAIN:
        to_write(partial(operator.is_, plain), partial(_written, plain))
        # An enum may derive from one of them.
        converter.register_structure_hook(plain, lambda v, k: v if k in _PLAIN else k(v))
    for hook in (to_write, to_read):
        hook(partial(operator.is_, Any), _refused)
    to_write(_is_array, partial(_exactly, np.ndarray))
    to_read(_is_array, lambda value, _: _exactly(np.ndarray, value))

    def of_class(cls: Any) -> Callable[[Any], Any]:
        as_mapping = make_dict_unstructure_fn(cls, converter)
        return lambda value: as_mapping(_exactly(cls, value))

    def tagged(union: Any) -> Callable[[Any], Any]:
        members = {get_origin(kind) or kind: kind for kind in get_args(union)}

        def write(value: Any) -> Any:
            kind = members[type(value)]
            written = converter.unstructure(value, unstructure_as=kind)
            return {_TAG: _tag(kind), _VALUE: written} if is_dataclass(kind) else written

        return write

    def untagged(union: Any) -> Callable[[Any, Any], Any]:
        named: dict[str, Any] = {_tag(k): k for k in get_args(union) if is_dataclass(k)}

        def read(value: Any, _: Any) -> Any:
            if isinstance(value, dict) and _TAG in value:
                return converter.structure(value[_VALUE], named[value[_TAG]])
            return value

        return read

    converter.register_unstructure_hook_factory(is_dataclass, of_class)
    converter.register_unstructure_hook_factory(_is_union, tagged)
    converter.register_structure_hook_factory(_is_union, untagged)
    return converter


def _written(kind: type, value: Any) -> Any:
    if isinstance(value, np.generic):
        return _Scalar(value)
    return value if kind is float and type(value) is int else _exactly(kind, value)


def _exactly(kind: type, value: Any) -> Any:
    """`value`, if it is of this very type: a subclass would come back as its base."""
    if type(value) is not kind:
        raise TypeError(f"a {type(value).__name__} is no {kind.__name__}")
    return value


def _refused(*_: Any) -> Any:
    raise TypeError("Any says nothing of what was written: annotate the type")


def _is_array(kind: Any) -> bool:
    return (get_origin(kind) or kind) is np.ndarray


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType)


def _tag(kind: Any) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def canonical(argument: Any) -> str:
    """An instrument's arguments as text, the same for equal values of equal types.

    A list and a tuple of the same items are equal here; an array counts by its content.

    Raises:
        UnwritableError: one is neither a number, a string, an array, an enum, a frozen dataclass
            nor a sequence or mapping of such.
    """
    return json.dumps(_canonical(argument), separators=(",", ":"))


def _canonical(value: Any) -> Any:
    kind: Any = type(value)
    if kind in _PLAIN:
        return value
    if isinstance(value, np.generic):
        return _canonical(value.item())
    if kind in (tuple, list):
        return [_canonical(item) for item in value]
    if kind is np.ndarray and value.dtype != object:
        content = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return {_ARRAY: [value.dtype.str, value.shape, content]}
    if isinstance(value, Enum):
        return {_tag(kind): _canonical(value.value)}
    if isinstance(value, Mapping):
        return {_VALUE: [[_canonical(k), _canonical(value[k])] for k in sorted(value)]}
    if is_dataclass(value) and kind.__dataclass_params__.frozen:
        whole: Any = value
        try:
            return _canonical_fields(whole)
        except TypeError:  # it holds what has no hash
            return _canonical_fields.__wrapped__(whole)
    raise UnwritableError(f"a {kind.__name__} has no canonical form, so what it gives is not kept")


@lru_cache(maxsize=1 << 12)
def _canonical_fields(value: Any) -> Any:
    # Nearly every argument names some hundred of the same few problems.
    kind = type(value)
    return {_tag(kind): [_canonical(getattr(value, field.name)) for field in fields(kind)]}
