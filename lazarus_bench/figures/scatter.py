"""Scatters: points of several classes in a plane, a class by colour and by shape."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from lazarus_bench.figures.draw import WIDTH, document, fill, mark, series, stroke, text
from lazarus_bench.figures.draw import heading as heading_of

MOST = 300
"""Points of a scatter: more hide one another, and make the report's file long."""

_EDGE, _KEY = 14, 18


@dataclass(frozen=True, kw_only=True)
class Scatter:
    """Texts in the plane of their first two principal components.

    Points are (x, y, index of the class), at most 300; `explained` has the shares of the variance
    along x and y.

    Raises:
        ValueError: A point has no class, or there are too many.
    """

    title: str
    subject: str
    classes: tuple[str, ...]
    points: tuple[tuple[float, float, int], ...]
    explained: tuple[float, float]

    def __post_init__(self) -> None:
        if len(self.points) > MOST:
            raise ValueError(f"the scatter {self.title!r} has more than {MOST} points")
        if any(not 0 <= label < len(self.classes) for *_, label in self.points):
            raise ValueError(f"a point of the scatter {self.title!r} is of no class")

    def says(self) -> str:
        """Say how many examples there are, and of which class."""
        counts = Counter(label for *_, label in self.points)
        sizes = ", ".join(f"{name} {counts[at]}" for at, name in enumerate(self.classes))
        return f"{len(self.points)} examples in a plane, by class: {sizes}"

    def axes(self) -> str:
        """Say what the axes hold of the variance."""
        x, y = (f"{share:.0%}" if math.isfinite(share) else "?" for share in self.explained)
        return f"{len(self.points)} examples; the axes hold {x} and {y} of the variance."

    def placed(self, top: float = 0.0) -> Iterator[tuple[float, float, int]]:
        """Place every finite point in a square below `top`, both axes on one scale, y downwards."""
        drawn = [point for point in self.points if all(map(math.isfinite, point[:2]))]
        if not drawn:
            return
        xs, ys = ([point[axis] for point in drawn] for axis in (0, 1))
        # Halves, because the span of the largest floats is no float.
        reach = max(max(v) / 2 - min(v) / 2 for v in (xs, ys)) or 1.0
        x0, y0 = (min(v) / 2 + max(v) / 2 for v in (xs, ys))
        half = WIDTH / 2 - _EDGE
        for x, y, label in drawn:
            across, up = (x / 2 - x0 / 2) / reach * 2, (y / 2 - y0 / 2) / reach * 2
            yield WIDTH / 2 + half * across, top + WIDTH / 2 - half * up, label

    def svg(self, *, heading: bool = False) -> str:
        """Draw it, with the key of its classes."""
        title = f"{self.title}: {self.subject}"
        parts = heading_of(title, WIDTH, wanted=heading)
        top = 16.0 * len(parts) + 6 * bool(parts)
        side = WIDTH - 1
        square = f'<rect x="0.5" y="{top + 0.5}" width="{side}" height="{side}"'
        parts.append(f"{square} {stroke('rule')}/>")
        for x, y, label in self.placed(top):
            colour = fill(series(label)[0])
            parts.append(mark(label, round(x, 1), round(y, 1), f'{colour} fill-opacity="0.65"'))
        counts = Counter(label for *_, label in self.points)
        for at, name in enumerate(self.classes):
            y = top + WIDTH + _KEY * (at + 0.75)
            parts.append(mark(at, _EDGE, y, fill(series(at)[0])))
            parts.append(text(2 * _EDGE, y + 4, f"{name} ({counts[at]})", colour="ink"))
        height = top + WIDTH + _KEY * len(self.classes) + 6
        return document(WIDTH, height, title, self.says(), parts)
