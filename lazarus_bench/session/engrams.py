"""Evidence about runs' engrams, and controls for it.

Imported by claim files at collection, so it needs no mlx.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lazarus_bench.judge import Control, Evidence, Resampled
from lazarus_bench.judge.bounds import Limits
from lazarus_bench.session.samples import Samples, mean

if TYPE_CHECKING:
    from lazarus_bench.analysis.engrams import ClusterDraws
    from lazarus_bench.analysis.measured import Floats
    from lazarus_bench.session.run import Run

EXAMPLES = "examples"
"""What the units of its evidence are called."""

Draws = Callable[["ClusterDraws"], "Floats"]

SIGNED: Limits = (-1.0, 1.0)
"""Where a cosine, a silhouette or an adjusted Rand index can lie."""

SIGNED_DIFFERENCE: Limits = (-2.0, 2.0)
"""Where the difference of two such can lie."""


def statistic(value: Samples, draws: Draws) -> Evidence:
    """A statistic of clusters, or its difference between two trainings, a number a seed.

    Over seeds a difference is paired by seed. Of one seed everything is refitted in resamples of
    the examples, which `draws` picks from, the same ones for both sides of a difference.
    """
    if len(value) > 1:
        paired = {} if value.pair is None else {"paired": "seeds", "support": False}
        return mean(value, items=EXAMPLES, **paired)
    first, *others = value.asked.runs
    apart = draws(first.cluster_draws())
    for other in others:
        apart = apart - draws(other.cluster_draws())
    return Resampled(
        value=float(value.values[0]),
        draws=apart.tolist(),
        size=len(first.engrams().label),
        items=EXAMPLES,
    )


def unshared(*trained: Sequence[Run]) -> Control:
    """No text is both trained and evaluated on.

    The splits that are read have none in common; what an artifact was trained on has to be theirs.
    """
    others = sum(not run.learnt_its_split for runs in trained for run in runs)
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
