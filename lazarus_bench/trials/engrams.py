"""What a run's engrams show, each reading taken once a session; evidence and controls for them.

Imported by claim files at collection, so it needs no mlx.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from lazarus_bench.judge import Control, Differences, Evidence, Means, Resampled
from lazarus_bench.tasks.labelled_data import LabelledData, key_of, read_data
from lazarus_bench.training.specs import Engram, Recipe

if TYPE_CHECKING:
    from lazarus_bench.analysis.clusters import ClusterDraws, Clusters, Cosines
    from lazarus_bench.analysis.engrams import EngramReading
    from lazarus_bench.analysis.geometry import Floats

Reading = TypeVar("Reading")

EXAMPLES = "examples"


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
    def _engrams(self, data: LabelledData) -> EngramReading:
        """Engrams and predictions of the evaluation examples."""

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

    def engrams(self) -> EngramReading:
        """Engrams and predictions of the evaluation examples."""
        return self._kept("engrams", lambda: self._engrams(self.data))

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

    def cluster_draws(self) -> ClusterDraws:
        """Cluster statistics of resampled examples, the same resamples for every run."""
        from lazarus_bench.analysis.clusters import bootstrap

        found = self.engrams()
        return self._kept("cluster draws", lambda: bootstrap(found.engram, found.label))


Value = Callable[[EngramReadings], float]
Draws = Callable[["ClusterDraws"], "Floats"]


def statistic(runs: Sequence[EngramReadings], value: Value, draws: Draws) -> Evidence:
    """A statistic of clusters: over seeds, or of one run with everything refitted in resamples."""
    if len(runs) > 1:
        return Means(values=[[value(run)] for run in runs], items=EXAMPLES)
    only = runs[0]
    return Resampled(
        value=value(only),
        draws=draws(only.cluster_draws()).tolist(),
        size=len(only.engrams().label),
        items=EXAMPLES,
    )


def statistic_difference(
    first: Sequence[EngramReadings], second: Sequence[EngramReadings], value: Value, draws: Draws
) -> Evidence:
    """A statistic of `first` minus that of `second`: paired by seed, or by resampled examples."""
    if len(first) > 1:
        return Differences(
            first=[[value(run)] for run in first],
            second=[[value(run)] for run in second],
            paired="seeds",
            items=EXAMPLES,
            support=False,
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
    """No text is both trained and evaluated on."""
    shared = 0
    for run in runs:
        learned = {key_of(example.text) for example in run.data.train}
        shared = max(shared, sum(key_of(e.text) in learned for e in run.data.validation))
    return Control(
        name="texts shared by training and evaluation",
        value=float(shared),
        expectation="0",
        passed=shared == 0,
    )


def room_for_accuracy(runs: Sequence[EngramReadings], by: float) -> Control:
    """No classifier is so accurate that a gain of `by` could not show."""
    best = max(float(run.engrams().correct.mean()) for run in runs)
    return Control(
        name="accuracy of the most accurate run before the change",
        value=best,
        expectation=f"at most {1 - by:g}, so that a gain of {by:g} can show",
        passed=best <= 1 - by,
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
