"""The judge's objects to and from plain JSON values, each with its class's name under "type"."""

from __future__ import annotations

from typing import Any

from lazarus_bench.codec import from_plain, tagged, to_plain
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
from lazarus_bench.judge.verdict import Control, Verdict

tagged(AtLeast, AtMost, Above, Below, Within)
tagged(Interval, Effect, Estimate, Control, Verdict, Condition, Summary, Pooled)
tagged(Means, Hits, Differences, HitDifferences, LayerMax, Trend, Ratios, Exact, Reported)
tagged(Resampled, AllOf, ClassEntropy, SummaryDifferences)


def to_json(obj: object) -> dict[str, Any]:
    """Return one of the judge's objects as JSON values.

    Raises:
        TypeError: `obj` holds something that cannot be written.
    """
    plain = to_plain(obj)
    if not isinstance(plain, dict) or "type" not in plain:
        raise TypeError(f"{type(obj).__name__} is not a type that the judge writes")
    return plain


def from_json(data: dict[str, Any]) -> Any:
    """Return the object that `to_json` described.

    Raises:
        ValueError: `data` has an unknown type name, or fields that do not fit it.
    """
    return from_plain(data, object)
