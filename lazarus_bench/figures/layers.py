"""Curves over layers: a line and a mark for each series, the band of its seeds, and the null."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import mean

from lazarus_bench.figures import draw
from lazarus_bench.figures.text import number, over_seeds

_LEFT, _HIGH = 44, 170


@dataclass(frozen=True, kw_only=True)
class LayerSeries:
    """One measurement of every layer over seeds; mean, lowest and highest have a number a layer."""

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
    """The null: how it was made, its mean by layer, and the 95th percentile of its best layer."""

    name: str
    mean: tuple[float, ...]
    upper: float


@dataclass(frozen=True, kw_only=True)
class LayerCurves:
    """Measurements of every layer of one subject in `unit`, with the null they are compared with.

    Layers are 0-based and ascending, at least one.

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

    def best(self, series: LayerSeries) -> tuple[float, int] | None:
        """Return the highest finite mean of a series and its layer, or None without one."""
        pairs = zip(series.mean, self.layers, strict=True)
        finite = (pair for pair in pairs if math.isfinite(pair[0]))
        return max(finite, key=lambda pair: pair[0], default=None)

    def says(self) -> str:
        """Say what there is to see: the highest number of every series."""
        found = ((series.name, self.best(series)) for series in self.series)
        return "; ".join(
            f"{name}: highest {number(best[0])} at layer {best[1]}"
            if best
            else f"{name}: no finite number"
            for name, best in found
        )

    def svg(self, *, heading: bool = False) -> str:
        """Draw it; a mark's number shows when it is pointed at."""
        title = f"{self.title}: {self.subject}"
        parts = draw.heading(f"{title}, {self.unit}", draw.WIDTH, wanted=heading)
        columns = [c for one in self.series for c in (one.mean, one.lowest, one.highest)]
        columns += [self.null.mean, (self.null.upper,)] if self.null else []
        plot = draw.Plot(
            left=_LEFT,
            top=6 + 16 * len(parts),
            width=draw.WIDTH - _LEFT - 12,
            height=_HIGH,
            across=draw.Scale.over(map(float, self.layers), pad=0.04),
            up=draw.Scale.over(chain.from_iterable(columns)),
        )
        layers = draw.spread(self.layers, 9)
        ticks = [draw.Tick(at=plot.across.at(layer), text=f"L{layer}") for layer in layers]
        parts += [*self._bands(plot), *plot.axes(ticks), *self._null(plot)]
        for at, one in enumerate(self.series):
            parts += self._series(plot, one, at)
        entries: list[tuple[int | None, str]] = [(at, s.name) for at, s in enumerate(self.series)]
        if self.null:
            upper = number(self.null.upper)
            said = f"null: {self.null.name}; dashed across: 95% of its best layers, {upper}"
            entries.append((None, said))
        names, bottom = draw.key(entries, plot.top + plot.height + 26)
        return draw.document(draw.WIDTH, bottom + 6, title, self.says(), [*parts, *names])

    def _bands(self, plot: draw.Plot) -> Iterator[str]:
        """From the lowest seed to the highest, where both are known."""
        for at, one in enumerate(self.series):
            rows = list(zip(map(float, self.layers), one.highest, one.lowest, strict=True))
            known = [row for row in rows if all(map(math.isfinite, row))]
            if one.seeds > 1 and known:
                outline = [(x, high) for x, high, _ in known]
                outline += [(x, low) for x, _, low in reversed(known)]
                points = " ".join(f"{x:.5g},{y:.5g}" for x, y in (plot.place(*p) for p in outline))
                colour = draw.fill(draw.series(at)[0])
                yield f'<polygon points="{points}" fill-opacity="0.14" {colour}/>'

    def _null(self, plot: draw.Plot) -> Iterator[str]:
        if self.null is None:
            return
        points = zip(map(float, self.layers), self.null.mean, strict=True)
        yield from plot.polylines(points, draw.stroke("soft", 2, "1 4"))
        if math.isfinite(self.null.upper):
            _, y = plot.place(0.0, self.null.upper)
            yield draw.line(plot.left, y, plot.left + plot.width, y, draw.stroke("soft", 1, "6 4"))

    def _series(self, plot: draw.Plot, one: LayerSeries, at: int) -> Iterator[str]:
        colour, dash = draw.series(at)
        yield from plot.polylines(
            zip(map(float, self.layers), one.mean, strict=True), draw.stroke(colour, 2, dash)
        )
        rows = zip(self.layers, one.mean, one.lowest, one.highest, strict=True)
        for layer, middle, low, high in rows:
            if math.isfinite(middle):
                shown = over_seeds(middle, low, high) if one.seeds > 1 else number(middle)
                told = f"{one.name}, L{layer}: {shown}"
                yield draw.mark(at, *plot.place(float(layer), middle), draw.fill(colour), told)
