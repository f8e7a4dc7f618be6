"""The table of `store ls`: a line for each artifact, no wider than the terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tabulate import tabulate

from lazarus_bench.cli import quantities, terminal
from lazarus_bench.cli.terminal import LEAST
from lazarus_bench.jobs.store import Stored
from lazarus_bench.report.printed import cut

HEADERS = ("kind", "label", "seed", "age", "duration", "size", "digest", "state")

SPARED = ("size", "duration", "age", "kind", "seed")
"""Columns that a narrow terminal goes without, in this order."""


def table(contents: Sequence[Stored], room: int) -> str:
    """A table no wider than `room`: labels are cut, and then columns left out, and named."""
    rows = [_row(stored) for stored in contents]
    for count in range(len(SPARED) + 1):
        kept = [at for at, name in enumerate(HEADERS) if name not in SPARED[:count]]
        cells = [[row[at] for at in kept] for row in rows]
        heads, label = [HEADERS[at] for at in kept], kept.index(HEADERS.index("label"))
        longest = max(len(row[label]) for row in cells)
        over = len(tabulate(cells, heads, disable_numparse=True).splitlines()[1]) - room
        if over <= 0 or longest - over >= LEAST or count == len(SPARED):
            break
    for row in cells:
        row[label] = cut(row[label], max(longest - max(over, 0), LEAST))
    shown = tabulate(cells, heads, disable_numparse=True)
    left_out = terminal.wrapped(f"no room for: {', '.join(SPARED[:count])}", room)
    return f"{shown}\n{left_out}" if count else shown


def _row(stored: Stored) -> list[str]:
    return [
        stored.kind,
        stored.label or "?",
        "?" if stored.seed is None else str(stored.seed),
        quantities.span(time.time() - stored.created),
        "?" if stored.seconds is None else quantities.span(stored.seconds),
        quantities.size(stored.size),
        stored.digest[:12],
        stored.state,
    ]
