"""How numbers, durations and long lines are printed, the same everywhere.

Apart from `wording`, which knows verdicts: a command that only prints numbers should not have to
load the judge's statistics.
"""

import math
from collections.abc import Iterable
from unicodedata import east_asian_width

_SIGNIFICANT = 3
_NOISE = 1e-12


def number(value: float) -> str:
    """Print one number to three significant digits: 0.571, 2e-06, 851,968, ∞."""
    if not math.isfinite(value) or value == 0:
        return _special(value)
    if value == int(value) and abs(value) >= 1:
        return signed(f"{value:,.0f}")
    if abs(value) < 1e-3:
        return signed(f"{value:.{_SIGNIFICANT - 1}g}")
    return signed(f"{value:.{_decimals([value])}f}")


def numbers(values: Iterable[float]) -> list[str]:
    """Print numbers that belong together with the same decimals: 0.90, 0.86 and 0.94.

    A number that would lose its second digit to that is printed with its own: 4.6e-05 of
    [0, 0.450].
    """
    values = list(values)
    finite = [value for value in values if math.isfinite(value) and value != 0]
    largest = max(map(abs, finite), default=0.0)
    if largest < 1e-3 or all(value == int(value) for value in finite):
        return [number(value) for value in values]
    decimals = _decimals(finite)
    return [_among(value, decimals, largest) for value in values]


def _among(value: float, decimals: int, largest: float) -> str:
    if abs(value) < _NOISE * largest:
        return "0"
    if not math.isfinite(value) or abs(value) < 10 ** (1 - decimals):
        return number(value)
    return signed(f"{value:,.{decimals}f}")


def share(value: float) -> str:
    """Print a part of a whole to two decimals: 0.43."""
    return f"{value:.2f}"


def over_seeds(middle: float, low: float, high: float) -> str:
    """Print a mean over seeds with the lowest and the highest of them: "0.900 (0.860 to 0.940)"."""
    mean, least, most = numbers([middle, low, high])
    return f"{mean} ({least} to {most})"


def duration(seconds: float) -> str:
    """Print a time: 0.3 s, 42 s, 3 min 20 s, 1 h 4 min; NaN and infinity are unknown."""
    if not math.isfinite(seconds):
        return "an unknown time"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _decimals(values: Iterable[float]) -> int:
    largest = max(map(abs, values))
    return max(0, _SIGNIFICANT - 1 - math.floor(math.log10(largest)))


def brackets(low: float, high: float, left: str, right: str) -> str:
    """Print an interval whose ends are printed already, open where it has no end."""
    opening = "[" if math.isfinite(low) else "("
    closing = "]" if math.isfinite(high) else ")"
    return f"{opening}{left}, {right}{closing}"


def signed(printed: str) -> str:
    """The same with a minus sign in place of a hyphen."""
    return printed.replace("-", "−", 1) if printed.startswith("-") else printed


def _special(value: float) -> str:
    if math.isnan(value):
        return "not a number"
    if value == 0:
        return "0"
    return "∞" if value > 0 else "−∞"


def columns(text: str) -> int:
    """How many columns a terminal shows `text` in: two for each wide character (UAX #11)."""
    if text.isascii():
        return len(text)
    return len(text) + sum(east_asian_width(character) in "WF" for character in text)


def cut(line: str, width: int) -> str:
    """End a line that takes more than `width` columns with an ellipsis."""
    if columns(line) <= width:
        return line
    kept = line[: max(width - 1, 0)]
    while columns(kept) > max(width - 1, 0):
        kept = kept[:-1]
    return kept + "…"
