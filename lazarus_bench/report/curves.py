"""Training curves in Markdown: a folded table with a row a series, its mean drawn at the end."""

import math
from collections.abc import Iterator, Sequence
from statistics import mean

from lazarus_bench.report import printed
from lazarus_bench.report.charts import Curve, Curves, Line
from lazarus_bench.report.escaping import code, prose, title
from lazarus_bench.report.layout import fold, table
from lazarus_bench.report.sparkline import NONE, bars, spread

_COLUMNS = 6
_LONGEST = 25


def curves_section(items: Sequence[Curves]) -> Iterator[str]:
    """Render all curves below one heading; nothing where there are none."""
    if items:
        yield "## Training curves"
        yield from map(_curves, items)


def _curves(item: Curves) -> str:
    heading = f"{title(item.title)}: <code>{title(item.subject)}</code>, {title(item.unit)}"
    return fold(heading, iter([_reading(item), "", _table(item)]))


def _reading(item: Curves) -> str:
    seeds = _seeds(item)
    if seeds > 1:
        shown = f"Mean over {seeds} seeds, in brackets the lowest and the highest of them"
    else:
        shown = "One seed" if seeds else "Nothing was logged"
    return f"{shown}. Each number is the mean of a stretch that ends at its {prose(item.x)}."


def _seeds(item: Curves) -> int:
    return max((len(curve.lines) for curve in item.series), default=0)


def _table(item: Curves) -> str:
    ends = _ends(item.series)
    columns = spread(ends, _COLUMNS)
    header = [prose(item.x), *map(printed.number, columns), "Course"]
    seeds = _seeds(item)
    rows = ([prose(c.name), *_cells(c, columns, seeds), _sparkline(c, ends)] for c in item.series)
    return table(header, rows, right=" " + "r" * len(columns))


def _ends(series: Sequence[Curve]) -> list[float]:
    found = {x for curve in series for line in curve.lines for x, _ in line}
    return sorted(filter(math.isfinite, found))


def _finite(curve: Curve, x: float) -> list[float]:
    found = (_at(line, x) for line in curve.lines)
    return [y for y in found if math.isfinite(y)]


def _at(line: Line, x: float) -> float:
    """The point that `x` belongs to: a point stands for what came since the one before."""
    return next((y for end, y in line if end >= x), math.nan)


def _cells(curve: Curve, columns: Sequence[float], seeds: int) -> Iterator[str]:
    for x in columns:
        values = _finite(curve, x)
        missing = f", {len(values)} of {seeds} seeds" if len(values) < seeds else ""
        yield f"{_summary(values)}{missing}"


def _summary(values: Sequence[float]) -> str:
    if not values:
        return NONE
    if len(values) == 1:
        return printed.number(values[0])
    return printed.over_seeds(mean(values), min(values), max(values))


def _sparkline(curve: Curve, ends: Sequence[float]) -> str:
    drawn = [_finite(curve, x) for x in spread(ends, _LONGEST)]
    means = [mean(values) if values else math.nan for values in drawn]
    return code("".join(bars(means)))
