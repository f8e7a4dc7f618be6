"""Heat maps as rows of cells: places in percent of the width, heights in pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lazarus_bench.report import printed
from lazarus_bench.report.heatmap import HeatGroup, HeatMap, HeatRow, course, level, over
from lazarus_bench.report.heatmap_svg import label, ticks
from lazarus_bench.report.html.scale import Tick

ROW, HEAD, AXIS = 17, 24, 22


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One probability: where it begins, in percent, its colour's number and its words."""

    at: float
    level: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """One prompt: its height from above, its short name and its cells."""

    top: int
    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, kw_only=True)
class Block:
    """One group of prompts from `top` on: its name above its lines, which end at `bottom`."""

    name: str
    top: int
    lines: tuple[Line, ...]

    @property
    def first(self) -> int:
        """Where the lines begin."""
        return self.top + HEAD

    @property
    def bottom(self) -> int:
        """Where they end."""
        return self.first + ROW * len(self.lines)


@dataclass(frozen=True, kw_only=True)
class HeatPanel:
    """One heat map.

    Attributes:
        title: What it shows.
        description: The same for who cannot see it, and below the drawing.
        blocks: The groups of prompts.
        x: Layers that the axis names.
        width: Of a cell, in percent.
        marked: Where the marked layer begins, in percent.
        name: What the axis calls it.
    """

    title: str
    description: str
    blocks: tuple[Block, ...]
    x: tuple[Tick, ...]
    width: float
    marked: float
    name: str

    @property
    def bottom(self) -> int:
        """Where the cells end and the axis begins."""
        return self.blocks[-1].bottom

    @property
    def height(self) -> int:
        """Of all of it."""
        return self.bottom + AXIS


def heat_panel(item: HeatMap) -> HeatPanel:
    """Draw a heat map."""
    width = 100 / item.depth
    said = f"{over(item)}; {course(item)}"
    return HeatPanel(
        title=f"{item.title}: {item.subject}",
        description=said[:1].upper() + said[1:],
        blocks=tuple(_blocks(item)),
        x=tuple(
            Tick(at=round((layer + 0.5) * width, 2), text=f"L{layer}") for layer in ticks(item)
        ),
        width=round(width, 3),
        marked=round(item.layer * width, 3),
        name=f"L{item.layer}",
    )


def _blocks(item: HeatMap) -> Iterator[Block]:
    top = 0
    for group in item.groups:
        block = Block(name=group.name, top=top, lines=tuple(_lines(group, top + HEAD)))
        yield block
        top = block.bottom


def _lines(group: HeatGroup, top: int) -> Iterator[Line]:
    for position, row in enumerate(group.rows):
        yield Line(top=top + ROW * position, name=label(row), cells=tuple(_cells(row)))


def _cells(row: HeatRow) -> Iterator[Cell]:
    for layer, value in enumerate(row.probability):
        found = level(value)
        if found is not None:
            place = round(100 * layer / len(row.probability), 3)
            yield Cell(at=place, level=found, text=f"L{layer}: {printed.number(value)}")
