"""Estimates drawn to scale: one lane each on a shared axis, the claim's region behind them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lazarus_bench.judge import Estimate, Interval, Pooled, Region
from lazarus_bench.report import printed, wording
from lazarus_bench.report.html.scale import Scale, Tick

_FAR = 1e300


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A stretch of the axis in percent; an open end goes on beyond it."""

    start: float
    end: float
    open_start: bool = False
    open_end: bool = False

    @property
    def width(self) -> float:
        """Length in percent."""
        return round(self.end - self.start, 2)


@dataclass(frozen=True, kw_only=True)
class Dot:
    """One seed's value: where it stands, in percent, and what it is."""

    at: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Lane:
    """One estimate.

    Attributes:
        at: place of the value in percent, or None where there is no estimate.
        wide: the interval of the verdict, or None.
        plain: the 95% interval, or None.
        dots: the seeds.
    """

    at: float | None = None
    wide: Bar | None = None
    plain: Bar | None = None
    dots: tuple[Dot, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Axis:
    """What all lanes of one figure share.

    Attributes:
        scale: the axis.
        region: the claim's region on it.
        edges: the region's edges, in percent.
        ticks: numbers to print.
    """

    scale: Scale
    region: Bar
    edges: tuple[float, ...]
    ticks: tuple[Tick, ...]


def axis(region: Region, estimates: Iterable[Estimate], pooled: Pooled | None = None) -> Axis:
    """Return the axis that holds the region's edges and all that is known of the estimates."""
    numbers = [n for item in estimates for n in _numbers(item)]
    if pooled:
        numbers += [pooled.interval.low, pooled.interval.high]
    return axis_over(region, numbers)


def axis_over(region: Region, numbers: Iterable[float]) -> Axis:
    """Return the axis that holds the region's edges and `numbers`."""
    scale = Scale.over([*region.edges(), *numbers])
    return Axis(
        scale=scale,
        region=_region(region, scale),
        edges=tuple(sorted({scale.at(edge) for edge in region.edges()})),
        ticks=scale.ticks(),
    )


def _numbers(item: Estimate) -> Iterator[float]:
    yield item.value
    yield from item.by_seed
    for span in (item.interval, item.interval95):
        yield from (span.low, span.high)


def _region(region: Region, scale: Scale) -> Bar:
    edges = region.edges()
    below, above = region.contains_value(-_FAR), region.contains_value(_FAR)
    start = scale.low if below else edges[0]
    end = scale.high if above else edges[-1]
    return Bar(start=scale.at(start), end=scale.at(end), open_start=below, open_end=above)


def lane(item: Estimate | None, axis: Axis) -> Lane:
    """Draw an estimate; without an interval its value stands alone."""
    if item is None:
        return Lane()
    drawn = wording.has_interval(item)
    return Lane(
        at=axis.scale.at(item.value),
        wide=bar(item.interval, axis.scale) if drawn else None,
        plain=bar(item.interval95, axis.scale) if drawn else None,
        dots=_dots(item.by_seed, axis.scale, "repeat" if item.scope == "repeats" else "seed"),
    )


def bar(span: Interval, scale: Scale) -> Bar:
    """Draw an interval."""
    return Bar(
        start=scale.at(max(span.low, scale.low)),
        end=scale.at(min(span.high, scale.high)),
        open_start=not span.low >= scale.low,
        open_end=not span.high <= scale.high,
    )


def _dots(values: Sequence[float], scale: Scale, unit: str) -> tuple[Dot, ...]:
    shown = enumerate(printed.numbers(values))
    return tuple(
        Dot(at=scale.at(value), text=f"{unit} {i}: {text}")
        for value, (i, text) in zip(values, shown, strict=True)
    )
