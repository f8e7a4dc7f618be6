"""Scatters: points of several classes in a plane, as data, as SVG and in Markdown."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lazarus_bench.report.escaping import code, prose, xml
from lazarus_bench.report.layout import picture

FOLDER = "scatters"
MOST = 300
"""Points of a scatter: more hide one another, and make the report's file long."""

_ALT = "each example a mark, its class by colour and shape"
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's: told apart by the colour-blind, too."""

_SHAPES = ("circle", "square", "diamond", "triangle")
SIZE = 360
"""Side of the square that the points lie in."""

_EDGE, _KEY, _RADIUS = 14, 22, 3.2


@dataclass(frozen=True, kw_only=True)
class Scatter:
    """Texts in the plane of their first two principal components.

    Attributes:
        title: What is drawn; with `subject` it names the scatter in a report.
        subject: Of which model.
        classes: The classes' names, at least one.
        points: (x, y, index of the class), at most 300.
        explained: Shares of the variance along x and along y.

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


def scatter_section(scatters: Sequence[Scatter]) -> Iterator[str]:
    """Link all scatters below one heading; nothing where there are none."""
    if scatters:
        yield "## Engrams in the plane of their first two principal components"
        yield from (_linked(item, at) for at, item in enumerate(scatters))


def _linked(item: Scatter, at: int) -> str:
    heading = f"### {prose(item.title)}: {code(item.subject)}"
    x, y = (f"{share:.0%}" for share in item.explained)
    text = f"{len(item.points)} examples; the axes hold {x} and {y} of the variance."
    return f"{heading}\n\n![{_ALT}]({picture(FOLDER, at)})\n\n{text}"


def placed(item: Scatter) -> tuple[tuple[float, float, int], ...]:
    """Every finite point in a square of `SIZE` units, both axes on one scale, y downwards."""
    drawn = [point for point in item.points if all(map(math.isfinite, point[:2]))]
    place = _scale(drawn)
    return tuple((*place(x, y), label) for x, y, label in drawn)


def counted(item: Scatter) -> tuple[int, ...]:
    """How many points each class has."""
    counts = Counter(label for *_, label in item.points)
    return tuple(counts[label] for label in range(len(item.classes)))


def svg(item: Scatter) -> str:
    """Draw a scatter, both axes on one scale, classes by colour and by shape, with their key."""
    named = zip(item.classes, counted(item), strict=True)
    height = SIZE + _KEY * len(item.classes) + _EDGE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {height}" '
        f'width="{SIZE}" height="{height}" role="img" font-family="sans-serif" font-size="13">',
        f"<title>{xml(f'{item.title}: {item.subject}')}</title>",
        f'<rect width="{SIZE}" height="{height}" fill="white"/>',
        f'<rect x="0.5" y="0.5" width="{SIZE - 1}" height="{SIZE - 1}" fill="none" '
        f'stroke="#999999"/>',
        *(_mark(x, y, label, 0.65) for x, y, label in placed(item)),
        *(_key(name, count, at) for at, (name, count) in enumerate(named)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _scale(
    points: Sequence[tuple[float, float, int]],
) -> Callable[[float, float], tuple[float, float]]:
    xs, ys = ([point[axis] for point in points] or [0.0] for axis in (0, 1))
    middle = [(min(values) + max(values)) / 2 for values in (xs, ys)]
    reach = max(max(xs) - min(xs), max(ys) - min(ys)) or 1.0
    step = (SIZE - 2 * _EDGE) / reach

    def place(x: float, y: float) -> tuple[float, float]:
        return SIZE / 2 + (x - middle[0]) * step, SIZE / 2 - (y - middle[1]) * step

    return place


def _mark(x: float, y: float, label: int, opacity: float) -> str:
    style = f'fill="{_COLOURS[label % len(_COLOURS)]}" fill-opacity="{opacity:g}"'
    r = _RADIUS
    corners = {
        "square": ((-r, -r), (r, -r), (r, r), (-r, r)),
        "diamond": ((0, -1.3 * r), (1.3 * r, 0), (0, 1.3 * r), (-1.3 * r, 0)),
        "triangle": ((0, -1.2 * r), (1.2 * r, r), (-1.2 * r, r)),
    }
    shape = _SHAPES[label % len(_SHAPES)]
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r:g}" {style}/>'
    drawn = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners[shape])
    return f'<polygon points="{drawn}" {style}/>'


def _key(name: str, count: int, label: int) -> str:
    y = SIZE + _KEY * (label + 0.7)
    said = f"{xml(name)} ({count})"
    text = f'<text x="{2.2 * _EDGE:g}" y="{y + 4.5:.1f}" fill="#222222">{said}</text>'
    return _mark(_EDGE, y, label, 1.0) + text
