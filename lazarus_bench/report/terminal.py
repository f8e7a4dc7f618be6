"""The compact claims table at the end of a pytest run: one line a row, fitted to the terminal."""

from collections.abc import Iterable, Sequence

from lazarus_bench.report import printed, wording
from lazarus_bench.report.printed import cut
from lazarus_bench.report.schema import PooledClaim, Row
from lazarus_bench.report.summary import PUBLISHED, amended

_MINUS = " − "
_GAP = "   "
_KEPT = 3
"""Columns that always show: the claim, the subject, and the verdict."""
_SUBJECT = 24
_LEAST = 8


def claims_table(rows: Iterable[Row], width: int) -> str:
    """Lay out one line for each row, no longer than `width` characters.

    A narrow terminal drops columns right of the verdict, last first, and then cuts subjects and
    claims, down to `_LEAST` characters each.
    """
    cells = []
    for row in rows:
        estimate = row.verdict.estimate
        published = "" if row.subject == PUBLISHED else wording.published(row.published)
        cells.append(
            [
                row.claim_id,
                _end(row.subject, _SUBJECT),
                row.verdict.outcome.value.replace("for this run", "(1 run)"),
                wording.estimate(estimate) if estimate else "",
                wording.relation(row.verdict),
                wording.sample(estimate),
                f"published {published}" if published else "",
            ]
        )
    for column, shorten in ((1, _end), (0, cut)) if cells else ():
        widths = [max(map(len, values)) for values in zip(*cells, strict=True)]
        over = sum(widths[:_KEPT]) + len(_GAP) * (_KEPT - 1) - width
        kept = max(widths[column] - max(over, 0), _LEAST)
        for line in cells:
            line[column] = shorten(line[column], kept)
    return fitted_table(cells, width)


def fitted_table(cells: Sequence[Sequence[str]], width: int) -> str:
    """Lay out rows of cells in columns, no line longer than `width` characters.

    Columns after the third are dropped, last first, until the rest fits; then lines are cut.
    """
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    while len(widths) > _KEPT and sum(widths) + len(_GAP) * (len(widths) - 1) > width:
        widths.pop()
    lines = (
        _GAP.join(cell.ljust(space) for cell, space in zip(line, widths, strict=False))
        for line in cells
    )
    return "\n".join(cut(line.rstrip(), width) for line in lines)


def pooled_line(pooled: Iterable[PooledClaim], width: int) -> str:
    """Summarise the pooled claims in one line."""
    found = [item.result for item in pooled if item.result]
    if not found:
        return ""
    most = max(result.families for result in found)
    shares = [result.i2 for result in found]
    many = printed.many(len(found), "claim")
    spread = f"I² {printed.share(min(shares))} to {printed.share(max(shares))}"
    return cut(f"pooled in the report: {many}, over up to {most} families, {spread}", width)


def amended_line(rows: Iterable[Row], width: int) -> str:
    """Name in one line the claims that differ from the registry; empty without any."""
    names = ", ".join(amended(rows))
    return cut(f"not as registered: {names}", width) if names else ""


def _end(subject: str, width: int) -> str:
    """Keep the end of a long subject, the part of a path that tells models apart.

    Of a difference, both sides are kept: their ends, or their beginnings where the ends are alike.
    """
    if len(subject) <= width:
        return subject
    sides = subject.split(_MINUS)
    each = (width - len(_MINUS)) // 2
    if len(sides) != 2 or each < _LEAST // 2:
        return "…" + subject[1 - width :]
    first, second = (_end(side, each) for side in sides)
    if first == second:
        first, second = (cut(side, each) for side in sides)
    return f"{first}{_MINUS}{second}"
