"""Samples to verdicts: regions, evidence, intervals, effect sizes, power and the claim registry.

Pure numpy and scipy. What lives elsewhere: the published numbers, everything that
knows a model, and every rendering (`report`).
"""

from lazarus_bench.judge.conjunction import AllOf, Condition
from lazarus_bench.judge.differences import Differences
from lazarus_bench.judge.estimate import Effect, Estimate, Interval, Scope
from lazarus_bench.judge.evidence import SHARE, SHARE_DIFFERENCE, Evidence
from lazarus_bench.judge.layers import LayerMax
from lazarus_bench.judge.means import Means
from lazarus_bench.judge.pool import Pooled
from lazarus_bench.judge.power import Attainability, attainable
from lazarus_bench.judge.predictions import ClassEntropy
from lazarus_bench.judge.proportions import HitDifferences, Hits
from lazarus_bench.judge.ratios import Ratios
from lazarus_bench.judge.region import Above, AtLeast, AtMost, Below, Region, Within
from lazarus_bench.judge.resampled import Resampled
from lazarus_bench.judge.serialise import from_json, to_json
from lazarus_bench.judge.stated import Exact, Reported
from lazarus_bench.judge.summaries import Summary, SummaryDifferences
from lazarus_bench.judge.trend import Trend
from lazarus_bench.judge.verdict import (
    ALPHA,
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
    "Means",
    "Outcome",
    "Pooled",
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
    "family_level",
    "from_json",
    "not_applicable",
    "to_json",
]
