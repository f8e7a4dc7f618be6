"""Scatters as groups of marks, a class each, which a template draws by colour and by shape."""

from __future__ import annotations

from dataclasses import dataclass

from lazarus_bench.report import printed
from lazarus_bench.report.scatter import SIZE, Scatter, counted, placed


@dataclass(frozen=True, kw_only=True)
class Group:
    """One class: its name, how many examples it has, and where their marks stand."""

    name: str
    count: int
    marks: tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class Plane:
    """A square of `size` units with a group for each class.

    Attributes:
        title: what it shows.
        description: the same for who cannot see it.
        axes: what the axes hold of the variance.
        size: the square's side.
        groups: the classes.
    """

    title: str
    description: str
    axes: str
    size: int
    groups: tuple[Group, ...]


def scatter_plane(item: Scatter) -> Plane:
    """Draw a scatter."""
    points = placed(item)
    x, y = map(printed.share, item.explained)
    groups = tuple(
        Group(
            name=name,
            count=count,
            marks=tuple((round(a, 1), round(b, 1)) for a, b, own in points if own == label),
        )
        for label, (name, count) in enumerate(zip(item.classes, counted(item), strict=True))
    )
    sizes = ", ".join(f"{group.name} {group.count}" for group in groups)
    return Plane(
        title=f"{item.title}: {item.subject}",
        description=f"{len(item.points)} examples in a plane, by class: {sizes}",
        axes=f"{len(item.points)} examples; the axes hold {x} and {y} of the variance.",
        size=SIZE,
        groups=groups,
    )
