"""Evidence about runs' engrams, and controls for it.

Imported by claim files at collection, so it needs no mlx.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lazarus_bench.judge import Control, Differences, Evidence, Means, Resampled
from lazarus_bench.judge.bounds import Limits

if TYPE_CHECKING:
    from lazarus_bench.analysis.engrams import ClusterDraws
    from lazarus_bench.analysis.measured import Floats
    from lazarus_bench.session.runs import Run

EXAMPLES = "examples"
"""What the units of its evidence are called."""

Value = Callable[["Run"], float]
Draws = Callable[["ClusterDraws"], "Floats"]

SIGNED: Limits = (-1.0, 1.0)
"""Where a cosine, a silhouette or an adjusted Rand index can lie."""

SIGNED_DIFFERENCE: Limits = (-2.0, 2.0)
"""Where the difference of two such can lie."""


def statistic(runs: Sequence[Run], value: Value, draws: Draws, bounds: Limits) -> Evidence:
    """A statistic of clusters: over seeds, or of one run with everything refitted in resamples.

    `bounds` are where the statistic can lie; a limit over seeds ends there.
    """
    if len(runs) > 1:
        return Means(values=[[value(run)] for run in runs], items=EXAMPLES, bounds=bounds)
    only = runs[0]
    return Resampled(
        value=value(only),
        draws=draws(only.cluster_draws()).tolist(),
        size=len(only.engrams().label),
        items=EXAMPLES,
    )


def statistic_difference(
    first: Sequence[Run],
    second: Sequence[Run],
    value: Value,
    draws: Draws,
    bounds: Limits,
) -> Evidence:
    """A statistic of `first` minus that of `second`: paired by seed, or by resampled examples.

    `bounds` are where the difference can lie.
    """
    if len(first) > 1:
        return Differences(
            first=[[value(run)] for run in first],
            second=[[value(run)] for run in second],
            paired="seeds",
            items=EXAMPLES,
            support=False,
            bounds=bounds,
        )
    one, other = first[0], second[0]
    apart = draws(one.cluster_draws()) - draws(other.cluster_draws())
    return Resampled(
        value=value(one) - value(other),
        draws=apart.tolist(),
        size=len(one.engrams().label),
        items=EXAMPLES,
    )


def unshared(runs: Sequence[Run]) -> Control:
    """No text is both trained and evaluated on.

    The splits that are read have none in common; what an artifact was trained on has to be theirs.
    """
    others = sum(not run.learnt_its_split for run in runs)
    return Control(
        name="trainings on other texts than the split that shares none with evaluation",
        value=float(others),
        expectation="0",
        passed=others == 0,
    )


def room_for_accuracy(runs: Sequence[Run], by: float) -> Control:
    """The classifiers are not so accurate, over seeds, that a gain of `by` could not show."""
    before = float(np.mean([run.engrams().correct.mean() for run in runs]))
    return Control(
        name="accuracy before the change, mean over runs",
        value=before,
        expectation=f"at most {1 - by:g}, so that a gain of {by:g} can show",
        passed=before <= 1 - by,
    )


def nothing_from_shuffled(runs: Sequence[Run], beyond: float) -> Control:
    """Classifiers of shuffled labels do not name the true ones beyond the largest class's share."""
    accuracy = max(float(run.engrams().correct.mean()) for run in runs)
    counts = [judged for _, judged in runs[0].data.balance]
    most = max(counts) / sum(counts) + beyond
    return Control(
        name="accuracy of the most accurate run on shuffled labels",
        value=accuracy,
        expectation=f"at most {most:.3g}, the largest class's share and {beyond:g}",
        passed=accuracy <= most,
    )
