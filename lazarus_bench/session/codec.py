"""Readings as bytes and back: numbers, strings, arrays, and the declared classes made of them.

The structure is JSON, the arrays beside it safetensors, so nothing that is read can run code. What
was written comes back equal to the last bit, its arrays contiguous.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from enum import Enum
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from lazarus_bench.analysis.answers import Answers, Likelihood
from lazarus_bench.analysis.behaviour import Behaviour
from lazarus_bench.analysis.clusters import ClusterDraws, Clusters, Cosines
from lazarus_bench.analysis.engrams import EngramReading
from lazarus_bench.analysis.geometry import Directions
from lazarus_bench.analysis.nulls import ExtremeNull, LayerNull
from lazarus_bench.analysis.operations import OperationLens
from lazarus_bench.analysis.probe import Probe
from lazarus_bench.analysis.probe_prompts import ProbePrompts
from lazarus_bench.analysis.router import RouterProjection
from lazarus_bench.analysis.routing import Routing, Trace
from lazarus_bench.analysis.substring import SubstringHits, TaskSignal
from lazarus_bench.analysis.vocabulary import WordsInDirection
from lazarus_bench.models.prompts import WordTokens
from lazarus_bench.tasks.arithmetic import Operation, Problem

Array = npt.NDArray[Any]

CLASSES: Mapping[str, type] = {
    cls.__name__: cls
    for cls in (
        Answers,
        Behaviour,
        ClusterDraws,
        Clusters,
        Cosines,
        Directions,
        EngramReading,
        ExtremeNull,
        LayerNull,
        Likelihood,
        Operation,
        OperationLens,
        Probe,
        ProbePrompts,
        Problem,
        RouterProjection,
        Routing,
        SubstringHits,
        TaskSignal,
        Trace,
        WordTokens,
        WordsInDirection,
    )
}
"""What a reading may be made of: frozen dataclasses and enums, by name."""

_DTYPES = ("bool", "int64", "float32", "float64")
_STRUCTURE = "structure"


class UnwritableError(Exception):
    """A value is, or holds, something that is not declared here."""


class UnreadableError(Exception):
    """Bytes are none that `encode` wrote."""


def encode(value: Any) -> bytes:
    """`value` as bytes.

    Raises:
        UnwritableError: it holds more than numbers, strings, tuples, arrays and `CLASSES`.
    """
    arrays: list[Array] = []
    text = json.dumps(_structure(value, arrays), separators=(",", ":"))
    named = {str(at): array for at, array in enumerate(arrays)}
    named[_STRUCTURE] = np.frombuffer(text.encode(), dtype=np.uint8)
    return bytes(save(named))


def canonical(key: Any) -> str:
    """A key, without arrays, as text that is the same for equal keys of equal types.

    Raises:
        UnwritableError: as `encode`, or it holds an array.
    """
    arrays: list[Array] = []
    text = json.dumps(_structure(key, arrays), separators=(",", ":"))
    if arrays:
        raise UnwritableError("a key of a reading has no arrays")
    return text


def decode(content: bytes) -> Any:
    """The value that `encode` made `content` of.

    Raises:
        UnreadableError: it is none that it wrote, or of classes that are others now.
    """
    try:
        arrays = load(content)
        structure = json.loads(arrays[_STRUCTURE].tobytes())
        return _value(structure, arrays)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise UnreadableError(str(error)) from error


def _structure(value: Any, arrays: list[Array]) -> Any:
    """JSON for `value`: a tuple is a list, and an object of one name is anything else."""
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if kind is tuple:
        return [_structure(each, arrays) for each in value]
    if kind is Problem:
        return _problem(value)
    if CLASSES.get(kind.__name__) is kind:
        if issubclass(kind, Enum):
            return {kind.__name__: value.value}
        own = [_structure(getattr(value, field.name), arrays) for field in fields(kind)]
        return {kind.__name__: own}
    if isinstance(value, np.generic):
        return {"scalar": _place(np.asarray(value), arrays)}
    if kind is np.ndarray:
        return {"array": _place(value, arrays)}
    raise UnwritableError(f"a {kind.__name__} is nothing that a reading is made of")


@lru_cache(maxsize=1 << 12)
def _problem(problem: Problem) -> Any:
    # Nearly every key and reading names some hundred of the same few.
    own = [problem.a, {"Operation": problem.operation.value}, problem.b]
    return {"Problem": own}


def _place(array: Array, arrays: list[Array]) -> int:
    if array.dtype.name not in _DTYPES:
        raise UnwritableError(f"an array of {array.dtype} is nothing that a reading is made of")
    arrays.append(np.ascontiguousarray(array).reshape(array.shape))
    return len(arrays) - 1


def _value(structure: Any, arrays: Mapping[str, Array]) -> Any:
    if isinstance(structure, list):
        return tuple(_value(each, arrays) for each in structure)
    if not isinstance(structure, dict):
        return structure
    ((name, content),) = structure.items()
    if name in ("array", "scalar"):
        array = arrays[str(content)]
        return array if name == "array" else array[()]
    return _of_class(CLASSES[name], content, arrays)


def _of_class(cls: Any, content: Any, arrays: Mapping[str, Array]) -> Any:
    if issubclass(cls, Enum):
        return cls(content)
    values = (_value(each, arrays) for each in content)
    names = (field.name for field in fields(cls))
    return cls(**dict(zip(names, values, strict=True)))
