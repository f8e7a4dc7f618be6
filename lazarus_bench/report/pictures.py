"""A report's figures in Markdown: linked SVG files, a description, their numbers folded.

The files are in one folder beside the Markdown file.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from lazarus_bench.errors import UserError
from lazarus_bench.figures.draw import Figure, spread
from lazarus_bench.figures.forest import Forest, Lane
from lazarus_bench.figures.heatmap import HeatMap
from lazarus_bench.figures.layers import LayerCurves, LayerSeries
from lazarus_bench.figures.scatter import Scatter
from lazarus_bench.figures.training import Curve, Curves
from lazarus_bench.judge import Region
from lazarus_bench.report import printed, wording
from lazarus_bench.report.files import write_text
from lazarus_bench.report.markup import code, fold, prose, table, title, token
from lazarus_bench.report.schema import PooledClaim, Report

FOLDER = "figures"
NONE = "·"
"""Shown in place of a missing number."""

_COLUMNS = 8
_NORMAL = 1.959964
"""97.5% quantile of the normal, for 95% limits from a standard error."""


def pictures(report: Report) -> Mapping[str, str]:
    """The SVG of each figure by its path beside the Markdown file."""
    kinds: dict[str, Sequence[Figure]] = {
        "heat-map": report.heatmaps,
        "scatter": report.scatters,
        "layers": report.layer_curves,
        "training": report.curves,
    }
    drawn = {
        place(kind, at): item.svg()
        for kind, items in kinds.items()
        for at, item in enumerate(items)
    }
    regions = {row.claim_id: row.verdict.region for row in report.rows}
    for item in report.pooled:
        region = span_of(regions[item.claim_id])
        forest = Forest(title=item.claim_id, region=region, rows=pooled_lanes(item))
        drawn[place("forest", item.claim_id)] = forest.svg()
    return drawn


def place(kind: str, at: int | str) -> str:
    """The path of a figure, by its number among those of its kind or by its claim."""
    slug = re.sub(r"[^a-z0-9-]", "_", str(at).replace("/", "--").lower())
    name = f"{at + 1:02d}" if isinstance(at, int) else slug
    return f"{FOLDER}/{kind}-{name}.svg"


def write_pictures(report: Report, folder: Path) -> None:
    """Write the figures that the Markdown file in `folder` links; remove an earlier report's alone.

    UserError if the folder cannot be written.
    """
    wanted = pictures(report)
    ours = re.compile(r"((heat-map|scatter|layers|training)-\d{2,}|forest-[a-z0-9_-]+)\.svg")
    figures = folder / FOLDER
    try:
        # What lies behind a link is in no folder that the user named.
        for file in () if figures.is_symlink() else figures.glob("*.svg"):
            if ours.fullmatch(file.name) and f"{FOLDER}/{file.name}" not in wanted:
                file.unlink()
    except OSError as error:
        raise UserError(
            f"cannot remove an earlier report's figures from {folder}; name another folder"
        ) from error
    for path, drawn in wanted.items():
        write_text(drawn, folder / path)


def span_of(region: Region) -> tuple[float, float]:
    """A region as a figure draws it: its edges, infinite where it is open."""
    edges, far = region.edges(), 1e300
    low = -math.inf if region.contains_value(-far) else edges[0]
    return low, math.inf if region.contains_value(far) else edges[-1]


def pooled_lanes(item: PooledClaim) -> tuple[tuple[str, Lane, str], ...]:
    """Name, lane and printed numbers of each family, the pooled estimate and the prediction."""
    found = item.result
    weights = found.weights if found else (None,) * len(item.families)
    rows = []
    for family, weight in zip(item.families, weights, strict=True):
        reach = _NORMAL * family.standard_error
        low, high = family.value - reach, family.value + reach
        lane = Lane(value=family.value, wide=(low, high), shape="square", weight=weight or 0.0)
        rows.append((family.name, lane, printed.with_limits(family.value, low, high)))
    if found:
        low, high = found.interval.low, found.interval.high
        lane = Lane(value=found.value, wide=(low, high), shape="diamond")
        rows.append(("pooled", lane, printed.with_limits(found.value, low, high)))
    if found and found.prediction:
        low, high = found.prediction.low, found.prediction.high
        lane = Lane(wide=(low, high), shape="none", dashed=True)
        rows.append(("another such family", lane, wording.interval(found.prediction, found.value)))
    return tuple(rows)


def heatmap_section(items: Sequence[HeatMap]) -> Iterator[str]:
    """Link all heat maps below one heading; nothing where there are none."""
    reading = (
        "Lens probability of the word that names a prompt's operation, at every layer. Outlined is "
        "the classifier layer. One colour scale for all, logarithmic, two colours a factor of ten."
    )
    alt = "probability of the operation's name by colour, a row a prompt, a column a layer"
    for at, item in enumerate(items):
        if at == 0:
            yield f"## Lens heat maps\n\n{reading}"
        over, says = (text[:1].upper() + text[1:] for text in (item.over(), item.says()))
        said = f"{prose(over)}. {prose(says)}."
        numbers = fold("Numbers", iter([_heat_table(item)]))
        yield _linked(item, f"![{alt}]({place('heat-map', at)})", said, numbers)


def _heat_table(item: HeatMap) -> str:
    layers = spread(range(item.depth), _COLUMNS)
    header = ["Prompts", "Prompt", "Name", *(f"L{layer}" for layer in layers)]
    lines = [
        [
            prose(group.name) if position == 0 else "",
            token(row.prompt.rstrip()).replace("␣", " "),
            prose(row.gold),
            *(printed.number(row.probability[at]) for at in layers),
        ]
        for group in item.groups
        for position, row in enumerate(group.rows)
    ]
    return table(header, lines, right="   " + "r" * len(layers))


def scatter_section(items: Sequence[Scatter]) -> Iterator[str]:
    """Link all scatters below one heading; nothing where there are none."""
    alt = "each example a mark, its class by colour and shape"
    for at, item in enumerate(items):
        if at == 0:
            yield "## Engrams in the plane of their first two principal components"
        yield _linked(item, f"![{alt}]({place('scatter', at)})", item.axes())


def _linked(item: HeatMap | Scatter, *parts: str) -> str:
    return "\n\n".join([f"### {prose(item.title)}: {code(item.subject)}", *parts])


def layer_curves_section(items: Sequence[LayerCurves]) -> Iterator[str]:
    """Link all curves over layers below one heading; nothing where there are none."""
    if items:
        yield "## Layer by layer"
        yield from _folded(items, "layers", "a line each series, by layer", _layer_table)


def _layer_table(item: LayerCurves) -> Iterator[str]:
    seeds = {series.seeds for series in item.series}
    said = []
    if max(seeds, default=0) > 1:
        many = str(seeds.pop()) if len(seeds) == 1 else f"up to {max(seeds)}"
        said.append(f"Mean over {many} seeds, in brackets the lowest and the highest of them.")
    if item.null:
        said.append(
            f"Bold is above {printed.number(item.null.upper)}, the 95th percentile of the best "
            f"layer under the null: {prose(item.null.name)}."
        )
    if said:
        yield " ".join(said)
        yield ""
    positions = spread(range(len(item.layers)), _COLUMNS)
    header = ["Layer", *(f"L{item.layers[i]}" for i in positions), "Highest"]
    rows = []
    for series in item.series:
        best = item.best(series)
        highest = f"{printed.number(best[0])} at L{best[1]}" if best else NONE
        cells = [_layer_cell(item, series, i) for i in positions]
        rows.append([prose(series.name), *cells, highest])
    if item.null:
        values = [item.null.mean[i] for i in positions]
        cells = [printed.number(value) if math.isfinite(value) else NONE for value in values]
        upper = f"95%: {printed.number(item.null.upper)}"
        rows.append([f"null: {prose(item.null.name)}", *cells, upper])
    yield table(header, rows, right=" " + "r" * (len(positions) + 1))


def _layer_cell(item: LayerCurves, series: LayerSeries, i: int) -> str:
    value, low, high = series.mean[i], series.lowest[i], series.highest[i]
    if not math.isfinite(value):
        return NONE
    shown = printed.number(value) if series.seeds == 1 else printed.over_seeds(value, low, high)
    return f"**{shown}**" if item.null is not None and value > item.null.upper else shown


def curves_section(items: Sequence[Curves]) -> Iterator[str]:
    """Link all training curves below one heading; nothing where there are none."""
    if items:
        yield "## Training curves"
        yield from _folded(items, "training", "a panel each logged number", _training_table)


def _training_table(item: Curves) -> Iterator[str]:
    seeds = max((len(curve.lines) for curve in item.series), default=0)
    shown = "One seed" if seeds else "Nothing was logged"
    if seeds > 1:
        shown = f"Mean over {seeds} seeds, in brackets the lowest and the highest of them"
    yield f"{shown}. Each number is the mean of a stretch that ends at its {prose(item.x)}."
    yield ""
    ends = {x for curve in item.series for line in curve.lines for x, _ in line}
    columns = spread(sorted(filter(math.isfinite, ends)), 6)
    rows = ([prose(c.name), *(_curve_cell(c, x, seeds) for x in columns)] for c in item.series)
    header = [prose(item.x), *map(printed.number, columns)]
    yield table(header, rows, right=" " + "r" * len(columns))


def _curve_cell(curve: Curve, x: float, seeds: int) -> str:
    # A point is the mean of the steps since the one before.
    found = (next((y for end, y in line if end >= x), math.nan) for line in curve.lines)
    values = [y for y in found if math.isfinite(y)]
    missing = f", {len(values)} of {seeds} seeds" if len(values) < seeds else ""
    if len(values) < 2:
        return f"{printed.number(values[0]) if values else NONE}{missing}"
    return f"{printed.over_seeds(mean(values), min(values), max(values))}{missing}"


def _folded(
    items: Sequence[Any], kind: str, alt: str, numbers: Callable[[Any], Iterator[str]]
) -> Iterator[str]:
    for at, item in enumerate(items):
        heading = f"{title(item.title)}: <code>{title(item.subject)}</code>, {title(item.unit)}"
        yield fold(heading, iter([f"![{alt}]({place(kind, at)})", "", *numbers(item)]))
