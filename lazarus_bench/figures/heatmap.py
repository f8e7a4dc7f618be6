"""Heat maps: a number for each prompt and layer by colour, a row a prompt, a column a layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from lazarus_bench.figures.draw import HEAT, WIDTH, document, fill, stroke, text
from lazarus_bench.figures.draw import heading as heading_of
from lazarus_bench.figures.tables import cut, prompt_cell
from lazarus_bench.figures.text import columns, number, visible

DECADES = 6
"""Decades below 1 that the colours tell apart; what is less is shown as the least."""

LONGEST = 14
"""Columns of a prompt that a report's figure has room for; a table beside it has the rest."""

INSTRUMENT_LONGEST = 40
"""Columns of a row's name in the figure of one instrument's result."""

WRITTEN = 60.0
"""Width of a cell with words in it; seven letters at 12 pixels fit."""

Row = tuple[str, str, Iterable[float]]
"""A row's name, what its numbers are of, and the numbers `[layer]`; NaN is left empty."""


@dataclass(frozen=True, kw_only=True)
class HeatRow:
    """One prompt: probability of its gold word at every layer, a mean over seeds.

    `words` are written into the cells, one a layer; none leaves them empty.
    """

    prompt: str
    gold: str
    probability: tuple[float, ...]
    words: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class HeatGroup:
    """Prompts of one origin."""

    name: str
    rows: tuple[HeatRow, ...]


@dataclass(frozen=True, kw_only=True)
class Shades:
    """Numbers as colours: indices into `HEAT`, None for NaN, and the key's evenly spaced labels."""

    level: Callable[[float], int | None]
    key: tuple[str, ...]


def level(probability: float) -> int | None:
    """Index into `HEAT`, by ⌊2 · log₁₀ p⌋ from 10⁻⁶ up; None for NaN.

    The greatest colour begins at 10^−½; below 10⁻⁶ and above 1 the nearest is taken.
    """
    if math.isnan(probability):
        return None
    least = 10.0**-DECADES
    steps = 2 * (math.log10(min(max(probability, least), 1.0)) + DECADES)
    # A power of ten begins its colour although its logarithm may round to less.
    return min(int(steps + 1e-9), len(HEAT) - 1)


PROBABILITY = Shades(level=level, key=("≤ 1e-6", "1e-5", "1e-4", "0.001", "0.01", "0.1", "1"))
"""Logarithmic, two colours a factor of ten from 10⁻⁶ up."""


def linear(largest: float) -> Shades:
    """Even steps from 0 to `largest`; a number beyond either end has the colour there.

    Raises:
        ValueError: `largest` is not positive.
    """
    if not largest > 0:
        raise ValueError(f"a scale from 0 ends above 0, not at {largest}")

    def of(value: float) -> int | None:
        if math.isnan(value):
            return None
        share = min(max(value / largest, 0.0), 1.0)
        return min(int(len(HEAT) * share), len(HEAT) - 1)

    return Shades(level=of, key=tuple(number(largest * at / DECADES) for at in range(DECADES + 1)))


@dataclass(frozen=True, kw_only=True)
class HeatMap:
    """Numbers by prompt and layer, each a mean over `seeds`, of one training on one subject.

    The claims' `layer` (0-based) is outlined.

    Raises:
        ValueError: There is no prompt, a group is empty, a prompt has more or fewer layers than
            another, or `layer` is none of them.
    """

    title: str
    subject: str
    layer: int
    seeds: int
    groups: tuple[HeatGroup, ...]
    longest: ClassVar[int] = LONGEST
    """Columns of a prompt to draw."""

    def __post_init__(self) -> None:
        if not self.groups or not all(group.rows for group in self.groups):
            raise ValueError(f"the heat map {self.title!r} has no prompt, or a group without one")
        depths = {len(row.probability) for group in self.groups for row in group.rows}
        if len(depths) > 1:
            raise ValueError(f"prompts of the heat map {self.title!r} have {sorted(depths)} layers")
        if not 0 <= self.layer < self.depth:
            raise ValueError(f"the heat map {self.title!r} has no layer {self.layer}")

    @property
    def depth(self) -> int:
        """Number of layers."""
        return len(self.groups[0].rows[0].probability)

    def says(self) -> str:
        """Say what there is to see: each group's mean at the outlined layer, its highest cell."""
        said = []
        for group in self.groups:
            mean = sum(row.probability[self.layer] for row in group.rows) / len(group.rows)
            cells = [
                (p, row.prompt, layer)
                for row in group.rows
                for layer, p in enumerate(row.probability)
                if math.isfinite(p)
            ]
            highest = "no finite number"
            if cells:
                value, prompt, layer = max(cells, key=lambda cell: cell[0])
                highest = f"highest {number(value)} at L{layer} of “{prompt.strip()}”"
            said.append(f"{group.name}: mean {number(mean)} at L{self.layer}, {highest}")
        return "; ".join(said)

    @property
    def marked(self) -> Collection[int]:
        """The layers to outline."""
        return (self.layer,)

    @property
    def shades(self) -> Shades:
        """The colour of each number."""
        return PROBABILITY

    def over(self) -> str:
        """Say what every number is a mean over."""
        return f"mean over {self.seeds} seeds" if self.seeds > 1 else "one seed"

    def svg(self, *, heading: bool = False) -> str:
        """Draw it, with title and subject above if `heading`; hovering shows a cell's number."""
        labels = [[self._label(row.prompt) for row in group.rows] for group in self.groups]
        # A monospaced letter at 12 pixels is 7.2 wide.
        left = 14 + 7.3 * max(columns(name) for names in labels for name in names)
        # A report has other figures beside it and may be read on a telephone.
        room = 480.0 if heading else max(WIDTH - 16 - left, 236.0)
        cell = min(34.0, max(room / self.depth, 5.0))
        if any(row.words for group in self.groups for row in group.rows):
            cell = WRITTEN
        width = left + max(cell * self.depth, room) + 16
        title = f"{self.title}: {self.subject}"
        parts = heading_of(title, width, wanted=heading)
        top = 16.0 * len(parts) + 4 * bool(parts)
        for group, names in zip(self.groups, labels, strict=True):
            parts.append(text(left, top + 16, group.name))
            first = top = top + 24
            for row, name in zip(group.rows, names, strict=True):
                parts += _row(row, name, left, top, cell, self.shades)
                top += 18
            for layer in sorted(self.marked):
                box = (
                    f'<rect x="{left + layer * cell - 0.5:.5g}" y="{first - 0.5:g}" '
                    f'width="{cell:.5g}" height="{top - first:g}" '
                )
                # The ink alone is lost on the darkest cells.
                parts += [f"{box}{stroke('paper', 4)}/>", f"{box}{stroke('ink', 1.5)}/>"]
        parts += self._axis(left, top + 16, cell)
        parts += _key(left, top + 32, min(max(cell * self.depth, 220.0), 300.0), self.shades)
        return document(round(width), top + 70, title, self.says(), parts)

    def _label(self, prompt: str) -> str:
        return cut(visible(prompt.rstrip()).replace("␣", " "), self.longest)

    def _axis(self, left: float, y: float, cell: float) -> Iterator[str]:
        # A number takes some 24 pixels; the outlined layers' come first and keep theirs.
        step = max(1, math.ceil(24 / cell))
        shown: list[int] = []
        for layer in (*sorted(self.marked), *range(self.layer % step, self.depth, step)):
            if all(abs(layer - other) * cell >= 24 for other in shown):
                shown.append(layer)
        for layer in shown:
            bold = ' font-weight="bold"' if layer in self.marked else ""
            colour = "ink" if layer in self.marked else "soft"
            at = left + (layer + 0.5) * cell
            yield text(at, y, f"L{layer}", anchor="middle", colour=colour, more=bold)


def _row(
    row: HeatRow, name: str, left: float, top: float, cell: float, shades: Shades
) -> Iterator[str]:
    mono = ' font-family="monospace"'
    yield text(left - 8, top + 13, name, anchor="end", colour="ink", more=mono)
    for layer, value in enumerate(row.probability):
        at = shades.level(value)
        if at is not None:
            yield (
                f'<rect x="{left + layer * cell:.5g}" y="{top:g}" width="{cell - 1:.5g}" '
                f'height="17" {fill(f"h{at}")}><title>L{layer}: {number(value)}</title></rect>'
            )
            if row.words:
                word, ink = cut(row.words[layer], 7), "ink" if at < len(HEAT) / 2 else "paper"
                middle = left + (layer + 0.5) * cell
                yield text(middle, top + 13, word, anchor="middle", colour=ink, more=mono)


def _key(left: float, top: float, width: float, shades: Shades) -> Iterator[str]:
    step = width / len(HEAT)
    for at in range(len(HEAT)):
        box = f'x="{left + at * step:.5g}" y="{top:g}" width="{step:.5g}" height="12"'
        yield f"<rect {box} {fill(f'h{at}')}/>"
    for at, name in enumerate(shades.key):
        x = left + at * width / (len(shades.key) - 1)
        yield text(x, top + 27, name, anchor="middle", more=' font-size="11"')


@dataclass(frozen=True, kw_only=True)
class Heat(HeatMap):
    """The heat map of one instrument's result on one model, with the layers to outline.

    Colours are logarithmic, for probabilities, unless `largest` ends a linear scale.
    """

    seeds: int = 1
    outlined: Collection[int] = ()
    largest: float | None = None
    longest = INSTRUMENT_LONGEST

    @property
    def marked(self) -> Collection[int]:
        """The layers to outline."""
        return self.outlined

    @property
    def shades(self) -> Shades:
        """The colour of each number."""
        return PROBABILITY if self.largest is None else linear(self.largest)


def heat(
    title: str,
    subject: str,
    groups: Iterable[tuple[str, Iterable[Row]]],
    layer: int,
    outlined: Collection[int] = (),
    largest: float | None = None,
) -> Heat:
    """A heat map of `subject`, whose description speaks of `layer`; `groups` are named rows."""
    drawn = []
    for name, rows in groups:
        own = [HeatRow(prompt=p, gold=g, probability=tuple(map(float, v))) for p, g, v in rows]
        drawn.append(HeatGroup(name=name, rows=tuple(own)))
    item = Heat(title=title, subject=subject, layer=layer, groups=tuple(drawn), largest=largest)
    # A layer is outlined to set it apart from others.
    return item if len(outlined) == item.depth else replace(item, outlined=outlined)


def spread(values: Iterable[float], layers: Sequence[int], depth: int) -> list[float]:
    """`values` of `layers` among those of all `depth` layers, NaN elsewhere."""
    whole = [math.nan] * depth
    for layer, value in zip(layers, values, strict=True):
        whole[layer] = float(value)
    return whole


def expert_rows(
    name: str, values: Iterable[Iterable[float]], layers: Sequence[int], depth: int
) -> Iterator[Row]:
    """A row for each expert from `[layer, expert]` of `layers`."""
    for expert, column in enumerate(zip(*values, strict=True)):
        yield f"expert {expert}", name, spread(column, layers, depth)


def prompt_title(prompt: str) -> str:
    """A prompt in a group's name."""
    return prompt_cell(prompt, 3 * INSTRUMENT_LONGEST)
