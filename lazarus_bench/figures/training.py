"""Training curves: a panel for each logged number, the seeds thin and their mean on top."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean

from lazarus_bench.figures.draw import Plot, Scale, document, stroke, text
from lazarus_bench.figures.draw import heading as heading_of
from lazarus_bench.figures.text import numbers

Line = tuple[tuple[float, float], ...]
"""Points (x, y) of one seed, x ascending; y is the mean of what came since the point before."""

_LEFT, _TOP, _WIDE, _HIGH = 46, 26, 230, 140
_PANEL = (_LEFT + _WIDE + 12, _TOP + _HIGH + 26)
_COLUMNS = 3


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One logged number over a training: a line for each seed."""

    name: str
    lines: tuple[Line, ...]

    def course(self) -> list[tuple[float, float]]:
        """Return the mean over the seeds that have a finite number at a step, by step."""
        found: dict[float, list[float]] = {}
        for x, y in (point for line in self.lines for point in line if _finite(point)):
            found.setdefault(x, []).append(y)
        return [(x, mean(values)) for x, values in sorted(found.items())]

    def says(self) -> str:
        """Say how the mean went: first, last, least and most."""
        course = self.course()
        if not course:
            return "No finite number was logged."
        (_, first), (end, last) = course[0], course[-1]
        least, most = min(y for _, y in course), max(y for _, y in course)
        over = f"Mean over {len(self.lines)} seeds" if len(self.lines) > 1 else "One seed"
        a, b, low, high = numbers([first, last, least, most])
        return f"{over}: from {a} to {b} at {end:g}; least {low}, most {high}"

    def svg(self) -> str:
        """Draw its panel alone."""
        width, height = _PANEL
        above = _TOP - 8
        drawn = self.drawn(0, -above, named=False)
        return document(width, height - above, self.name, self.says(), drawn)

    def drawn(self, left: float, top: float, *, named: bool) -> Iterator[str]:
        """Draw its panel with the corner at (left, top), its name above where `named`."""
        points = [point for line in self.lines for point in line if _finite(point)]
        plot = Plot(
            left=left + _LEFT,
            top=top + _TOP,
            width=_WIDE,
            height=_HIGH,
            across=Scale.over((x for x, _ in points), pad=0.02),
            up=Scale.over(y for _, y in points),
        )
        if named:
            yield text(
                plot.left, plot.top - 10, self.name, colour="ink", more=' font-weight="bold"'
            )
        yield from plot.axes()
        if len(self.lines) > 1:
            for line in self.lines:
                yield from plot.polylines(line, stroke("strong", 1) + ' stroke-opacity="0.7"')
        yield from plot.polylines(self.course(), stroke("c0", 2.2))


@dataclass(frozen=True, kw_only=True)
class Curves:
    """What the trainings of one recipe on `subject` logged over all seeds; `unit` is that of y."""

    title: str
    subject: str
    x: str = "step"
    unit: str
    series: tuple[Curve, ...]

    def says(self) -> str:
        """Say how each logged number went."""
        return "; ".join(f"{curve.name}: {curve.says()}" for curve in self.series)

    def svg(self, *, heading: bool = False) -> str:
        """Draw all panels; every one has a scale of its own."""
        return trainings([self], heading=heading)


def trainings(items: Sequence[Curves], *, heading: bool = True) -> str:
    """Draw the curves of several trainings one below another."""
    across = min(_COLUMNS, max((len(item.series) for item in items), default=1)) or 1
    width, parts, top = across * _PANEL[0], [], 4
    for item in items:
        if heading:
            named = heading_of(f"{item.title}: {item.subject}", width, wanted=True)
            parts += [f'<g transform="translate(0 {top})">', *named, "</g>"]
            top += 16 * len(named)
            parts.append(text(8, top + 14, f"{item.unit}, by {item.x}"))
            top += 22
        for start in range(0, len(item.series), across):
            for at, curve in enumerate(item.series[start : start + across]):
                parts += curve.drawn(at * _PANEL[0], top, named=True)
            top += _PANEL[1]
    title = "; ".join(f"{item.title}: {item.subject}" for item in items)
    return document(width, top + 4, title, "; ".join(item.says() for item in items), parts)


def _finite(point: tuple[float, float]) -> bool:
    return all(map(math.isfinite, point))
