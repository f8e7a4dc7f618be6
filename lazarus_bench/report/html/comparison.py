"""Two reports compared as one page: both intervals against the region for what moved."""

from __future__ import annotations

from dataclasses import dataclass

from lazarus_bench.figures.draw import Scale
from lazarus_bench.figures.forest import Axis, Lane
from lazarus_bench.report.diff import Comparison, Pair, headline
from lazarus_bench.report.html import anchors, page
from lazarus_bench.report.html.claims import lane_of
from lazarus_bench.report.pictures import span_of
from lazarus_bench.report.schema import Row


@dataclass(frozen=True, kw_only=True)
class Line:
    """A row as a line of its claim's drawing; `axis` has this row's own region."""

    when: str
    row: Row
    lane: Lane
    axis: Axis


@dataclass(frozen=True, kw_only=True)
class PairView:
    """One claim on one subject: its lines, before and after, on one scale, and why they differ.

    `shared` names, in a word each, the differences of the runs as a whole that may be a reason.
    """

    anchor: str
    row: Row
    lines: tuple[Line, ...]
    reasons: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()

    @property
    def ruler(self) -> str:
        """The scale below the lines."""
        return self.lines[-1].axis.ruler()


def render_comparison(found: Comparison) -> str:
    """Render a comparison as one HTML page that asks for nothing, ending in a newline."""
    names = [_name(pair) for pair in (*found.moved, *found.reestimated, *found.unmoved)]
    places = anchors(names, "claim")

    def views(pairs: tuple[Pair, ...]) -> list[PairView]:
        return [_view(pair, found, places[_name(pair)]) for pair in pairs]

    return page(
        "diff.html.jinja",
        found=found,
        headline=headline(found),
        changed=views(found.changed),
        unpaired=[
            ("new", "Only in the newer report", views(found.come)),
            ("gone", "Only in the older report", views(found.gone)),
        ],
        reestimated=views(found.reestimated),
        unmoved=views(found.unmoved),
    )


def _name(pair: Pair) -> str:
    return f"{pair.row.claim_id} on {pair.row.subject}"


def _view(pair: Pair, found: Comparison, anchor: str) -> PairView:
    rows = [(when, row) for when, row in (("before", pair.old), ("after", pair.new)) if row]
    lanes = [lane_of(row.verdict.estimate, "dot") for _, row in rows]
    spans = [span_of(row.verdict.region) for _, row in rows]
    numbers = (number for lane in lanes for number in lane.numbers())
    scale = Scale.over([*(edge for span in spans for edge in span), *numbers])
    lines = (
        Line(when=when, row=row, lane=lane, axis=Axis(scale=scale, region=span))
        for (when, row), lane, span in zip(rows, lanes, spans, strict=True)
    )
    shared = dict.fromkeys(reason.kind for reason in pair.reasons if reason in found.runs)
    return PairView(
        anchor=anchor,
        row=pair.row,
        lines=tuple(lines),
        reasons=tuple(r.text for r in pair.reasons if r not in found.runs),
        shared=tuple(shared),
    )
