"""lazarus-bench: claims about neural networks as pre-registered hypotheses.

A claim is a region, evidence is samples, a verdict is where the interval falls. This package face
hands on the names that a claim file needs, each on first use, so that importing it costs nothing
and brings in neither mlx nor scipy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lazarus_bench.claims.claim import OnInstruct, Stages, claim
    from lazarus_bench.errors import NotApplicable, UserError
    from lazarus_bench.judge import (
        SHARE,
        SHARE_DIFFERENCE,
        Above,
        AllOf,
        AtLeast,
        AtMost,
        Below,
        ClassEntropy,
        Condition,
        Control,
        Differences,
        Exact,
        HitDifferences,
        Hits,
        LayerMax,
        Means,
        Ratios,
        Reported,
        Resampled,
        Trend,
        Within,
    )

_JUDGE = (
    "Above AllOf AtLeast AtMost Below ClassEntropy Condition Control Differences Exact "
    "HitDifferences Hits LayerMax Means Ratios Reported Resampled SHARE SHARE_DIFFERENCE Trend "
    "Within"
)
_HOMES = dict.fromkeys(_JUDGE.split(), "lazarus_bench.judge") | {
    "NotApplicable": "lazarus_bench.errors",
    "OnInstruct": "lazarus_bench.claims.claim",
    "Stages": "lazarus_bench.claims.claim",
    "UserError": "lazarus_bench.errors",
    "claim": "lazarus_bench.claims.claim",
}

__all__ = [
    "SHARE",
    "SHARE_DIFFERENCE",
    "Above",
    "AllOf",
    "AtLeast",
    "AtMost",
    "Below",
    "ClassEntropy",
    "Condition",
    "Control",
    "Differences",
    "Exact",
    "HitDifferences",
    "Hits",
    "LayerMax",
    "Means",
    "NotApplicable",
    "OnInstruct",
    "Ratios",
    "Reported",
    "Resampled",
    "Stages",
    "Trend",
    "UserError",
    "Within",
    "claim",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
