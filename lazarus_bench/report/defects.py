"""Known defects of the public source in a report: where they were on, and what they explain."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lazarus_bench.judge import Estimate
from lazarus_bench.report import printed, wording
from lazarus_bench.report.markup import code, prose, table
from lazarus_bench.report.schema import Explained, Report, Row
from lazarus_bench.report.summary import PUBLISHED

TITLE = "Which known defect produces a published number?"
READING = (
    "Each line runs one experiment with a known defect of the public source switched on and off. "
    "The verdict is the claim's own; the last column asks whether the printed number lies in our "
    "95% interval, or ours in that of the printed one; of a printed range, whether ours lies in "
    "it. A number that a defect does not produce here may still come from it elsewhere: these are "
    "small models."
)
ONLY_WITH, ONLY_WITHOUT = "only with it", "only without it"
BOTH, AS_CLOSE = "with it and without it", "neither way"
CLOSER_WITH, CLOSER_WITHOUT = "neither way but closer with it", "neither way but closer without it"
NOT_PRINTED, NOT_MEASURED = "no number is printed", "not measured"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One number of one row; `first` marks the first of a row's numbers."""

    row: Row
    item: Explained
    first: bool


def lines(rows: Iterable[Row]) -> tuple[Line, ...]:
    """The lines of the table of defects: models where one was judged, else the printed number."""
    about = [row for row in rows if row.quirk]
    asked = {row.claim_id for row in about if row.subject != PUBLISHED}
    shown = [row for row in about if row.subject != PUBLISHED or row.claim_id not in asked]
    return tuple(
        Line(row=row, item=item, first=place == 0)
        for row in shown
        for place, item in enumerate(row.explained or (_NOTHING,))
    )


_NOTHING = Explained(reads="no number is printed that it could have produced", published=None)


def produced(item: Explained) -> str:
    """Whether the published number is found with the defect, without it, or neither way."""
    if item.published is None:
        return NOT_PRINTED
    if item.on is None or item.off is None:
        return NOT_MEASURED
    on, off = (_meet(side, item) for side in (item.on, item.off))
    if on or off:
        return BOTH if on and off else ONLY_WITH if on else ONLY_WITHOUT
    far_on, far_off = (_far(side, item) for side in (item.on, item.off))
    if far_on == far_off:
        return AS_CLOSE
    return CLOSER_WITH if far_on < far_off else CLOSER_WITHOUT


def _meet(ours: Estimate, item: Explained) -> bool:
    """Whether either number lies in the other's 95% interval, or ours in the printed range."""
    published = item.published
    if item.span is not None or published is None:
        return _far(ours, item) == 0
    reverse = wording.has_interval(published) and _holds(published, ours.value)
    return _holds(ours, published.value) or reverse


def _far(ours: Estimate, item: Explained) -> float:
    """Distance of our number from the printed one, or from the nearer end of a printed range."""
    if item.span is not None:
        low, high = item.span
        return max(low - ours.value, ours.value - high, 0.0)
    return math.inf if item.published is None else abs(item.published.value - ours.value)


def _holds(estimate: Estimate, published: float) -> bool:
    if not wording.has_interval(estimate):
        return estimate.value == published
    return estimate.interval95.low <= published <= estimate.interval95.high


def outcome(found: Sequence[Line]) -> str:
    """The table in one sentence: how many numbers are found with their defect, and how many not."""
    told = [(line.row.quirk, produced(line.item)) for line in found]
    told = [(quirk, answer) for quirk, answer in told if answer not in (NOT_PRINTED, NOT_MEASURED)]
    if not told:
        return ""
    parts = [f"Of {len(told)} published numbers"] if len(told) > 1 else ["Of 1 published number"]
    for answer in (ONLY_WITH, BOTH, CLOSER_WITH, AS_CLOSE, CLOSER_WITHOUT, ONLY_WITHOUT):
        own = [quirk for quirk, given in told if given == answer]
        if own:
            parts.append(f"{len(own)} found {answer} ({', '.join(dict.fromkeys(own))})")
    return f"{parts[0]}: {', '.join(parts[1:])}."


def switched_on(rows: Iterable[Row]) -> dict[str, tuple[str, ...]]:
    """The claims that were judged with each defect switched on, both in the order they came."""
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        for quirk in row.quirks:
            found.setdefault(quirk, {})[row.claim_id] = None
    return {quirk: tuple(claims) for quirk, claims in found.items()}


def quirks_line(rows: Sequence[Row]) -> str:
    """One sentence that names every defect switched on, never cut; "" without any."""
    found = switched_on(rows)
    if not found:
        return ""
    named = "; ".join(f"{quirk} in {', '.join(claims)}" for quirk, claims in found.items())
    # Judged with a defect switched on that their claim is not about.
    odd = ", ".join(dict.fromkeys(row.claim_id for row in rows if set(row.quirks) - {row.quirk}))
    more = f" Not asked for by the claim: {odd}." if odd else ""
    return f"Known defects of the public source were switched on: {named}.{more}"


IN_MANIFEST = "quirk "
"""Prefix of a defect's line in a manifest."""


def manifest_lines(rows: Iterable[Row]) -> dict[str, str]:
    """A line of the manifest for each defect switched on, in a training or a measurement."""
    found = switched_on(rows).items()
    return {f"{IN_MANIFEST}{quirk}": f"switched on in {', '.join(on)}" for quirk, on in found}


def banner(rows: Sequence[Row]) -> Iterator[str]:
    """The warning as a block of Markdown."""
    said = quirks_line(rows)
    if said:
        yield f"> ⚠️ **{prose(said)}**"


def marked(row: Row) -> str:
    """The marks of a row of a Markdown table for defects that were on."""
    return "".join(f" **⚠️ QUIRK {prose(quirk)}**" for quirk in row.quirks)


def defects_section(report: Report) -> Iterator[str]:
    """The table of defects in Markdown."""
    found = lines(report.rows)
    if not found:
        return
    header = ("Defect", "Claim", "What was printed", "Published", "With it", "Without it")
    cells = map(_line, found)
    shown = table([*header, "Verdict of the claim", "Is the number produced?"], cells)
    parts = [f"## {TITLE}", prose(READING), shown, prose(outcome(found))]
    yield "\n\n".join(part for part in parts if part)


def _line(line: Line) -> list[str]:
    row, item = line.row, line.item
    subject = PUBLISHED if row.subject == PUBLISHED else code(row.subject)
    judged = row.subject != PUBLISHED
    return [
        code(row.quirk) if line.first else "",
        f"{code(row.claim_id)}<br><sub>{subject}</sub>" if line.first else "",
        prose(item.reads),
        as_printed(item),
        number(item.on),
        number(item.off),
        (row.verdict.outcome.value if judged else NOT_MEASURED) if line.first else "",
        produced(item),
    ]


def as_printed(item: Explained) -> str:
    """The published number with its 95% interval, or the printed range, or a dash."""
    if item.span is None:
        return number(item.published)
    return " to ".join(printed.numbers(item.span))


def number(estimate: Estimate | None) -> str:
    """An estimate with its 95% interval, or a dash."""
    return "—" if estimate is None else wording.estimate95(estimate)
