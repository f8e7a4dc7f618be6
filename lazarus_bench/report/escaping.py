"""Text into Markdown that cannot break out of its place.

A token can be anything: a pipe, a backtick, a newline, half a tag, a mark that needs a letter.
"""

import html
import re

from lazarus_bench.figures.text import visible as visible

_PROSE = re.compile(r"([\\`*_<|~$]|^[#>]|\](?=[(\[:]))")
_BLANKS = re.compile(r"\s+")
_MARKED = re.compile(r"\\([\\`*_<|~$#>\]])|(`[^`]*`)|<code>(.*?)</code>|&amp;")
_ENDS_A_SPAN = re.compile(r"[`|\\]|^\s|\s$|^$")
_MARKUP = re.compile(r"[\\`*_\[\]<>|~$#&@:!]")


def prose(text: str) -> str:
    """Escape words of ours for a table cell or a list: one line, no markup taken from the text."""
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
    """A line of `prose` and `code` as somebody reads it who sees no Markdown rendered.

    Backticks stay, as they set names apart from words.
    """
    return _MARKED.sub(_seen, markdown)


def _seen(mark: re.Match[str]) -> str:
    escaped, span, tagged = mark.groups()
    if tagged is not None:
        return html.unescape(tagged)
    return escaped or span or "&"


def title(text: str) -> str:
    """Escape words of ours for a fold's title, where HTML is read and Markdown is not: one line."""
    return html.escape(_one_line(text), quote=False)


def token(text: str) -> str:
    r"""Set a model's token in code type; blanks show as ␣, control characters as \n, \t, \x00.

    A token that begins with a combining mark gets a dotted circle to stand on, and an empty one
    shows as ∅.
    """
    return code(visible(text)) if text else visible(text)


def _one_line(text: str) -> str:
    return _BLANKS.sub(" ", text).strip()
