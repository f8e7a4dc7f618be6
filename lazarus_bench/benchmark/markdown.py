"""The benchmarks' report: Markdown with its plots beside it, written from documents alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lazarus_bench.benchmark.document import (
    REST,
    WANTED_SHARE,
    Curve,
    Document,
    Profile,
    Ratio,
    Reading,
)
from lazarus_bench.benchmark.gate import regressions
from lazarus_bench.figures.cost import CostCurve, Costs
from lazarus_bench.report.files import write_text
from lazarus_bench.report.markup import prose, table

FILE = "benchmarks.md"
PLOTS = "benchmarks"
SCALING = "How cost grows"

_MARK = {
    "met": "✅ met",
    "missed": "❌ missed",
    "forbidden": "⛔ forbidden",
    "open": "❔ open",
    "": "",
}

_READING = (
    "Ratios are of medians over rounds in which all arms took turns in one process; intervals are "
    "95%, by resampling rounds. Of five rounds or fewer that is their whole range, which holds the "
    "true median in 15 of 16 cases of five rounds, and in 3 of 4 of three. What was measured once "
    "has none. A goal is *met* when the whole interval is on its side, *missed* "
    "when it is wholly on the other, else *open*. Absolute numbers are of the machine named here."
)


def write_report(documents: Sequence[tuple[str, Document]], folder: Path) -> Path:
    """Write `benchmarks.md` and its plots below `folder`; one part a machine, below its heading."""
    parts = []
    for index, (heading, document) in enumerate(documents):
        plots = dict(_plots(document, index))
        for name, drawn in plots.items():
            write_text(drawn, folder / PLOTS / name)
        parts.append(_part(heading, document, list(plots)))
    path = folder / FILE
    write_text("\n\n".join(["# Benchmarks", _READING, *parts]) + "\n", path)
    return path


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table of results, its cells in Markdown, with its title and a note where it has them."""

    title: str = ""
    note: str = ""
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables(document: Document) -> Iterator[Table]:
    """Everything that was measured; no table without a row."""
    groups = dict.fromkeys(reading.group for reading in document.readings)
    found = [_side_by_side(document.ratios)]
    found += [_readings(group, document.readings) for group in groups]
    found += [_scaling(document.curves), *_profiles(document.profiles)]
    roofs = [[r.operation, r.size, str(r.rate), r.unit] for r in document.roofs]
    head = ["operation", "size", "rate", "unit"]
    found.append(Table(title="What this machine does at most", header=head, rows=roofs))
    yield from (each for each in found if each.rows)


def _part(heading: str, document: Document, plots: Sequence[str]) -> str:
    machine = ", ".join(f"{key} {value}" for key, value in document.machine.items())
    commands = "\n".join(f"    {line}" for line in document.command.splitlines())
    sections = [
        f"## {heading}",
        f"{prose(machine)}. Model: {prose(document.model)}. {document.created}.\n\n{commands}",
        *(f"**Regression:** {prose(sentence)}." for sentence in regressions(document)),
    ]
    for each in tables(document):
        title = f"### {each.title}" if each.title else ""
        sections += [part for part in (title, each.note, table(each.header, each.rows)) if part]
        if each.title == SCALING:
            names = [f"![{name.removesuffix('.svg')}]({PLOTS}/{name})" for name in plots]
            sections.append("\n".join(names))
    if document.skipped:
        reasons = (f"- {prose(name)}: {prose(why)}" for name, why in document.skipped.items())
        sections += ["### Left out", "\n".join(reasons)]
    return "\n\n".join(sections)


def _side_by_side(ratios: Sequence[Ratio]) -> Table:
    rows = []
    for ratio in ratios:
        about = ", ".join(
            f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in ratio.about.items()
        )
        found, outcome = str(ratio.found), _MARK[ratio.outcome]
        rows.append(
            [prose(ratio.name), found, ratio.goal, outcome, str(ratio.rounds), prose(about)]
        )
    header = ["comparison", "ratio", "goal", "", "rounds", "where"]
    return Table(title="Side by side", header=header, rows=rows)


def _readings(group: str, readings: Sequence[Reading]) -> Table:
    own = [reading for reading in readings if reading.group == group]
    rows = [[prose(r.name), r.unit, r.said, str(r.rounds)] for r in own]
    header = ["what", "unit", "median", "rounds"]
    return Table(title=f"By itself: {group}", header=header, rows=rows)


def _scaling(curves: Sequence[Curve]) -> Table:
    rows = [
        [
            prose(curve.what),
            curve.along,
            f"{curve.sizes[0]:,g} to {curve.sizes[-1]:,g}",
            f"{curve.cost[0].value:.3g} to {curve.cost[-1].value:.3g} {curve.unit}",
            str(curve.exponent),
            str(curve.last),
            curve.goal,
            _MARK[curve.outcome],
            str(curve.rounds),
        ]
        for curve in curves
    ]
    head = ["cost of", "along", "sizes", "cost", "exponent", "between the last two", "goal", ""]
    note = (
        "cost = c · size^exponent, least squares on logarithms of medians. A fixed cost keeps the "
        "exponent below 1; between the last two sizes it weighs least. The goal is for the first."
    )
    return Table(title=SCALING, note=note, header=[*head, "rounds"], rows=rows)


def _plots(document: Document, index: int) -> Iterator[tuple[str, str]]:
    """One drawing for each size and unit."""
    for along, unit in dict.fromkeys((curve.along, curve.unit) for curve in document.curves):
        own = [c for c in document.curves if (c.along, c.unit) == (along, unit)]
        name = f"{index + 1}-{along}-{unit}.svg".replace(" ", "-").lower()
        costs = tuple(
            CostCurve(
                name=f"{curve.what}: exponent {curve.exponent}",
                points=tuple(
                    (size, cost.value, cost.low, cost.high)
                    for size, cost in zip(curve.sizes, curve.cost, strict=True)
                ),
            )
            for curve in own
        )
        yield name, Costs(title=f"Cost by {along}", along=along, unit=unit, curves=costs).svg()


def _profiles(profiles: Sequence[Profile]) -> Iterator[Table]:
    kinds = list(dict.fromkeys(part.kind for profile in profiles for part in profile.parts))
    note = (
        "Milliseconds a step. Every operation of the step's gradient is counted, and each kind "
        "timed by itself on its own shapes with all it needs in cache; *dispatch* is what an "
        "operation costs by being one, *not explained* is the rest of the step: Python, memory "
        "that is cold, and what the parts gain by running beside each other (below 0)."
    )
    rows = []
    for profile in profiles:
        parts = {
            part.kind: f"{part.milliseconds:.3g}"
            + (f" ({part.operations:,})" if part.operations else "")
            for part in profile.parts
        }
        cells = (parts.get(kind, "") for kind in kinds)
        rows.append([prose(profile.recipe), f"{profile.step.value:.3g}", *cells])
    title = "Where a step's time goes"
    yield Table(title=title, note=note, header=["recipe", "step", *kinds], rows=rows)
    stages = list(dict.fromkeys(name for profile in profiles for name in profile.phases))
    rows = [[prose(p.recipe), *(f"{p.phases.get(s, 0.0):.3g}" for s in stages)] for p in profiles]
    yield Table(header=["recipe", *stages], rows=rows)
    yield _shares(profiles)


def _shares(profiles: Sequence[Profile]) -> Table:
    """What share of the machine's product rate each recipe reaches, and what keeps it from more."""
    note = (
        "Achieved: GFLOP of matrix products in a step over its time, and the share of the "
        "machine's rate, that of its fastest square product. *At most* is the share of a step that "
        "took nothing but its operations' own time and their dispatch: no optimizer, no batch, no "
        f"Python but what makes an operation. Where that is below {WANTED_SHARE:g} the goal is "
        "*forbidden* at this size, while every operation is dispatched by itself; where it is not, "
        "the goal is *missed*."
    )
    head = ["recipe", "GFLOP", "GFLOP/s", "the machine's", "its products alone", "share", "at most"]
    rows = [
        [
            prose(p.recipe),
            *(f"{rate:.3g}" for rate in (p.gflop, p.achieved, p.machine, p.attainable)),
            *(f"{share:.2f}" for share in (p.share, p.ceiling)),
            f"≥ {WANTED_SHARE:g}",
            _MARK[p.outcome],
            _dearest(p),
        ]
        for p in profiles
    ]
    header = [*head, "goal", "", "what takes most beside products"]
    return Table(note=note, header=header, rows=rows)


def _dearest(profile: Profile) -> str:
    """The three most expensive parts, products and what is not explained left out."""
    other = [part for part in profile.parts if part.kind != REST and not part.gflop]
    dearest = sorted(other, key=lambda part: -part.milliseconds)[:3]
    return ", ".join(
        f"{part.kind} {part.milliseconds / profile.step.value:.0%}"
        + (f" ({part.operations:,} operations)" if part.operations else "")
        for part in dearest
    )
