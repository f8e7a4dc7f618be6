"""From samples to verdicts: regions, evidence, intervals, effect sizes and power.

Pure numpy and scipy. Nothing here depends on models, published numbers or report formats.
"""

from typing import Any

from lazarus_bench.codec import from_plain, tagged, to_plain
from lazarus_bench.judge.calibration import ALPHA
from lazarus_bench.judge.conjunction import AllOf, Condition
from lazarus_bench.judge.evidence import (
    SHARE,
    SHARE_DIFFERENCE,
    Effect,
    Estimate,
    Evidence,
    Interval,
    Scope,
)
from lazarus_bench.judge.layers import LayerMax
from lazarus_bench.judge.looks import Looks, error_of_looks
from lazarus_bench.judge.means import Differences, Means, Ratios, Summary, SummaryDifferences
from lazarus_bench.judge.pool import Pooled
from lazarus_bench.judge.power import Attainability, attainable
from lazarus_bench.judge.prediction import Prediction, predict
from lazarus_bench.judge.proportions import ClassEntropy, HitDifferences, Hits
from lazarus_bench.judge.region import Above, AtLeast, AtMost, Below, Region, Within, region_of
from lazarus_bench.judge.stated import Exact, Reported, Resampled
from lazarus_bench.judge.trend import Trend
from lazarus_bench.judge.verdict import (
    RULE,
    Control,
    Outcome,
    Verdict,
    decide,
    family_level,
    not_applicable,
)

__all__ = [
    "ALPHA",
    "RULE",
    "SHARE",
    "SHARE_DIFFERENCE",
    "Above",
    "AllOf",
    "AtLeast",
    "AtMost",
    "Attainability",
    "Below",
    "ClassEntropy",
    "Condition",
    "Control",
    "Differences",
    "Effect",
    "Estimate",
    "Evidence",
    "Exact",
    "HitDifferences",
    "Hits",
    "Interval",
    "LayerMax",
    "Looks",
    "Means",
    "Outcome",
    "Pooled",
    "Prediction",
    "Ratios",
    "Region",
    "Reported",
    "Resampled",
    "Scope",
    "Summary",
    "SummaryDifferences",
    "Trend",
    "Verdict",
    "Within",
    "attainable",
    "decide",
    "error_of_looks",
    "family_level",
    "from_json",
    "not_applicable",
    "predict",
    "region_of",
    "to_json",
]

# An object is written with its class's name under "type".
tagged(AtLeast, AtMost, Above, Below, Within)
tagged(Interval, Effect, Estimate, Control, Verdict, Condition, Summary, Pooled)
tagged(Means, Hits, Differences, HitDifferences, LayerMax, Trend, Ratios, Exact, Reported)
tagged(Resampled, AllOf, ClassEntropy, SummaryDifferences, Prediction)


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
