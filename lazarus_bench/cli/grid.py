"""Tables with a column a layer, which may be more than a terminal is wide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lazarus_bench.cli import terminal
from lazarus_bench.report.printed import columns

_GAP = 2


def hundredths(value: float) -> str:
    """A number around 0 in a column of such: 0.97, −0.02, and 0.00 however it was rounded."""
    shown = f"{value:.2f}"
    return "0.00" if shown == "-0.00" else shown.replace("-", "−")


def grid(header: Sequence[str], rows: Sequence[Sequence[str]], room: int, kept: int) -> str:
    """One table below another, each with the first `kept` columns and as many others as fit."""
    widths = [max(map(columns, column)) for column in zip(header, *rows, strict=True)]
    tables = []
    for part in _parts(widths, room, kept):
        cells = [[*row[:kept], *(row[at] for at in part)] for row in (header, *rows)]
        tables.append(terminal.table(cells[0], cells[1:], room, kept + 1))
    return "\n\n".join(tables)


def _parts(widths: Sequence[int], room: int, kept: int) -> Iterator[list[int]]:
    """Columns after the first `kept` that stand side by side; at least one, whatever the room."""
    fixed = sum(widths[:kept]) + _GAP * kept
    part: list[int] = []
    used = fixed
    for at in range(kept, len(widths)):
        if part and used + widths[at] > room:
            yield part
            part, used = [], fixed
        part.append(at)
        used += widths[at] + _GAP
    if part:
        yield part
