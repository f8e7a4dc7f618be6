"""Warnings where simulation finds a kind of evidence to err more often than its level promises."""

from __future__ import annotations

import json
import math
from functools import cache
from importlib.resources import files

from lazarus_bench.judge.conjunction import AllOf
from lazarus_bench.judge.evidence import Evidence

ALPHA = 0.05
"""Bound on each one-sided error over a family."""

SEEDS = (2, 3, 5, 10, 20)
"""Numbers of seeds that were simulated."""

FAMILIES = (1, 8)
"""Numbers of verdicts in a family that were simulated."""

Cell = tuple[str, float]
"""The world in which it errs most, and how often."""


@cache
def _table() -> dict[str, dict[str, dict[str, Cell]]]:
    """Kind, verdicts of the family, and seeds, to a cell; made by `benchmarks/calibration.py`."""
    text = files("lazarus_bench.judge").joinpath("calibration.json").read_text(encoding="utf-8")
    found: dict[str, dict[str, dict[str, Cell]]] = json.loads(text)
    return found


def warning_for(evidence: Evidence, family_size: int) -> str:
    """Return what the calibration table says of evidence like this, in one clause, or nothing.

    The simulated family that is nearest in ratio counts, and the largest simulated number of seeds
    that is not larger. Seeds that fail are left to the check for two groups (`subgroups`).
    """
    if isinstance(evidence, AllOf):
        parts = (warning_for(c.evidence, family_size) for c in evidence.conditions)
        return "; ".join(dict.fromkeys(filter(None, parts)))
    if evidence.scope != "seeds":
        return ""
    seeds = max((n for n in SEEDS if n <= evidence.shape[0]), default=SEEDS[0])
    family = min(FAMILIES, key=lambda size: abs(math.log(size / family_size)))
    cell = _table().get(evidence.kind, {}).get(str(family), {}).get(str(seeds))
    if cell is None:
        return ""
    world, error = cell
    return (
        f"in simulations, {evidence.kind} over {seeds} seeds err {error:.3g} of the time on one "
        f"side where {ALPHA / family:.2g} is promised ({world})"
    )
