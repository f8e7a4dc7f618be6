"""Curves over layers in Markdown: a folded table with a row a series, and the null below them."""

import math
from collections.abc import Iterator, Sequence

from lazarus_bench.report import printed
from lazarus_bench.report.charts import LayerCurves, LayerSeries, NullBand
from lazarus_bench.report.escaping import code, prose, title
from lazarus_bench.report.layout import fold, table
from lazarus_bench.report.sparkline import NONE, bars, spread

_COLUMNS = 8
_LONGEST = 48


def layer_curves_section(items: Sequence[LayerCurves]) -> Iterator[str]:
    """Render all curves below one heading; nothing where there are none."""
    if items:
        yield "## Layer by layer"
        yield from map(_curves, items)


def _curves(item: LayerCurves) -> str:
    heading = f"{title(item.title)}: <code>{title(item.subject)}</code>, {title(item.unit)}"
    return fold(heading, iter([" ".join(_reading(item)), "", _table(item)]))


def _reading(item: LayerCurves) -> Iterator[str]:
    seeds = {series.seeds for series in item.series}
    if max(seeds, default=0) > 1:
        many = str(seeds.pop()) if len(seeds) == 1 else f"up to {max(seeds)}"
        yield f"Mean over {many} seeds, in brackets the lowest and the highest of them."
    if item.null:
        yield (
            f"Bold is above {printed.number(item.null.upper)}, the 95th percentile of the best "
            f"layer under the null: {prose(item.null.name)}."
        )
    yield "The bars of all rows share one scale."


def _table(item: LayerCurves) -> str:
    positions = spread(range(len(item.layers)), _COLUMNS)
    header = ["Layer", *(f"L{item.layers[i]}" for i in positions), "Highest", "Course"]
    rows = [_series_line(item, series, positions) for series in item.series]
    rows += [_null_line(item, item.null, positions)] if item.null else []
    return table(header, rows, right=" " + "r" * (len(positions) + 1))


def _series_line(item: LayerCurves, series: LayerSeries, positions: Sequence[int]) -> list[str]:
    cells = [_cell(item, series, i) for i in positions]
    return [prose(series.name), *cells, _highest(item, series), _course(item, series.mean)]


def _cell(item: LayerCurves, series: LayerSeries, i: int) -> str:
    mean, low, high = series.mean[i], series.lowest[i], series.highest[i]
    if not math.isfinite(mean):
        return NONE
    shown = printed.number(mean) if series.seeds == 1 else printed.over_seeds(mean, low, high)
    above = item.null is not None and mean > item.null.upper
    return f"**{shown}**" if above else shown


def _highest(item: LayerCurves, series: LayerSeries) -> str:
    finite = [i for i, mean in enumerate(series.mean) if math.isfinite(mean)]
    if not finite:
        return NONE
    best = max(finite, key=lambda i: series.mean[i])
    return f"{printed.number(series.mean[best])} at L{item.layers[best]}"


def _null_line(item: LayerCurves, null: NullBand, positions: Sequence[int]) -> list[str]:
    drawn = [null.mean[i] for i in positions]
    cells = [printed.number(mean) if math.isfinite(mean) else NONE for mean in drawn]
    upper = f"95%: {printed.number(null.upper)}"
    return [f"null: {prose(null.name)}", *cells, upper, _course(item, null.mean)]


def _course(item: LayerCurves, means: Sequence[float]) -> str:
    among = [mean for series in item.series for mean in series.mean]
    among += item.null.mean if item.null else ()
    return code("".join(bars(spread(means, _LONGEST), among)))
