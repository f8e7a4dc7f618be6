"""A writeup's passages that hold a number: sentences, and tables and code blocks as wholes.

A number is any digit, or number in a word, that is left when list markers, the numbering of
headings and the names of models and data sets are taken away.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["sentence", "heading", "table", "code"]

_NAMES = re.compile(
    r"(?:meta-llama/)?Llama[- ]3\.2(?:[- ]1B)?|TinyLlama(?:/TinyLlama)?-?[- ]1\.1B"
    r"(?:-Chat-v1\.0)?|Granite 3\.1(?: 2B)?|Qwen2\.5-7B|(?:openai/)?gpt-oss-20b|GPT-OSS 20B"
    r"|OLMoE-1B-7B-0924|SST-2|NF4",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\d|\b(?:zero|single|one|two|three|four|five|six|seven|eight|nine|ten|half|twice"
    r"|(?:hundred|thousand|million)s?)\b",
    re.IGNORECASE,
)
_MARKER = re.compile(r"^\s*(?:[-*>]|\d+\.)\s+")
_NUMBERING = re.compile(r"^#+ (?:\d+\. )?")
_END = re.compile(r"(?<=[.!?])[*_~\"')]*\s+(?=[\"'`*(]*[A-Z])")


@dataclass(frozen=True, kw_only=True)
class Passage:
    """One passage.

    Attributes:
        line: The line it begins on, from 1; of a block its first, of a sentence that of its list
            item or paragraph.
        kind: What it is.
        text: Its text, without list marker or numbering.
    """

    line: int
    kind: Kind
    text: str


_Line = tuple[int, str, Kind]


def _kinds(text: str) -> Iterator[_Line]:
    """Each line with its number and what it belongs to."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        fence = line.startswith("```")
        kind: Kind = "code" if fence or fenced else "sentence"
        fenced ^= fence
        if kind == "sentence" and line.startswith("#"):
            kind = "heading"
        elif kind == "sentence" and line.startswith("|"):
            kind = "table"
        yield number, line, kind


def _blocks(text: str) -> Iterator[list[_Line]]:
    """Lines that belong together: a code block, a table, a heading, an item with what follows."""
    block: list[_Line] = []
    for number, line, kind in _kinds(text):
        fence = line.startswith("```")
        closes = fence and bool(block) and block[-1][2] == "code"
        apart = not block or kind != block[-1][2] or kind == "heading"
        if (apart or (kind == "sentence" and _MARKER.match(line))) and block:
            yield block
            block = []
        if line.strip() or kind == "code":
            block.append((number, line, kind))
        if (closes or (not line.strip() and kind != "code")) and block:
            yield block
            block = []
    if block:
        yield block


def _passages(block: list[_Line]) -> Iterator[Passage]:
    line, first, kind = block[0]
    if kind in ("code", "table"):
        yield Passage(line=line, kind=kind, text="\n".join(text for _, text, _ in block))
        return
    mark = _NUMBERING if kind == "heading" else _MARKER
    text = " ".join([mark.sub("", first), *(rest.strip() for _, rest, _ in block[1:])])
    for sentence in _END.split(text):
        yield Passage(line=line, kind=kind, text=sentence.strip())


def numbered(text: str) -> bool:
    """Whether a number is left in `text` once names are taken away."""
    return bool(_NUMBER.search(_NAMES.sub("", text)))


def passages(text: str) -> tuple[Passage, ...]:
    """The passages of a writeup's Markdown that hold a number, in order."""
    found = (passage for block in _blocks(text) for passage in _passages(block))
    return tuple(passage for passage in found if numbered(passage.text))
