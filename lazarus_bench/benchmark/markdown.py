"""The benchmarks' report: Markdown with its plots beside it, written from documents alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from lazarus_bench.benchmark.document import WANTED_SHARE, Curve, Document, Profile
from lazarus_bench.benchmark.gate import regressions
from lazarus_bench.figures.cost import CostCurve, Costs
from lazarus_bench.report.files import write_text
from lazarus_bench.report.markup import prose, table

FILE = "benchmarks.md"
PLOTS = "benchmarks"

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
    """Write `benchmarks.md` and its plots below `folder`; one part a machine.

    Args:
        documents: the results on each machine, with its heading.
        folder: where the report is written.

    Raises:
        UserError: it cannot be written.
    """
    parts = []
    for index, (heading, document) in enumerate(documents):
        plots = dict(_plots(document, index))
        for name, drawn in plots.items():
            write_text(drawn, folder / PLOTS / name)
        parts.append(_part(heading, document, list(plots)))
    path = folder / FILE
    write_text("\n\n".join(["# Benchmarks", _READING, *parts]) + "\n", path)
    return path


def _part(heading: str, document: Document, plots: Sequence[str]) -> str:
    machine = ", ".join(f"{key} {value}" for key, value in document.machine.items())
    commands = "\n".join(f"    {line}" for line in document.command.splitlines())
    sections = [
        f"## {heading}",
        f"{prose(machine)}. Model: {prose(document.model)}. {document.created}.\n\n{commands}",
        *(f"**Regression:** {prose(sentence)}." for sentence in regressions(document)),
        *_side_by_side(document),
        *_readings(document),
        *_scaling(document.curves, plots),
        *_profiles(document.profiles),
    ]
    if document.roofs:
        rows = [[r.operation, r.size, str(r.rate), r.unit] for r in document.roofs]
        sections += [
            "### What this machine does at most",
            table(["operation", "size", "rate", "unit"], rows),
        ]
    if document.skipped:
        reasons = (f"- {prose(name)}: {prose(why)}" for name, why in document.skipped.items())
        sections += ["### Left out", "\n".join(reasons)]
    return "\n\n".join(sections)


def _side_by_side(document: Document) -> Iterator[str]:
    if not document.ratios:
        return
    rows = []
    for ratio in document.ratios:
        about = ", ".join(
            f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in ratio.about.items()
        )
        found, outcome = str(ratio.found), _MARK[ratio.outcome]
        rows.append(
            [prose(ratio.name), found, ratio.goal, outcome, str(ratio.rounds), prose(about)]
        )
    yield "### Side by side"
    yield table(["comparison", "ratio", "goal", "", "rounds", "where"], rows)


def _readings(document: Document) -> Iterator[str]:
    for group in dict.fromkeys(reading.group for reading in document.readings):
        own = [reading for reading in document.readings if reading.group == group]
        rows = [[prose(r.name), r.unit, r.said, str(r.rounds)] for r in own]
        yield f"### By itself: {group}"
        yield table(["what", "unit", "median", "rounds"], rows)


def _scaling(curves: Sequence[Curve], plots: Sequence[str]) -> Iterator[str]:
    if not curves:
        return
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
    yield "### How cost grows"
    yield (
        "cost = c · size^exponent, least squares on logarithms of medians. A fixed cost keeps the "
        "exponent below 1; between the last two sizes it weighs least. The goal is for the first."
    )
    yield table([*head, "rounds"], rows)
    yield "\n".join(f"![{name.removesuffix('.svg')}]({PLOTS}/{name})" for name in plots)


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


def _profiles(profiles: Sequence[Profile]) -> Iterator[str]:
    if not profiles:
        return
    kinds = list(dict.fromkeys(part.kind for profile in profiles for part in profile.parts))
    yield "### Where a step's time goes"
    yield (
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
    yield table(["recipe", "step", *kinds], rows)
    stages = list(dict.fromkeys(name for profile in profiles for name in profile.phases))
    yield table(
        ["recipe", *stages],
        [[prose(p.recipe), *(f"{p.phases.get(s, 0.0):.3g}" for s in stages)] for p in profiles],
    )
    yield from _shares(profiles)


def _shares(profiles: Sequence[Profile]) -> Iterator[str]:
    """What share of the machine's product rate each recipe reaches, and what keeps it from more."""
    yield (
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
            f"{p.gflop:.3g}",
            f"{p.achieved:.3g}",
            f"{p.machine:.3g}",
            f"{p.attainable:.3g}",
            f"{p.share:.2f}",
            f"{p.ceiling:.2f}",
            f"≥ {WANTED_SHARE:g}",
            _MARK[p.outcome],
            _dearest(p),
        ]
        for p in profiles
    ]
    yield table([*head, "goal", "", "what takes most beside products"], rows)


def _dearest(profile: Profile) -> str:
    return ", ".join(
        f"{part.kind} {part.milliseconds / profile.step.value:.0%}"
        + (f" ({part.operations:,} operations)" if part.operations else "")
        for part in profile.dearest(3)
    )
