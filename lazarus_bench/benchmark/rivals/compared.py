"""How much a comparison spends, and speeds as ratios."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lazarus_bench.benchmark.document import Ratio
from lazarus_bench.judge.rounds import Floats, ratio_of_medians


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much a comparison spends: `rounds` of every arm, `steps` in a block of training."""

    rounds: int = 15
    steps: int = 12
    prompts: int = 200


def speed(
    name: str,
    seconds: Mapping[str, Floats],
    ours: str,
    theirs: str,
    unit: str,
    at_least: float | None,
    about: Mapping[str, str | float],
    units: float = 1.0,
) -> Ratio:
    """How many times as fast `ours` is: seconds of theirs over ours."""
    rates = {arm: f"{units / np.median(cost):,.0f} {unit}" for arm, cost in seconds.items()}
    return Ratio(
        name=name,
        found=ratio_of_medians(seconds[theirs], seconds[ours]),
        rounds=len(seconds[ours]),
        at_least=at_least,
        about={**about, **rates},
    )
