"""Plain-text tables and notes that fit a terminal of a given width."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from lazarus_bench.figures.text import columns, visible

PIPED = 400
"""Characters a line where no terminal limits it."""

LEAST = 8
"""Fewest characters to which a table's first column is cut."""

_GAP = "  "


def cut(line: str, width: int) -> str:
    """End a line that takes more than `width` columns with an ellipsis."""
    if columns(line) <= width:
        return line
    kept = line[: max(width - 1, 0)]
    while columns(kept) > max(width - 1, 0):
        kept = kept[:-1]
    return kept + "…"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], room: int, kept: int = 2) -> str:
    """Lay out rows below their header, no line longer than `room`.

    Columns after the first `kept` are dropped, last first, until the rest fits, and a final line
    names them; then the first column is cut, down to `LEAST` characters.
    """
    cells = [list(header), *map(list, rows)]
    widths = [max(map(columns, column)) for column in zip(*cells, strict=True)]
    shown = len(widths)
    while shown > kept and _total(widths[:shown]) > room:
        shown -= 1
    over = _total(widths[:shown]) - room
    if over > 0:
        widths[0] = min(widths[0], max(widths[0] - over, LEAST))
        cells = [[cut(row[0], widths[0]), *row[1:]] for row in cells]
    lines = []
    for row in cells:
        pairs = zip(row[:shown], widths, strict=False)
        padded = (cell + " " * (width - columns(cell)) for cell, width in pairs)
        lines.append(cut(_GAP.join(padded).rstrip(), room))
    if shown < len(header):
        lines.append(wrapped(f"no room for: {', '.join(header[shown:])}", room))
    return "\n".join(lines)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def grid(header: Sequence[str], rows: Sequence[Sequence[str]], room: int, kept: int) -> str:
    """Lay out a table that drops no column: the rest continues in tables below.

    Each repeats the first `kept` columns and has at least one other.
    """
    widths = [max(map(columns, column)) for column in zip(header, *rows, strict=True)]
    fixed = sum(widths[:kept]) + len(_GAP) * kept
    parts: list[list[int]] = []
    used = room
    for at in range(kept, len(widths)):
        if not parts or used + widths[at] > room:
            parts.append([])
            used = fixed
        parts[-1].append(at)
        used += widths[at] + len(_GAP)
    tables = []
    for part in parts:
        cells = [[*row[:kept], *(row[at] for at in part)] for row in (header, *rows)]
        tables.append(table(cells[0], cells[1:], room, kept + 1))
    return "\n\n".join(tables)


def wrapped(text: str, room: int, indent: str = "") -> str:
    """Wrap a note to lines of at most `room` characters; all but the first begin with `indent`."""
    width = max(room, len(indent) + 1) if room < PIPED else 100
    return textwrap.fill(text, width, subsequent_indent=indent, break_on_hyphens=False)


def prompt_cell(prompt: str, room: int) -> str:
    """Show a prompt in a third of `room`: trailing blanks, which count, as ␣."""
    kept = prompt.rstrip(" ")
    shown = visible(kept).replace("␣", " ") if kept else ""
    return cut(shown + "␣" * (len(prompt) - len(kept)), max(8, room // 3))


def hundredths(value: float) -> str:
    """Print a number to two decimals, with a minus sign and one zero: 0.97, −0.02, 0.00."""
    shown = f"{value:.2f}"
    return "0.00" if shown == "-0.00" else shown.replace("-", "−")
