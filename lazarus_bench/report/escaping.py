"""Text into Markdown that cannot break out of its place.

A token can be anything: a pipe, a backtick, a newline, half a tag, a mark that needs a letter.
"""

import re
import unicodedata

_PROSE = re.compile(r"([\\`*_\[\]<>|~$#])")
_BLANKS = re.compile(r"\s+")


def prose(text: str) -> str:
    """Escape words of ours for a table cell or a list: one line, no markup taken from the text."""
    escaped = _PROSE.sub(r"\\\1", _BLANKS.sub(" ", text).strip())
    return escaped.replace("&", "&amp;")


def code(text: str) -> str:
    """Set text in code type, safely anywhere: every mark of Markdown or HTML becomes an entity."""
    return f"<code>{''.join(map(_entity, text))}</code>"


def token(text: str) -> str:
    r"""Set a model's token in code type; blanks show as ␣, control characters as \n, \t, \x00.

    A token that begins with a combining mark gets a dotted circle to stand on, and an empty one
    shows as ∅.
    """
    if not text:
        return "∅"
    base = "◌" if unicodedata.category(text[0]).startswith("M") else ""
    return code(base + "".join(map(_visible, text)))


def _visible(character: str) -> str:
    if character == " ":
        return "␣"
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")


def _entity(character: str) -> str:
    if character.isalnum() or character in " ␣,;:/=%'\"" or ord(character) > 127:
        return character
    return f"&#{ord(character)};" if character.isprintable() else " "
