"""How a cost grows with a size: curves on two logarithmic axes, each point with its interval."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from lazarus_bench.figures import draw
from lazarus_bench.figures.text import numbers

_LEFT, _TOP, _HIGH = 64, 30, 200


@dataclass(frozen=True, kw_only=True)
class CostCurve:
    """One cost: points (size, cost, the interval's low and high), positive, sizes ascending."""

    name: str
    points: tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Costs in `unit` along one size, on the machine `subject`."""

    title: str
    subject: str = ""
    along: str
    unit: str
    curves: tuple[CostCurve, ...]

    def says(self) -> str:
        """Say where each cost begins and ends."""
        return "; ".join(
            "{}: from {} to {} {}".format(
                curve.name, *numbers([curve.points[0][1], curve.points[-1][1]]), self.unit
            )
            for curve in self.curves
            if curve.points
        )

    def svg(self, *, heading: bool = True) -> str:
        """Draw it; a point's numbers show when it is pointed at."""
        points = [point for curve in self.curves for point in curve.points]
        costs = [math.log10(cost) for _, *limits in points for cost in limits if cost > 0] or [0.0]
        low, high = math.floor(min(costs)), math.ceil(max(costs))
        plot = draw.Plot(
            left=_LEFT,
            top=_TOP + 16 * heading,
            width=draw.WIDTH - _LEFT - 12,
            height=_HIGH,
            across=draw.Scale.over((math.log10(point[0]) for point in points), pad=0.05),
            up=draw.Scale(low=low, high=max(high, low + 1)),
        )
        parts = draw.heading(self.title, draw.WIDTH, wanted=heading)
        parts += self._axes(plot, sorted({point[0] for point in points}))
        for at, curve in enumerate(self.curves):
            parts += self._curve(plot, curve, at)
        entries = ((at, curve.name) for at, curve in enumerate(self.curves))
        names, bottom = draw.key(entries, plot.top + _HIGH + 38)
        return draw.document(draw.WIDTH, bottom + 4, self.title, self.says(), [*parts, *names])

    def _axes(self, plot: draw.Plot, sizes: list[float]) -> Iterator[str]:
        steps = max(1, math.ceil((plot.up.high - plot.up.low) / 8))
        for power in range(int(plot.up.low), int(plot.up.high) + 1, steps):
            _, y = plot.place(0.0, power)
            yield draw.line(plot.left, y, plot.left + plot.width, y, draw.stroke("rule"))
            yield draw.text(plot.left - 6, y + 4, f"{10.0**power:g}", anchor="end")
        bottom, taken = plot.top + plot.height, -math.inf
        for size in sizes:
            x, _ = plot.place(math.log10(size), 0.0)
            if x - taken >= 30:
                short = f"{size / 1000:g}k" if size >= 1000 else f"{size:g}"
                yield draw.text(x, bottom + 16, short, anchor="middle")
                taken = x
        yield draw.text(plot.left + plot.width / 2, bottom + 32, self.along, anchor="middle")
        yield draw.text(plot.left - 6, plot.top - 10, self.unit, anchor="end")

    def _curve(self, plot: draw.Plot, curve: CostCurve, at: int) -> Iterator[str]:
        colour, dash = draw.series(at)
        line = [(math.log10(size), math.log10(cost)) for size, cost, *_ in curve.points]
        yield from plot.polylines(line, draw.stroke(colour, 1.5, dash))
        for (x, y), (size, cost, low, high) in zip(line, curve.points, strict=True):
            across, middle = plot.place(x, y)
            ends = [plot.place(x, math.log10(limit))[1] for limit in (low, high) if limit > 0]
            yield draw.line(across, min(ends), across, max(ends), draw.stroke(colour))
            shown, least, most = numbers([cost, low, high])
            told = f"{curve.name}, {size:g}: {shown} [{least}, {most}] {self.unit}"
            yield draw.mark(at, across, middle, draw.fill(colour), told)
