"""lazarus-bench: claims about neural networks as pre-registered hypotheses.

A claim is a region, evidence is samples, a verdict is where the interval falls. This package face
hands on the names that a claim file needs, each on first use, so that importing it costs nothing
and brings in neither mlx nor scipy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lazarus_bench.claims.claim import OnOff, beside, claim
    from lazarus_bench.claims.finding import Finding, Labelled
    from lazarus_bench.claims.subjects import LAB_BASE
    from lazarus_bench.errors import NotApplicable, UserError
    from lazarus_bench.jobs.subjects import LAB_BLANK, LAB_BOTH, LAB_EVERY, LAB_MIXTURES, trained
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
    from lazarus_bench.session.samples import (
        all_of,
        best_layer,
        class_entropy,
        difference,
        mean,
        ratio,
        trend,
    )
    from lazarus_bench.tasks.arithmetic import OPERATION_NAMES

_FACE = {
    "claims.claim": "OnOff beside claim",
    "claims.finding": "Finding Labelled",
    "claims.subjects": "LAB_BASE",
    "errors": "NotApplicable UserError",
    "jobs.subjects": "LAB_BLANK LAB_BOTH LAB_EVERY LAB_MIXTURES trained",
    "judge": "Above AllOf AtLeast AtMost Below ClassEntropy Condition Control Differences Exact "
    "HitDifferences Hits LayerMax Means Ratios Reported Resampled SHARE SHARE_DIFFERENCE Trend "
    "Within",
    "session.samples": "all_of best_layer class_entropy difference mean ratio trend",
    "tasks.arithmetic": "OPERATION_NAMES",
}
_HOMES = {name: f"{__name__}.{home}" for home, names in _FACE.items() for name in names.split()}

__all__ = [
    "LAB_BASE",
    "LAB_BLANK",
    "LAB_BOTH",
    "LAB_EVERY",
    "LAB_MIXTURES",
    "OPERATION_NAMES",
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
    "Finding",
    "HitDifferences",
    "Hits",
    "Labelled",
    "LayerMax",
    "Means",
    "NotApplicable",
    "OnOff",
    "Ratios",
    "Reported",
    "Resampled",
    "Trend",
    "UserError",
    "Within",
    "all_of",
    "beside",
    "best_layer",
    "claim",
    "class_entropy",
    "difference",
    "mean",
    "ratio",
    "trained",
    "trend",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
