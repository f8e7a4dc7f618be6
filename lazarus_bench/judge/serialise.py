"""Judge objects to and from plain JSON values; non-finite numbers travel as strings."""

from __future__ import annotations

import dataclasses
import math
from enum import StrEnum
from typing import Any, get_type_hints

from lazarus_bench.judge.conjunction import AllOf, Condition
from lazarus_bench.judge.differences import Differences
from lazarus_bench.judge.estimate import Effect, Estimate, Interval
from lazarus_bench.judge.layers import LayerMax
from lazarus_bench.judge.means import Means
from lazarus_bench.judge.pool import Pooled
from lazarus_bench.judge.predictions import ClassEntropy
from lazarus_bench.judge.proportions import HitDifferences, Hits
from lazarus_bench.judge.ratios import Ratios
from lazarus_bench.judge.region import Above, AtLeast, AtMost, Below, Within
from lazarus_bench.judge.resampled import Resampled
from lazarus_bench.judge.stated import Exact, Reported
from lazarus_bench.judge.summaries import Summary, SummaryDifferences
from lazarus_bench.judge.trend import Trend
from lazarus_bench.judge.verdict import Control, Outcome, Verdict

_TYPES: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        *(AtLeast, AtMost, Above, Below, Within),
        *(Interval, Effect, Estimate, Control, Verdict),
        *(Means, Hits, Differences, HitDifferences, LayerMax, Trend, Ratios, Exact, Reported),
        Resampled,
        *(AllOf, Condition, ClassEntropy, Summary, SummaryDifferences, Pooled),
    )
}
_NON_FINITE = ("inf", "-inf", "nan")


def to_json(obj: object) -> dict[str, Any]:
    """Return a dict of JSON values with the type's name under "type".

    Raises:
        TypeError: for an object that is not one of the judge's own, at any depth.
    """
    if type(obj).__name__ not in _TYPES or not dataclasses.is_dataclass(obj):
        raise TypeError(f"{type(obj).__name__} is not a type that the judge serialises")
    fields = {f.name: _encode(getattr(obj, f.name)) for f in dataclasses.fields(obj)}
    return {"type": type(obj).__name__, **fields}


def from_json(data: dict[str, Any]) -> Any:
    """Return the object that `to_json` described.

    Raises:
        ValueError: for an unknown type name or fields that do not fit it.
    """
    kind = _TYPES.get(str(data.get("type")))
    if kind is None:
        raise ValueError(f"{data.get('type')!r} is not a type that the judge serialises")
    hints = _hints(kind)
    unknown = set(data) - {"type", *hints}
    if unknown:
        raise ValueError(f"{kind.__name__} has no field {sorted(unknown)[0]!r}")
    fields = {name: _decode(value, hints[name]) for name, value in data.items() if name != "type"}
    try:
        return kind(**fields)
    except TypeError as error:
        raise ValueError(f"{kind.__name__}: {error}") from None


def _hints(kind: type[Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _encode(value: object) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, StrEnum):
        return value.value
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple):
        return [_encode(item) for item in value]
    return to_json(value)


def _decode(value: Any, hint: Any) -> Any:
    if isinstance(value, dict):
        return from_json(value)
    if isinstance(value, list):
        return tuple(_decode(item, hint) for item in value)
    if hint is Outcome:
        return Outcome(value)
    if isinstance(value, str) and value in _NON_FINITE and "float" in str(hint):
        return float(value)
    return value
