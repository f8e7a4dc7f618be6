"""What a command shows: tables that fit the terminal, and a sign of life on anything long."""

from __future__ import annotations

import json
import re
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lazarus_bench.errors import shown
from lazarus_bench.figures.tables import PIPED, wrapped
from lazarus_bench.report.markup import unescaped
from lazarus_bench.session.progress import StatusLine, every

PATIENCE = 1.0
"""Seconds before a command says what it is at, and between two signs of life."""

_LIST = re.compile(r" *- ")
"""How an item of a list begins."""


def width() -> int:
    """Characters that a line has room for: `COLUMNS`, else the terminal's; many in a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPED


def write(text: str, *, as_json: bool = False) -> None:
    """Write to standard output what a token can hold: anything.

    What the output's encoding lacks is written as an escape, and so is what would steer a terminal;
    JSON is UTF-8 (RFC 8259, 8.1).
    """
    text = shown(text)
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(encoding="utf-8") if as_json else reconfigure(errors="backslashreplace")
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")


def json_text(document: Any) -> str:
    """A document as all commands print it."""
    return json.dumps(document, indent=1, ensure_ascii=False)


def write_json(document: Any) -> None:
    """Write a document to standard output."""
    write(json_text(document), as_json=True)


def write_document(kind: str, **content: Any) -> None:
    """Write a document of a `kind` to standard output."""
    write_json({"schema": 1, "kind": kind, **content})


def folded(line: str, room: int, indent: str = "") -> str:
    """A line as it is in a pipe, where a program may look for it; in lines that fit a terminal."""
    return line if room >= PIPED else wrapped(line, room, indent)


def flowed(markdown: str, room: int) -> str:
    """Markdown for a terminal: lines of at most `room`, an item's below its words, no escapes.

    In a pipe it stays as it is, since there it is Markdown.
    """
    if room >= PIPED:
        return markdown
    lines = []
    for line in map(unescaped, markdown.splitlines()):
        item = _LIST.match(line)
        indent = " " * (item.end() if item else 0)
        width = max(room, 8)
        lines.append(textwrap.fill(line, width, subsequent_indent=indent, break_on_hyphens=False))
    return "\n".join(lines) + "\n"


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Say on a terminal's standard error, once a second has passed, what is going on."""
    if not sys.stderr.isatty():
        yield
        return
    start, line = time.monotonic(), StatusLine()
    with every(PATIENCE, lambda: line.live(f"{what}: {time.monotonic() - start:.0f} s")):
        yield
    line.clear()


def size(amount: int) -> str:
    """`amount` bytes in the largest unit that leaves a whole part: 1.5 MB (1 MB = 10⁶ bytes)."""
    value, unit = float(amount), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "B" or value >= 99.95 else f"{value:.1f} {unit}"


def span(seconds: float) -> str:
    """A time span in its largest unit: 12 s, 3 min, 5 h, 2 d."""
    for limit, divisor, unit in ((100, 1, "s"), (6000, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{max(seconds, 0) / divisor:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"
