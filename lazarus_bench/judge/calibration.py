"""Warnings where simulation finds a kind of evidence to err more often than its level promises."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from lazarus_bench.judge.conjunction import AllOf
from lazarus_bench.judge.evidence import Evidence
from lazarus_bench.judge.subgroups import LEAST_SEEDS

ALPHA = 0.05
"""Bound on each one-sided error over a family."""

SEEDS = (2, 3, 5, 10, 20)
"""Numbers of seeds that were simulated."""

FAMILIES = (1, 8)
"""Numbers of verdicts in a family that were simulated."""

FAILING = "15% of seeds fail"
"""The world whose samples may hold no failing seed at all, so that no check could see it."""

SHARE_FAILING = 0.15

Cell = dict[str, float]
"""Errors above the level: in the worst world, and in the one of failing seeds."""


@cache
def _table() -> dict[str, dict[str, dict[str, Cell]]]:
    """Kind, verdicts of the family, and seeds, to a cell; made by `benchmarks/calibration.py`."""
    text = files("lazarus_bench.judge").joinpath("calibration.json").read_text(encoding="utf-8")
    found: dict[str, dict[str, dict[str, Cell]]] = json.loads(text)
    return found


def warning_for(evidence: Evidence, family_size: int, *, seen: bool = False) -> str:
    """Return what the calibration table says of evidence like this, or nothing.

    The simulated family that is nearest in ratio counts, and the largest simulated number of seeds
    that is not larger. Seeds that fail are not warned of where they were `seen` (`subgroups`).
    """
    return "; ".join(dict.fromkeys(_clauses(evidence, family_size, seen=seen)))


def _clauses(evidence: Evidence, family_size: int, *, seen: bool) -> Iterator[str]:
    if isinstance(evidence, AllOf):
        for condition in evidence.conditions:
            yield from _clauses(condition.evidence, family_size, seen=seen)
    elif evidence.scope == "seeds":
        seeds = max((n for n in SEEDS if n <= evidence.shape[0]), default=SEEDS[0])
        family = min(FAMILIES, key=lambda size: abs(math.log(size / family_size)))
        cell = _table().get(evidence.kind, {}).get(str(family), {}).get(str(seeds), {})
        what, promised = f"{evidence.kind} over {seeds} seeds", f"{ALPHA / family:.2g}"
        for world, error in cell.items():
            if world != FAILING:
                yield (
                    f"in simulations, {what} err {error:.3g} of the time on one side where "
                    f"{promised} is promised ({world})"
                )
            elif not seen:
                yield (
                    f"were {SHARE_FAILING:.0%} of seeds to fail, {what} would err {error:.2g} of "
                    f"the time where {promised} is promised ({_unseen(seeds)})"
                )


def _unseen(seeds: int) -> str:
    """Say why failing seeds may go unnoticed in a sample."""
    if seeds < LEAST_SEEDS:
        return f"the check for failing seeds needs {LEAST_SEEDS}"
    return f"no check sees it in the {(1 - SHARE_FAILING) ** seeds:.0%} of samples that hold none"
