"""Shared by all figures: the frame of an SVG, colours for light and dark, axes, marks, PNG.

A figure carries its light colours as attributes, for a file opened or rasterised by itself, and a
class with each. A page that inlines figures adds `stylesheet()`, which follows the page's theme.
Nothing in a figure has an id, a script, a style or a reference, so that any number of them fit into
one page under any policy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Protocol, TypeVar

from lazarus_bench.errors import UserError
from lazarus_bench.figures.text import signed, wrapped, xml

HEAT = (
    *("#f6efbf", "#cde2a9", "#a0d59d", "#6dc799", "#29b79b", "#13a09a"),
    *("#0d8994", "#11738a", "#0b5e7f", "#044975", "#023370", "#121b60"),
)
"""From least to greatest, ever darker, so that no eye needs the hues; reversed on a dark page."""

SERIES = (
    *(("#00598c", "#6cb8ec"), ("#a83a00", "#f3935c"), ("#00735c", "#4fc9a6")),
    *(("#8b2a6b", "#e38dca"), ("#6b5900", "#dabd4e"), ("#45464b", "#c9ccd2")),
)
"""Colours of series and classes in light and dark, used in turn like shapes and dashes."""

PALETTE = {
    "paper": ("#ffffff", "#15171a"),
    "ink": ("#1f1d1a", "#e8e5de"),
    "soft": ("#5a564e", "#aaa69d"),
    "rule": ("#d9d5ca", "#363a40"),
    "strong": ("#8b867a", "#757a82"),
    "tint": ("#dfe7ea", "#2b3942"),
    **{f"c{at}": colours for at, colours in enumerate(SERIES)},
    **{f"h{at}": colours for at, colours in enumerate(zip(HEAT, reversed(HEAT), strict=True))},
}
"""Each colour by name, in light and in dark."""

FONT = 12
"""Size of a figure's letters in pixels."""

WIDTH = 352
"""Width of a report's figures: that of a telephone."""

_DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 2", "1 2")
_Item = TypeVar("_Item")


class Figure(Protocol):
    """The members of every figure."""

    @property
    def title(self) -> str:
        """The quantity shown."""

    @property
    def subject(self) -> str:
        """The model or machine it is of."""

    def svg(self, *, heading: bool = False) -> str:
        """Draw it as one SVG element; `heading` puts title and subject above the drawing."""


def stylesheet() -> str:
    """Return the CSS by which figures follow the colour scheme of the page that inlines them."""
    names = "".join(f"  --{n}: light-dark({a}, {b});\n" for n, (a, b) in PALETTE.items())
    rules = "".join(
        f":is(.figure, .lane) .{name} {{ fill: var(--{name}); }}\n"
        f":is(.figure, .lane) .s-{name} {{ stroke: var(--{name}); }}\n"
        for name in PALETTE
    )
    return f":root {{\n{names}}}\n.figure {{ max-width: 100%; height: auto; }}\n{rules}"


def fill(name: str) -> str:
    """Attributes that fill a shape with a colour of the palette."""
    return f'class="{name}" fill="{PALETTE[name][0]}"'


def stroke(name: str, width: float = 1.0, dash: str = "") -> str:
    """Attributes that draw an outline in a colour of the palette."""
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    colour = PALETTE[name][0]
    return f'class="s-{name}" fill="none" stroke="{colour}" stroke-width="{width:g}"{dashes}'


def series(number: int) -> tuple[str, str]:
    """Return the palette's name and the dashes of the series with this number."""
    return f"c{number % len(SERIES)}", _DASHES[number % len(_DASHES)]


def text(
    x: float, y: float, words: str, *, anchor: str = "start", colour: str = "soft", more: str = ""
) -> str:
    """Draw one line of text, escaped, its baseline at `y`."""
    at = f'x="{x:.5g}" y="{y:.5g}"'
    side = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f"<text {at}{side} {fill(colour)}{more}>{xml(words)}</text>"


def line(x1: float, y1: float, x2: float, y2: float, paint: str) -> str:
    """Draw a straight line."""
    return f'<line x1="{x1:.5g}" y1="{y1:.5g}" x2="{x2:.5g}" y2="{y2:.5g}" {paint}/>'


def mark(number: int, x: float, y: float, paint: str, told: str = "") -> str:
    """Draw the shape of the class or series with this number, with `told` as a tooltip."""
    shapes = (
        "m-2.6 0a2.6 2.6 0 1 0 5.2 0a2.6 2.6 0 1 0-5.2 0z",
        "m-2.6-2.6h5.2v5.2h-5.2z",
        "m0-3.6l3.6 3.6-3.6 3.6-3.6-3.6z",
        "m0-3.4l3.4 6h-6.8z",
        "m0 3.4l3.4-6h-6.8z",
        "m-3.4-1h2.4v-2.4h2v2.4h2.4v2h-2.4v2.4h-2v-2.4h-2.4z",
    )
    path = f'<path d="M{x:.5g} {y:.5g}{shapes[number % len(shapes)]}" {paint}'
    return f"{path}><title>{xml(told)}</title></path>" if told else f"{path}/>"


def heading(words: str, width: float, *, wanted: bool) -> list[str]:
    """Draw text above a figure, 16 pixels a line; nothing if not wanted."""
    lines = wrapped(words, int(width / 7)) if wanted else []
    return [text(8, 16 + 16 * at, one, colour="ink") for at, one in enumerate(lines)]


def key(entries: Iterable[tuple[int | None, str]], top: float) -> tuple[list[str], float]:
    """Draw the line and name of each series, None for the null; return also the key's bottom."""
    parts = []
    for number, words in entries:
        colour, dash = ("soft", "1 4") if number is None else series(number)
        parts.append(line(10, top + 8, 46, top + 8, stroke(colour, 2, dash)))
        if number is not None:
            parts.append(mark(number, 28, top + 8, fill(colour)))
        for said in wrapped(words, 46):
            parts.append(text(54, top + 12, said, colour="ink"))
            top += 17
    return parts, top


def document(width: float, height: float, title: str, told: str, parts: Iterable[str]) -> str:
    """Put parts on a background into one SVG element, with a title and a description."""
    size = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="figure" role="img" {size} '
        f'font-family="sans-serif" font-size="{FONT}">'
    )
    names = [f"<title>{xml(title)}</title>", f"<desc>{xml(told)}</desc>" if told else ""]
    ground = f'<rect width="{width:g}" height="{height:g}" {fill("paper")}/>'
    return "\n".join(filter(None, [head, *names, ground, *parts, "</svg>"])) + "\n"


def spread(items: Sequence[_Item], count: int) -> list[_Item]:
    """Return at most `count` of `items`, evenly spaced, the first and the last among them."""
    if len(items) <= count:
        return list(items)
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A number on an axis: its place in percent, and its text."""

    at: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A linear axis from `low` to `high`, finite and in this order."""

    low: float
    high: float

    @classmethod
    def over(cls, values: Iterable[float], pad: float = 0.06) -> Scale:
        """Make the axis of all finite values, with room at both ends."""
        finite = [value for value in values if math.isfinite(value)] or [0.0]
        low, high = min(finite), max(finite)
        # Halves, because the span of the largest floats is no float.
        half = high / 2 - low / 2
        room = 2 * half * pad if half > 0 and math.isfinite(2 * half) else max(abs(high) * 0.1, 0.5)
        most = 1.7e308
        return cls(low=max(low - room, -most), high=min(high + room, most))

    def at(self, value: float) -> float:
        """Return the place of `value` in percent, clipped to the axis."""
        half = self.high / 2 - self.low / 2
        share = (value / 2 - self.low / 2) / half if half else 0.5
        return round(100 * min(max(share, 0.0), 1.0), 2)

    def ticks(self) -> tuple[Tick, ...]:
        """Return some four round numbers inside the axis."""
        rough = self.high / 4 - self.low / 4
        magnitude = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
        steps = (s * magnitude for s in (1.0, 2.0, 2.5, 5.0, 10.0))
        step = next((step for step in steps if step >= rough), 10 * magnitude)
        slack = 1e-9 * step
        first = math.ceil((self.low - slack) / step)
        values = [(first + i) * step for i in range(10)]
        inside = [value for value in values if value <= self.high + slack]
        return tuple(Tick(at=self.at(value), text=_text(value, step)) for value in inside)


def _text(value: float, step: float) -> str:
    decimals = max(0, -math.floor(math.log10(step)))
    if decimals <= 4:
        # A step of 2.5 has one digit more than its magnitude.
        decimals += not math.isclose(step * 10.0**decimals, round(step * 10.0**decimals))
    few = decimals <= 4 and abs(value) < 1e7
    shown = f"{value:,.{decimals}f}" if few else f"{value:.3g}"
    return "0" if float(shown.replace(",", "")) == 0 else signed(shown)


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A rectangle of a figure with a scale along each side; y grows upwards."""

    left: float
    top: float
    width: float
    height: float
    across: Scale
    up: Scale

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point lies in the figure."""
        return (
            self.left + self.width * self.across.at(x) / 100,
            self.top + self.height * (1 - self.up.at(y) / 100),
        )

    def axes(self, x: Iterable[Tick] | None = None) -> Iterator[str]:
        """Draw horizontal rules with their numbers, and the numbers along x."""
        for tick in self.up.ticks():
            y = self.top + self.height * (1 - tick.at / 100)
            yield line(self.left, y, self.left + self.width, y, stroke("rule"))
            yield text(self.left - 6, y + 4, tick.text, anchor="end")
        for tick in self.across.ticks() if x is None else x:
            at = self.left + self.width * tick.at / 100
            yield text(at, self.top + self.height + 16, tick.text, anchor="middle")

    def polylines(self, points: Iterable[tuple[float, float]], paint: str) -> Iterator[str]:
        """Draw a line, broken where a number is missing; a point alone becomes a dot."""
        drawn: list[tuple[float, float]] = []
        for point in (*points, (math.nan, math.nan)):
            if all(map(math.isfinite, point)):
                drawn.append(self.place(*point))
            elif drawn:
                ends = [*drawn, drawn[0]] if len(drawn) == 1 else drawn
                path = " ".join(f"{x:.5g},{y:.5g}" for x, y in ends)
                yield f'<polyline points="{path}" stroke-linecap="round" {paint}/>'
                drawn = []


PNG_SCALE = 2
"""Pixels of a PNG for each of the SVG."""


def check_png(named: str) -> None:
    """Make sure that a PNG can be made, before the work; errors begin with `named`, the option.

    Raises:
        UserError: resvg is missing, or the machine has no font for it.
    """
    if find_spec("resvg_py") is None:
        raise UserError(
            f"{named} needs resvg: `pip install 'lazarus-bench[png]'`, or end the name in .svg"
        )
    if not _family("sans_serif"):
        raise UserError(
            f"{named} needs a font and this machine has none: install one (such as "
            f"fonts-dejavu-core), or end the name in .svg"
        )


def png(svg: str) -> bytes:
    """Rasterise an SVG, its letters in the machine's fonts."""
    from resvg_py import svg_to_bytes

    return svg_to_bytes(
        svg_string=svg,
        zoom=PNG_SCALE,
        background="#ffffff",
        sans_serif_family=_family("sans_serif"),
        monospace_family=_family("monospace"),
    )


_FAMILIES = {
    "sans_serif": ("DejaVu Sans", "Liberation Sans", "Noto Sans", "Helvetica", "Arial"),
    "monospace": ("DejaVu Sans Mono", "Liberation Mono", "Noto Sans Mono", "Menlo", "Courier New"),
}
"""What may stand for a generic family: resvg's own are Arial and Courier New, and nothing else."""


@cache
def _family(kind: str) -> str | None:
    """The first of `_FAMILIES` that this machine has; None without any."""
    return next((family for family in _FAMILIES[kind] if _has_letters(family)), None)


def _has_letters(family: str) -> bool:
    """Whether a letter leaves a trace; resvg draws text without a font as nothing."""
    from resvg_py import svg_to_bytes

    frame = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20">{}</svg>'
    letter = f'<text x="2" y="16" font-family="{family}" font-size="16">M</text>'
    return svg_to_bytes(svg_string=frame.format(letter)) != svg_to_bytes(
        svg_string=frame.format("")
    )
