"""What a report draws, as data: curves over a training, and curves over a model's layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

Line = tuple[tuple[float, float], ...]
"""Points (x, y) of one seed, x ascending; y is the mean of what came since the point before."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One logged number over a training: a line for each seed."""

    name: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, kw_only=True)
class Curves:
    """What the trainings of one recipe logged, over all seeds.

    Attributes:
        title: What was trained; with `subject` it names the curves in a report.
        subject: What it was trained on.
        x: What the x axis counts.
        unit: Unit of every y.
        series: The logged numbers.
    """

    title: str
    subject: str
    x: str = "step"
    unit: str
    series: tuple[Curve, ...]


@dataclass(frozen=True, kw_only=True)
class LayerSeries:
    """One reading of every layer, over seeds; mean, lowest and highest have one number a layer."""

    name: str
    mean: tuple[float, ...]
    lowest: tuple[float, ...]
    highest: tuple[float, ...]
    seeds: int = 1

    @classmethod
    def of(cls, name: str, values: Sequence[Sequence[float]]) -> LayerSeries:
        """Summarise `values[seed][layer]`, finite, with as many layers for every seed."""
        layers = [[float(value) for value in layer] for layer in zip(*values, strict=True)]
        return cls(
            name=name,
            mean=tuple(map(mean, layers)),
            lowest=tuple(map(min, layers)),
            highest=tuple(map(max, layers)),
            seeds=len(values),
        )


@dataclass(frozen=True, kw_only=True)
class NullBand:
    """What the reading shows where there is nothing to read.

    Attributes:
        name: How the null was made.
        mean: Its mean, one number a layer.
        upper: The 95th percentile of its maximum over layers, with which a best layer compares.
    """

    name: str
    mean: tuple[float, ...]
    upper: float


@dataclass(frozen=True, kw_only=True)
class LayerCurves:
    """Readings of every layer of one subject, with a null band where one was made.

    Attributes:
        title: What was read; with `subject` it names the curves in a report.
        subject: Of which model.
        unit: Unit of every number.
        layers: The layers' numbers (0-based), ascending, at least one.
        series: The readings.
        null: The null that all of them are compared with, or None.

    Raises:
        ValueError: A series or the null has more or fewer numbers than there are layers.
    """

    title: str
    subject: str
    unit: str
    layers: tuple[int, ...]
    series: tuple[LayerSeries, ...]
    null: NullBand | None = None

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError(f"the layer curves {self.title!r} have no layer")
        columns = [(s.name, c) for s in self.series for c in (s.mean, s.lowest, s.highest)]
        columns += [(self.null.name, self.null.mean)] if self.null else []
        for name, column in columns:
            if len(column) != len(self.layers):
                raise ValueError(
                    f"{name!r} has {len(column)} numbers for {len(self.layers)} layers"
                )
