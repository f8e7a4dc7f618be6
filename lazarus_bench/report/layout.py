"""Blocks of Markdown that several sections are built from: a table and a fold."""

from collections.abc import Iterable, Iterator


def table(header: Iterable[str], rows: Iterable[Iterable[str]], right: str = "") -> str:
    """Lay out cells that are already escaped; `right` has an "r" for each column to align so."""
    columns = list(header)
    rules = ["---:" if mark == "r" else "---" for mark in right.ljust(len(columns))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [columns, rules, *rows])


def fold(title: str, lines: Iterator[str]) -> str:
    """Fold lines under a title in HTML; the empty lines let Markdown be read inside the tag."""
    body = "\n".join(lines).rstrip()
    return f"<details>\n<summary>{title}</summary>\n\n{body}\n\n</details>"
