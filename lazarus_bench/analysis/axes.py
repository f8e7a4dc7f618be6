"""What the axes of a measured array are, and where its values can lie: annotated on its type.

    def gold_probability(self) -> SharesByLayer: ...

A number is annotated where it is declared, so that whoever stacks it over seeds (`session.samples`)
knows what its samples are of and where their mean can lie.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

Limits = tuple[float, float]


@dataclass(frozen=True)
class Axes:
    """Names of an array's axes, in the plural, and bounds of its values as far as they have any."""

    names: tuple[str, ...]
    bounds: Limits = (-math.inf, math.inf)


SHARE, COSINE = (0.0, 1.0), (-1.0, 1.0)
CLUSTERS = "clusters of prompts"

Hits = Annotated[npt.NDArray[np.bool_], Axes(("prompts",), SHARE)]
HitsByLayer = Annotated[npt.NDArray[np.bool_], Axes(("prompts", "layers"), SHARE)]
Shares = Annotated[npt.NDArray[np.float64], Axes(("prompts",), SHARE)]
SharesByLayer = Annotated[npt.NDArray[np.float64], Axes(("prompts", "layers"), SHARE)]
LayerShares = Annotated[npt.NDArray[np.float64], Axes(("layers",), SHARE)]
ClusterShares = Annotated[npt.NDArray[np.float64], Axes((CLUSTERS, "layers"), SHARE)]
ByLayer = Annotated[npt.NDArray[np.float64], Axes(("layers",))]
PromptsByLayer = Annotated[npt.NDArray[np.float64], Axes(("prompts", "layers"))]
ExpertCosines = Annotated[npt.NDArray[np.float64], Axes(("experts",), COSINE)]
ExpertHits = Annotated[npt.NDArray[np.bool_], Axes(("experts",), SHARE)]
EvaluatedHits = Annotated[npt.NDArray[np.bool_], Axes(("examples",), SHARE)]
