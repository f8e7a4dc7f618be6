"""Blocks of Markdown that several sections are built from: a table and a fold."""

import re
from collections.abc import Iterable, Iterator


def table(header: Iterable[str], rows: Iterable[Iterable[str]], right: str = "") -> str:
    """Lay out cells that are already escaped; `right` has an "r" for each column to align so."""
    columns = list(header)
    rules = ["---:" if mark == "r" else "---" for mark in right.ljust(len(columns))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [columns, rules, *rows])


def picture(folder: str, at: int) -> str:
    """The path of a report's picture beside its Markdown file, by its place in the report."""
    return f"{folder}/{at + 1:02d}.svg"


def is_picture(name: str) -> bool:
    """Whether a file has a name as `picture` gives."""
    return re.fullmatch(r"\d{2,}\.svg", name) is not None


def fold(title: str, lines: Iterator[str]) -> str:
    """Fold lines under a title in HTML; the empty lines let Markdown be read inside the tag."""
    body = "\n".join(lines).rstrip()
    return f"<details>\n<summary>{title}</summary>\n\n{body}\n\n</details>"
