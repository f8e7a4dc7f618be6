"""Markdown with escaped text, and its tables and folds.

A token can be anything: a pipe, a backtick, a newline, half a tag, a combining mark.
"""

import html
import re
from collections.abc import Iterable, Iterator

from lazarus_bench.figures.text import visible as visible

_PROSE = re.compile(r"([\\`*_<|~$]|^[#>]|\](?=[(\[:]))")
_BLANKS = re.compile(r"\s+")
_MARKED = re.compile(r"\\([\\`*_<|~$#>\]])|(`[^`]*`)|<code>(.*?)</code>|&amp;")
_ENDS_A_SPAN = re.compile(r"[`|\\]|^\s|\s$|^$")
_MARKUP = re.compile(r"[\\`*_\[\]<>|~$#&@:!]")


def prose(text: str) -> str:
    """Escape text for a table cell or a list: one line, nothing in it read as markup."""
    return _PROSE.sub(r"\\\1", _one_line(text)).replace("&", "&amp;")


def code(text: str) -> str:
    """Set text in code type, safe anywhere on a line.

    Between backticks everything is literal but a backtick and, in a table, a pipe; text with one
    of those goes between tags, its markup as entities.
    """
    line = _one_line(text)
    if not _ENDS_A_SPAN.search(line):
        return f"`{line}`"
    return f"<code>{_MARKUP.sub(lambda mark: f'&#{ord(mark[0])};', line)}</code>"


def unescaped(markdown: str) -> str:
    """A line of `prose` and `code` for a terminal; backticks stay, to mark names."""
    return _MARKED.sub(_seen, markdown)


def _seen(mark: re.Match[str]) -> str:
    escaped, span, tagged = mark.groups()
    if tagged is not None:
        return html.unescape(tagged)
    return escaped or span or "&"


def title(text: str) -> str:
    """Escape text for a fold's title, one line of HTML."""
    return html.escape(_one_line(text), quote=False)


def token(text: str) -> str:
    """Set a model's token, as `visible` shows it, in code type."""
    return code(visible(text)) if text else visible(text)


def _one_line(text: str) -> str:
    return _BLANKS.sub(" ", text).strip()


def table(header: Iterable[str], rows: Iterable[Iterable[str]], right: str = "") -> str:
    """Lay out cells that are already escaped; `right` has an "r" for each column to align so."""
    columns = list(header)
    rules = ["---:" if mark == "r" else "---" for mark in right.ljust(len(columns))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [columns, rules, *rows])


def fold(title: str, lines: Iterator[str]) -> str:
    """Fold lines under a title in HTML; empty lines make the content Markdown again."""
    body = "\n".join(lines).rstrip()
    return f"<details>\n<summary>{title}</summary>\n\n{body}\n\n</details>"
