"""Scatters of engrams for the report (writeup E, *Engram Cluster Visualizations*)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lazarus_bench.figures import MOST, Scatter

if TYPE_CHECKING:
    from lazarus_bench.analysis.measured import Floats
    from lazarus_bench.session.runs import Run

DIGITS = 4


def engram_scatter(title: str, run: Run) -> Scatter:
    """The engrams of the evaluation examples in the plane of their first two components.

    The components are those of all examples; of more than 300, so many drawn at random are shown.
    """
    from sklearn.decomposition import PCA

    read = run.engrams()
    plane = PCA(n_components=2, svd_solver="full").fit(read.engram)
    shown = np.sort(np.random.default_rng(0).permutation(len(read.label))[:MOST])
    places: Floats = plane.transform(read.engram[shown])
    x, y = map(float, plane.explained_variance_ratio_)
    return Scatter(
        title=f"{title}, {run.data.name}",
        subject=run.name,
        classes=run.data.classes,
        points=tuple(
            (round(float(a), DIGITS), round(float(b), DIGITS), int(label))
            for (a, b), label in zip(places, read.label[shown], strict=True)
        ),
        explained=(x, y),
    )
