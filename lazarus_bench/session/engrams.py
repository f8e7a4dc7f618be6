"""What a run's engrams show, each reading taken once a session; evidence and controls for them.

Imported by claim files at collection, so it needs no mlx.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from lazarus_bench.judge import Control, Differences, Evidence, Means, Resampled
from lazarus_bench.judge.bounds import Limits
from lazarus_bench.tasks.labelled_data import LabelledData, digest_of, read_data
from lazarus_bench.training import Engram, Recipe

if TYPE_CHECKING:
    from lazarus_bench.analysis.clusters import ClusterDraws, Clusters, Cosines
    from lazarus_bench.analysis.engrams import EngramReading, Fed
    from lazarus_bench.analysis.geometry import Floats

Reading = TypeVar("Reading")

EXAMPLES = "examples"
"""What the units of its evidence are called."""


class EngramReadings(ABC):
    """Readings of a training of `Engram`; `Run` adds where it lies and the memory of readings."""

    @property
    @abstractmethod
    def made_by(self) -> Recipe:
        """The recipe that was run."""

    @abstractmethod
    def _once(self, key: Any, read: Callable[[], Reading]) -> Reading:
        """The reading under `key`, taken the first time a session asks for it."""

    @abstractmethod
    def _kept(self, key: Any, read: Callable[[], Reading]) -> Reading:
        """The same, kept beyond the session."""

    @abstractmethod
    def _engrams(self, data: LabelledData, fed: Fed) -> EngramReading:
        """Engrams and predictions of the evaluation examples."""

    @property
    @abstractmethod
    def _learnt(self) -> str:
        """Digest of the examples that the training read."""

    @property
    def data(self) -> LabelledData:
        """What it was trained on and is evaluated on.

        Raises:
            TypeError: it was trained by another recipe.
        """
        recipe = self.made_by
        if not isinstance(recipe, Engram):
            raise TypeError(f"{recipe.label} has no labelled data")
        return self._once("data", lambda: read_data(recipe.data))

    def engrams(self, fed: Fed = "zero") -> EngramReading:
        """Engrams and predictions of the evaluation examples, each behind the prefix `fed`."""
        return self._kept(("engrams", fed), lambda: self._engrams(self.data, fed))

    @property
    def learnt_its_split(self) -> bool:
        """Whether it learnt the training split as it is today, which evaluation shares no text of.

        Generated examples change with the code that draws them, and an artifact does not.
        """
        return self._learnt == digest_of(self.data.train)

    def clusters(self) -> Clusters:
        """k-means on the engrams, matched to the classes."""
        from lazarus_bench.analysis.clusters import cluster

        found = self.engrams()
        return self._kept("clusters", lambda: cluster(found.engram, found.label))

    def engram_cosines(self, centred: bool = False) -> Cosines:
        """Cosines of engrams within and between classes."""
        from lazarus_bench.analysis.clusters import cosines

        found = self.engrams()
        return self._kept(
            ("engram cosines", centred),
            lambda: cosines(found.engram, found.label, centred),
        )

    def engram_silhouettes(self) -> Floats:
        """Silhouettes of (up to 2,000) engrams among the classes `[text]`."""
        from lazarus_bench.analysis.clusters import silhouettes

        found = self.engrams()
        return self._kept("engram silhouettes", lambda: silhouettes(found.engram, found.label))

    @property
    def can_be_resampled(self) -> bool:
        """Whether the classes have the examples that `cluster_draws` takes."""
        from lazarus_bench.analysis.clusters import LEAST_TO_RESAMPLE

        return min(judged for _, judged in self.data.balance) >= LEAST_TO_RESAMPLE

    def cluster_draws(self) -> ClusterDraws:
        """Cluster statistics of resampled examples, the same resamples for every run."""
        from lazarus_bench.analysis.clusters import bootstrap

        found = self.engrams()
        return self._kept("cluster draws", lambda: bootstrap(found.engram, found.label))


Value = Callable[[EngramReadings], float]
Draws = Callable[["ClusterDraws"], "Floats"]

SIGNED: Limits = (-1.0, 1.0)
"""Where a cosine, a silhouette or an adjusted Rand index can lie."""

SIGNED_DIFFERENCE: Limits = (-2.0, 2.0)
"""Where the difference of two such can lie."""


def statistic(
    runs: Sequence[EngramReadings], value: Value, draws: Draws, bounds: Limits
) -> Evidence:
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
    first: Sequence[EngramReadings],
    second: Sequence[EngramReadings],
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


def unshared(runs: Sequence[EngramReadings]) -> Control:
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


def room_for_accuracy(runs: Sequence[EngramReadings], by: float) -> Control:
    """The classifiers are not so accurate, over seeds, that a gain of `by` could not show."""
    before = float(np.mean([run.engrams().correct.mean() for run in runs]))
    return Control(
        name="accuracy before the change, mean over runs",
        value=before,
        expectation=f"at most {1 - by:g}, so that a gain of {by:g} can show",
        passed=before <= 1 - by,
    )


def nothing_from_shuffled(runs: Sequence[EngramReadings], beyond: float) -> Control:
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
