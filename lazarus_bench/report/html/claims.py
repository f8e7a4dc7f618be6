"""A report's rows as its page shows them: a claim each, with a line for every estimate of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from lazarus_bench.figures.forest import Axis, Lane
from lazarus_bench.judge import Estimate, Outcome, Region, Verdict
from lazarus_bench.judge.replication import Criterion, criteria
from lazarus_bench.report import printed, wording
from lazarus_bench.report.pictures import pooled_lanes, span_of
from lazarus_bench.report.schema import PooledClaim, Report, Row
from lazarus_bench.report.summary import PUBLISHED, claims


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One row: its `sketch`, without seeds, on its `own` axis, and its `lane` on the claim's axis.

    `replication` has the criteria applied to the published estimate and this one.
    """

    row: Row
    own: Axis
    sketch: Lane
    lane: Lane
    replication: tuple[Criterion, ...]


@dataclass(frozen=True, kw_only=True)
class ClaimView:
    """One claim on every subject.

    `anchor` is its id on the page, `about` one of its rows, for what they share. Of `judged` rows
    the published numbers come first; where they have no row, `published` and `printed` are their
    verdict and lane. `diamond` is the pooled estimate's lane. `families` is an axis of its own,
    since families' intervals differ from their subjects'; its `members` have name, lane and
    numbers, the pooled estimate's included.
    """

    anchor: str
    about: Row
    region: Region
    judged: tuple[Judged, ...]
    published: Verdict | None
    printed: Lane
    axis: Axis
    pooled: PooledClaim | None
    diamond: Lane | None
    families: Axis
    members: tuple[tuple[str, Lane, str], ...]

    @property
    def compared(self) -> tuple[Judged, ...]:
        """Rows that have an estimate to compare with the published one."""
        return tuple(item for item in self.judged if item.replication)

    @property
    def unasked(self) -> tuple[str, ...]:
        """Subjects not compared with the published estimate, since a control failed."""
        return tuple(
            item.row.subject
            for item in self.judged
            if item.row.verdict.outcome == Outcome.INVALID and _comparable(item.row)
        )

    @property
    def quirks(self) -> tuple[str, ...]:
        """Every known defect that was on in one of its rows, once."""
        return tuple(dict.fromkeys(name for item in self.judged for name in item.row.quirks))

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """Every outcome once, in the order of the rows."""
        return tuple(dict.fromkeys(item.row.verdict.outcome for item in self.judged))


def anchors(names: Iterable[str], prefix: str) -> dict[str, str]:
    """Give each name a unique id of letters, digits and hyphens."""
    found: dict[str, str] = {}
    for name in names:
        if name not in found:
            plain = f"{prefix}-{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}"
            taken = plain in found.values()
            found[name] = f"{plain}--{len(found)}" if taken else plain
    return found


def claim_views(report: Report) -> tuple[ClaimView, ...]:
    """Group the rows by claim, in the order the claims came."""
    groups = claims(report.rows)
    places = anchors(groups, "claim")
    pooled = {item.claim_id: item for item in report.pooled}
    return tuple(_view(rows, places[name], pooled.get(name)) for name, rows in groups.items())


def _view(rows: tuple[Row, ...], anchor: str, pooled: PooledClaim | None) -> ClaimView:
    ordered = sorted(rows, key=lambda row: row.subject != PUBLISHED)
    region = ordered[0].verdict.region
    apart = None if ordered[0].subject == PUBLISHED else ordered[0].published
    judged = tuple(map(_judged, ordered))
    printed = lane_of(apart.estimate if apart else None, "hollow")
    members = pooled_lanes(pooled) if pooled else ()
    diamond = next((lane for _, lane, _ in members if lane.shape == "diamond"), None)
    among = [*(item.lane for item in judged), printed, *filter(None, [diamond])]
    shared = Axis.over(span_of(region), among)
    return ClaimView(
        anchor=anchor,
        about=ordered[-1],
        region=region,
        judged=judged,
        published=apart,
        printed=printed,
        axis=shared,
        pooled=pooled,
        diamond=diamond,
        families=Axis.over(span_of(region), (lane for _, lane, _ in members)),
        members=members,
    )


def _judged(row: Row) -> Judged:
    estimate = row.verdict.estimate
    lane = lane_of(estimate, "hollow" if row.subject == PUBLISHED else "dot")
    original = row.published.estimate if row.published else None
    replication: tuple[Criterion, ...] = ()
    # As for pooling: where a control failed, the estimate is no evidence of anything.
    valid = row.verdict.outcome != Outcome.INVALID
    if valid and _comparable(row) and estimate is not None and original is not None:
        replication = criteria(original, estimate, row.verdict.region)
    return Judged(
        row=row,
        own=Axis.over(span_of(row.verdict.region), [lane]),
        sketch=replace(lane, dots=(), shape="dot"),
        lane=lane,
        replication=replication,
    )


def lane_of(item: Estimate | None, shape: Literal["dot", "hollow"]) -> Lane:
    """An estimate as a lane; only its value where it has no interval."""
    if item is None:
        return Lane()
    unit = "repeat" if item.scope == "repeats" else "seed"
    dots = zip(item.by_seed, printed.numbers(item.by_seed), strict=True)
    drawn = wording.has_interval(item)
    return Lane(
        value=item.value,
        wide=(item.interval.low, item.interval.high) if drawn else None,
        plain=(item.interval95.low, item.interval95.high) if drawn else None,
        dots=tuple((value, f"{unit} {at}: {text}") for at, (value, text) in enumerate(dots)),
        shape=shape,
    )


def _comparable(row: Row) -> bool:
    """Whether a row is a model's and its source printed a number for the estimand."""
    printed = row.published is not None and row.published.estimate is not None
    return row.subject != PUBLISHED and printed
