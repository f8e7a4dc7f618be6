"""Curves as panels: lines, bands and axes in percent of a panel."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean

from lazarus_bench.report import printed
from lazarus_bench.report.charts import Curve, Curves, LayerCurves, LayerSeries
from lazarus_bench.report.html.scale import Scale, Tick

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class Trace:
    """A line of a panel.

    Attributes:
        paths: its unbroken stretches, as the points of SVG polylines; y grows downwards.
        band: the outline from the lowest to the highest of the seeds; empty without one.
        kind: what the line stands for; "series", "seed", "mean" or "null".
        number: which series it is, for its dash and mark.
        name: what a legend calls it.
        marks: (x, y) of single points, drawn where there are few.
    """

    paths: tuple[str, ...]
    kind: str
    band: str = ""
    number: int = 0
    name: str = ""
    marks: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One small chart.

    Attributes:
        title: what it shows.
        description: the same for who cannot see it.
        x: ticks of the horizontal axis.
        y: ticks of the vertical axis, in percent from below.
        traces: its lines, the first below the others.
        limit: height of the null's upper limit in percent from above, or None.
    """

    title: str
    description: str
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]
    traces: tuple[Trace, ...]
    limit: float | None = None


def training_panels(item: Curves) -> tuple[Panel, ...]:
    """Draw each logged number of a training: the seeds thin, their mean on top."""
    return tuple(map(_training_panel, item.series))


def _training_panel(curve: Curve) -> Panel:
    points = [point for line in curve.lines for point in line if _finite(point)]
    across = Scale.over((x for x, _ in points), pad=0.02)
    up = Scale.over(y for _, y in points)
    seeds = tuple(_trace(line, across, up, "seed") for line in curve.lines)
    course = _means(curve)
    middle = _trace(course, across, up, "mean")
    return Panel(
        title=curve.name,
        description=_course(curve, course),
        x=across.ticks(),
        y=up.ticks(),
        traces=(*seeds, middle) if len(seeds) > 1 else (middle,),
    )


def _means(curve: Curve) -> list[tuple[float, float]]:
    """The mean over the seeds that have a finite number at a step."""
    found: dict[float, list[float]] = {}
    for x, y in (point for line in curve.lines for point in line if _finite(point)):
        found.setdefault(x, []).append(y)
    return [(x, mean(values)) for x, values in sorted(found.items())]


def _course(curve: Curve, course: Points) -> str:
    if not course:
        return "No finite number was logged."
    (_, first), (end, last) = course[0], course[-1]
    least, most = min(y for _, y in course), max(y for _, y in course)
    seeds = len(curve.lines)
    over = f"mean over {seeds} seeds" if seeds > 1 else "one seed"
    first_, last_, least_, most_ = printed.numbers([first, last, least, most])
    return f"{over}: from {first_} to {last_} at {end:g}; least {least_}, most {most_}"


def _trace(line: Points, across: Scale, up: Scale, kind: str) -> Trace:
    return Trace(paths=tuple(_stretches(line, across, up)), kind=kind)


def _stretches(line: Points, across: Scale, up: Scale) -> Iterator[str]:
    """Break a line where a number is missing."""
    drawn: list[str] = []
    for point in line:
        if _finite(point):
            drawn.append(_place(point, across, up))
        elif drawn:
            yield " ".join(drawn)
            drawn = []
    if drawn:
        yield " ".join(drawn)


def _place(point: tuple[float, float], across: Scale, up: Scale) -> str:
    return f"{across.at(point[0]):g},{_down(point[1], up):g}"


def _down(value: float, up: Scale) -> float:
    return round(100 - up.at(value), 2)


def _finite(point: tuple[float, float]) -> bool:
    return all(map(math.isfinite, point))


def layer_panel(item: LayerCurves) -> Panel:
    """Draw the readings of every layer with the band of the seeds, and the null."""
    columns = [c for s in item.series for c in (s.mean, s.lowest, s.highest)]
    columns += [item.null.mean, (item.null.upper,)] if item.null else []
    up = Scale.over(value for column in columns for value in column)
    across = Scale.over(map(float, item.layers), pad=0.04)
    traces = [_series(item, series, i, across, up) for i, series in enumerate(item.series)]
    if item.null:
        line = list(zip(map(float, item.layers), item.null.mean, strict=True))
        traces.insert(0, _trace(line, across, up, "null"))
    upper = item.null.upper if item.null else math.nan
    return Panel(
        title=item.title,
        description=_readings(item),
        x=_layer_ticks(item, across),
        y=up.ticks(),
        traces=tuple(traces),
        limit=_down(upper, up) if math.isfinite(upper) else None,
    )


def _series(item: LayerCurves, one: LayerSeries, i: int, across: Scale, up: Scale) -> Trace:
    layers = list(map(float, item.layers))
    line = list(zip(layers, one.mean, strict=True))
    top = list(zip(layers, one.highest, strict=True))
    bottom = list(zip(layers, one.lowest, strict=True))[::-1]
    outline = [_place(point, across, up) for point in (*top, *bottom) if _finite(point)]
    return Trace(
        paths=tuple(_stretches(line, across, up)),
        kind="series",
        band=" ".join(outline) if one.seeds > 1 else "",
        number=i,
        name=one.name,
        marks=tuple((across.at(x), _down(y, up)) for x, y in line if _finite((x, y))),
    )


def _layer_ticks(item: LayerCurves, across: Scale) -> tuple[Tick, ...]:
    step = max(1, math.ceil(len(item.layers) / 12))
    return tuple(Tick(at=across.at(layer), text=f"L{layer}") for layer in item.layers[::step])


def _readings(item: LayerCurves) -> str:
    return "; ".join(_best(item, series) for series in item.series)


def _best(item: LayerCurves, series: LayerSeries) -> str:
    finite = [i for i, value in enumerate(series.mean) if math.isfinite(value)]
    if not finite:
        return f"{series.name}: no finite number"
    best = max(finite, key=lambda i: series.mean[i])
    value = printed.number(series.mean[best])
    return f"{series.name}: highest {value} at layer {item.layers[best]}"
