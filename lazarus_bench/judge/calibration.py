"""Warnings where simulation finds a kind of evidence to err more often than its level promises."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from lazarus_bench.judge.evidence import Evidence

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

    The table's largest family that is not larger than this one counts, and its largest number of
    seeds that is not larger. Seeds that fail are left to the check for two groups (`subgroups`).
    """
    if evidence.scope != "seeds":
        return ""
    by_family = _table().get(evidence.kind, {})
    families = [size for size in by_family if int(size) <= family_size]
    if not families:
        return ""
    by_seeds = by_family[max(families, key=int)]
    seeds = [n for n in by_seeds if int(n) <= evidence.shape[0]]
    if not seeds:
        return ""
    n = max(seeds, key=int)
    world, error = by_seeds[n]
    family = int(max(families, key=int))
    return (
        f"in simulations, {evidence.kind} over {n} seeds err {error:.3g} of the time on one side "
        f"where {0.05 / family:.2g} is promised ({world})"
    )
