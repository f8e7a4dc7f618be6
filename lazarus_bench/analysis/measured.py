"""What an instrument measures and what it returns: a model, and arrays whose types tell their axes.

    def gold_probability(self) -> SharesByLayer: ...

Whoever stacks an array over seeds (`session.samples`) learns from its annotation what its samples
are and where their mean can lie.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from lazarus_bench.models.load import LoadedModel
    from lazarus_bench.tasks.labelled_data import DataSource

Result = TypeVar("Result")

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]
States = Singles
"""Residuals at the last position, `[prompt, layer, d]` unless said otherwise."""

Limits = tuple[float, float]


@dataclass(frozen=True)
class Axes:
    """Names of an array's axes, in the plural, and bounds of its values as far as they have any."""

    names: tuple[str, ...]
    bounds: Limits = (-math.inf, math.inf)


SHARE, COSINE = (0.0, 1.0), (-1.0, 1.0)
CLUSTERS = "clusters of prompts"

Hits = Annotated[Bools, Axes(("prompts",), SHARE)]
HitsByLayer = Annotated[Bools, Axes(("prompts", "layers"), SHARE)]
Shares = Annotated[Floats, Axes(("prompts",), SHARE)]
SharesByLayer = Annotated[Floats, Axes(("prompts", "layers"), SHARE)]
LayerShares = Annotated[Floats, Axes(("layers",), SHARE)]
ClusterShares = Annotated[Floats, Axes((CLUSTERS, "layers"), SHARE)]
ByLayer = Annotated[Floats, Axes(("layers",))]
PromptsByLayer = Annotated[Floats, Axes(("prompts", "layers"))]
ExpertCosines = Annotated[Floats, Axes(("experts",), COSINE)]
ExpertHits = Annotated[Bools, Axes(("experts",), SHARE)]
EvaluatedHits = Annotated[Bools, Axes(("examples",), SHARE)]


class Measured(Protocol):
    """A model under measurement, for an instrument that needs more than its weights in memory.

    `session.runs.Run` as far as instruments know it.
    """

    @property
    def seed(self) -> int:
        """The seed of the base and the training."""

    @property
    def directory(self) -> Path:
        """The model's files."""

    @property
    def made(self) -> Path:
        """The artifact of the training."""

    @property
    def data_source(self) -> DataSource:
        """The labelled data that it was trained on."""

    @property
    def loaded(self) -> LoadedModel:
        """The model in memory, with its quirk."""

    @property
    def plain(self) -> LoadedModel:
        """The same model without a quirk."""

    def states(self, texts: Sequence[str]) -> States:
        """Residuals at the last position `[prompt, layer, d]`, read once a session."""

    def read(self, instrument: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """What another instrument measures of the same model, measured once."""
