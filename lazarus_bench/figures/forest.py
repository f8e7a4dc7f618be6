"""Estimates to scale: a lane each on a shared axis, the claim's region behind them.

A lane fills its container: a page puts one into a row of its table, `Forest` stacks them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from lazarus_bench.figures.draw import PALETTE, Scale, document, fill, stroke, text
from lazarus_bench.figures.draw import heading as heading_of
from lazarus_bench.figures.text import columns, xml

Span = tuple[float, float]
"""Low and high; an infinite end is open, and a NaN one unknown, which is drawn as open."""

_LEAST, _GREATEST = 2.0, 7.0


@dataclass(frozen=True, kw_only=True)
class Lane:
    """One estimate.

    Attributes:
        value: The estimate, or None.
        wide: The interval with end marks, or None.
        plain: The interval as a thick bar, or None.
        dots: Each seed's value and tooltip.
        shape: Ours, a published number, a family's square, or the diamond of a pooled estimate,
            as wide as the interval `wide`.
        weight: A square's weight in the pooled estimate, shown by its area.
        dashed: Whether the interval is a prediction.
    """

    value: float | None = None
    wide: Span | None = None
    plain: Span | None = None
    dots: tuple[tuple[float, str], ...] = ()
    shape: Literal["dot", "hollow", "square", "diamond", "none"] = "dot"
    weight: float = 0.0
    dashed: bool = False

    def numbers(self) -> Iterator[float]:
        """The numbers that an axis should hold; a prediction from few families is too wide."""
        if self.dashed:
            return
        yield from (value for value, _ in self.dots)
        yield from (*(self.wide or ()), *(self.plain or ()))
        if self.value is not None:
            yield self.value


@dataclass(frozen=True, kw_only=True)
class Axis:
    """The scale that all lanes of a figure share, and the claim's region on it."""

    scale: Scale
    region: Span

    @classmethod
    def over(cls, region: Span, lanes: Iterable[Lane]) -> Axis:
        """Return the axis that holds the region's edges and all numbers of the lanes."""
        known = [number for lane in lanes for number in lane.numbers()]
        return cls(scale=Scale.over([*region, *known]), region=region)

    def draw(self, lane: Lane, *, told: str = "", kind: str = "", height: int = 0) -> str:
        """Draw a lane as an SVG element as wide as its place.

        Args:
            lane: the estimate.
            told: its text alternative; without one the lane is decoration.
            kind: classes of the element, which set the colour of all but the region.
            height: in pixels; what its parts need where 0.
        """
        tall = height or (38 if lane.dots else 26)
        role = f'role="img"><title>{xml(told)}</title>' if told else 'aria-hidden="true">'
        head = f'<svg class="{" ".join(["lane", *kind.split()])}" width="100%" height="{tall}" '
        y = 12 if lane.dots else tall / 2
        return "".join([head, role, *self._region(), *self._parts(lane, y), "</svg>"])

    def ruler(self) -> str:
        """Draw the numbers below the lanes."""
        ticks = "".join(
            f'<line x1="{t.at}%" x2="{t.at}%" y1="1" y2="5" {stroke("strong")}/>'
            f'<text x="{t.at}%" y="17" text-anchor="middle" {fill("soft")}>{t.text}</text>'
            for t in self.scale.ticks()
        )
        base = f'<line x1="0" x2="100%" y1="1" y2="1" {stroke("strong")}/>'
        head = '<svg class="lane ruler" width="100%" height="20" aria-hidden="true">'
        return f"{head}{base}{ticks}</svg>"

    def _region(self) -> Iterator[str]:
        start, end, *_ = self._bar(self.region)
        size = f'x="{start}%" y="0" width="{round(end - start, 2)}%" height="100%"'
        yield f"<rect {size} {fill('tint')}/>"
        for edge in sorted({self.scale.at(edge) for edge in self.region if math.isfinite(edge)}):
            yield f'<line x1="{edge}%" x2="{edge}%" y1="0" y2="100%" {stroke("strong", 1, "3 2")}/>'

    def _bar(self, span: Span) -> tuple[float, float, bool, bool]:
        """The ends of an interval in percent, and whether each is beyond the axis."""
        low, high = self.scale.low, self.scale.high
        open_low, open_high = not span[0] >= low, not span[1] <= high
        start = 0.0 if open_low else self.scale.at(span[0])
        return start, 100.0 if open_high else self.scale.at(span[1]), open_low, open_high

    def _parts(self, lane: Lane, y: float) -> Iterator[str]:
        at = None if lane.value is None or math.isnan(lane.value) else self.scale.at(lane.value)
        if lane.shape == "diamond" and lane.wide and at is not None:
            start, end, *_ = self._bar(lane.wide)
            yield (
                f'<svg y="{y - 7:g}" width="100%" height="14" viewBox="0 0 100 14" '
                f'preserveAspectRatio="none"><path d="M{start} 7L{at} 0 {end} 7 {at} 14z" '
                f"{fill('ink')}/></svg>"
            )
            return
        if lane.wide:
            yield from self._wide(lane.wide, y, ' stroke-dasharray="5 4"' if lane.dashed else "")
        if lane.plain:
            start, end, *_ = self._bar(lane.plain)
            yield (
                f'<line x1="{start}%" x2="{end}%" y1="{y:g}" y2="{y:g}" stroke="currentColor" '
                f'stroke-width="5" stroke-opacity="0.55"/>'
            )
        if at is not None and lane.shape != "none":
            yield _at(at, y, _mark(lane))
        for value, told in lane.dots:
            if math.isfinite(value):
                yield (
                    f'<circle cx="{self.scale.at(value)}%" cy="28" r="3" fill="currentColor" '
                    f'fill-opacity="0.5" stroke="currentColor" stroke-width="0.8">'
                    f"<title>{xml(told)}</title></circle>"
                )

    def _wide(self, span: Span, y: float, dashes: str) -> Iterator[str]:
        start, end, *opened = self._bar(span)
        thin = 'fill="none" stroke="currentColor" stroke-width="1.4"'
        yield f'<line x1="{start}%" x2="{end}%" y1="{y:g}" y2="{y:g}" {thin}{dashes}/>'
        for place, goes_on, inward in zip((start, end), opened, (5, -5), strict=True):
            path = f"M{inward}-4L0 0l{inward} 4" if goes_on else "M0-4v8"
            yield _at(place, y, f'<path d="{path}" {thin}/>')


def _at(place: float, y: float, drawn: str) -> str:
    """Move what is drawn around the origin to a place in percent."""
    return f'<svg x="{place}%" y="{y:g}" width="1" height="1" overflow="visible">{drawn}</svg>'


def _mark(lane: Lane) -> str:
    paper = f'class="s-paper" stroke="{PALETTE["paper"][0]}" stroke-width="1.5"'
    if lane.shape == "dot":
        return f'<circle r="4.5" fill="currentColor" {paper}/>'
    if lane.shape == "hollow":
        shape = '<path d="M0-5.5L5.5 0 0 5.5-5.5 0z" stroke="currentColor" stroke-width="1.8"'
        return f"{shape} {fill('paper')}/>"
    half = round(_LEAST + (_GREATEST - _LEAST) * math.sqrt(max(lane.weight, 0.0)), 2)
    return f'<rect x="{-half}" y="{-half}" width="{2 * half}" height="{2 * half}" {fill("ink")}/>'


@dataclass(frozen=True, kw_only=True)
class Forest:
    """Estimates of one quantity against a claim's region; rows are (name, lane, its numbers)."""

    title: str
    subject: str = ""
    region: Span
    rows: tuple[tuple[str, Lane, str], ...]

    def svg(self, *, heading: bool = False) -> str:
        """Draw all rows below one another, the axis below them."""
        left = 16 + 6.6 * max((columns(name) for name, *_ in self.rows), default=0)
        right = 24 + 6.6 * max((columns(shown) for *_, shown in self.rows), default=0)
        width = round(left + 280 + right)
        axis = Axis.over(self.region, (lane for _, lane, _ in self.rows))
        title = ": ".join(filter(None, (self.title, self.subject)))
        parts = heading_of(title, width, wanted=heading)
        top = 8 + 16 * len(parts)
        for name, lane, shown in self.rows:
            drawn = axis.draw(lane, told=f"{name}: {shown}", height=38 if lane.dots else 26)
            parts.append(text(8, top + 17, name, colour="ink"))
            parts.append(f'<svg x="{left:g}" y="{top}" width="280" height="38">{drawn}</svg>')
            parts.append(text(left + 296, top + 17, shown, colour="ink"))
            top += 38 if lane.dots else 26
        parts.append(f'<svg x="{left:g}" y="{top}" width="280" height="20">{axis.ruler()}</svg>')
        told = "; ".join(f"{name}: {shown}" for name, _, shown in self.rows)
        return document(width, top + 28, title, told, parts)
