"""Numbers and text as figures and reports show them; here, since every room above draws."""

import html
import math
import unicodedata
from collections.abc import Iterable

_SIGNIFICANT = 3
_NOISE = 1e-12


def number(value: float) -> str:
    """Print one number to three significant digits: 0.571, 2e-06, 851,968, ∞."""
    if math.isnan(value):
        return "not a number"
    if value == 0:
        return "0"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == int(value) and abs(value) >= 1:
        return signed(f"{value:,.0f}")
    if abs(value) < 1e-3:
        return signed(f"{value:.{_SIGNIFICANT - 1}g}")
    return signed(f"{value:.{_decimals(abs(value))}f}")


def numbers(values: Iterable[float]) -> list[str]:
    """Print numbers that belong together with the same decimals: 0.90, 0.86 and 0.94.

    A number that would lose its second digit to that keeps its own decimals: 4.6e-05 of
    [0, 0.450].
    """
    values = list(values)
    finite = [value for value in values if math.isfinite(value) and value != 0]
    largest = max(map(abs, finite), default=0.0)
    if largest < 1e-3 or all(value == int(value) for value in finite):
        return [number(value) for value in values]
    decimals = _decimals(largest)

    def among(value: float) -> str:
        if abs(value) < _NOISE * largest:
            return "0"
        if not math.isfinite(value) or abs(value) < 10 ** (1 - decimals):
            return number(value)
        return signed(f"{value:,.{decimals}f}")

    return [among(value) for value in values]


def _decimals(largest: float) -> int:
    return max(0, _SIGNIFICANT - 1 - math.floor(math.log10(largest)))


def signed(printed: str) -> str:
    """Replace a leading hyphen by a minus sign."""
    return printed.replace("-", "−", 1) if printed.startswith("-") else printed


def columns(text: str) -> int:
    """Return how many terminal columns `text` takes: two for each wide character (UAX #11)."""
    if text.isascii():
        return len(text)
    return len(text) + sum(unicodedata.east_asian_width(character) in "WF" for character in text)


def xml(text: str) -> str:
    """Escape text for XML; a character that XML forbids or nobody sees becomes a blank."""
    return html.escape("".join(c if c.isprintable() else " " for c in text))


def visible(text: str) -> str:
    r"""Replace what cannot be seen in a model's token: blanks by ␣, control characters by \n, \x00.

    A token that begins with a combining mark gets a dotted circle to stand on, and an empty one
    shows as ∅.
    """
    if not text:
        return "∅"
    base = "◌" if unicodedata.category(text[0]).startswith("M") else ""
    return base + "".join(
        "␣" if c == " " else c if c.isprintable() else c.encode("unicode_escape").decode("ascii")
        for c in text
    )


def wrapped(text: str, room: int) -> list[str]:
    """Break text into lines of at most `room` columns where it has blanks."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and columns(longer) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def over_seeds(middle: float, low: float, high: float) -> str:
    """Print a mean over seeds with the lowest and the highest of them: "0.900 (0.860 to 0.940)"."""
    mean, least, most = numbers([middle, low, high])
    return f"{mean} ({least} to {most})"
