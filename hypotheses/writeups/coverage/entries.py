"""What the `.toml` files say of a writeup's passages: one entry each."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from typing import Any

from .passages import Passage

WRITEUPS = (
    "task_classifier_emergence",
    "classifier_emergence_cli",
    "classifier_emergence_results",
    "two_stage_classifier",
    "dual_objective_engram",
)
"""Writeups A to E, by the name of their file."""


class Kind(StrEnum):
    """What becomes of a passage with a number."""

    JUDGED = "judged"
    NOT_COVERED = "not covered"
    UNTESTABLE = "untestable"
    CONFIGURATION = "configuration"
    LABEL = "label"


EXPLAINED = (Kind.NOT_COVERED, Kind.UNTESTABLE)
"""Kinds that owe a note: what it would take, or why nothing would do."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One of several things that a judged passage says, and what becomes of it.

    Attributes:
        says: What it says, in our words or a few of its own.
        kind: What becomes of it.
        claims: Ids of the claims that judge it, as in an `Entry`.
        note: Why none does; empty for a part that is judged.
    """

    says: str
    kind: Kind = Kind.JUDGED
    claims: tuple[str, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        if not self.says.strip():
            raise ValueError("a part of a passage says nothing")
        _check(f"the part {self.says!r}", self.kind, self.claims, self.note)
        if self.kind is not Kind.JUDGED and not self.note:
            raise ValueError(f"the part {self.says!r} is {self.kind} without a note that says why")


def _check(what: str, kind: Kind, claims: tuple[str, ...], note: str) -> None:
    if (kind is Kind.JUDGED) != bool(claims):
        raise ValueError(f"{what} is {kind} and names {len(claims)} claims")
    if kind is Kind.JUDGED and note:
        raise ValueError(f"{what} is judged and has a note: make what it leaves out parts")
    if kind in EXPLAINED and not note:
        raise ValueError(f"{what} is {kind} without a note that says why")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What is said of one passage.

    Attributes:
        line: The line that the passage begins on.
        quote: Words of it that no other passage on that line has.
        kind: What becomes of it.
        claims: Ids of the claims that judge it; "family/name" stands for "family/name[...]" too.
        parts: Of a judged passage, what of it needs a word of its own: other claims judge it, or
            none does.
        note: The reason why none of it is judged.
    """

    line: int
    quote: str
    kind: Kind = Kind.JUDGED
    claims: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        if not self.quote.strip():
            raise ValueError(f"the entry of line {self.line} quotes nothing")
        _check(f"line {self.line}", self.kind, self.claims, self.note)
        if self.parts and self.kind is not Kind.JUDGED:
            raise ValueError(f"line {self.line} is {self.kind} and has parts")

    @property
    def named(self) -> tuple[str, ...]:
        """Every claim that judges it or a part of it."""
        parts = (claim for part in self.parts for claim in part.claims)
        return tuple(dict.fromkeys([*self.claims, *parts]))

    def covers(self, passage: Passage) -> bool:
        """Whether it speaks of `passage`."""
        return self.line == passage.line and self.quote in passage.text


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """All entries of one writeup: its letter, its file's name without ".md", its title."""

    writeup: str
    file: str
    title: str
    entries: tuple[Entry, ...]

    def of_kind(self, kind: Kind) -> tuple[Entry, ...]:
        """The entries of one kind, in order."""
        return tuple(entry for entry in self.entries if entry.kind is kind)

    def parts_of_kind(self, kind: Kind) -> tuple[tuple[Entry, Part], ...]:
        """The parts of one kind, each with its passage, in order."""
        return tuple((e, part) for e in self.entries for part in e.parts if part.kind is kind)

    def missing(self, found: Iterable[Passage]) -> Iterator[Passage]:
        """The passages that not exactly one entry speaks of."""
        for passage in found:
            if sum(entry.covers(passage) for entry in self.entries) != 1:
                yield passage

    def stale(self, found: Iterable[Passage]) -> Iterator[Entry]:
        """The entries that speak of none of the passages."""
        found = tuple(found)
        for entry in self.entries:
            if not any(entry.covers(passage) for passage in found):
                yield entry

    def unknown(self, claims: Iterable[str]) -> Iterator[str]:
        """Ids that entries name and that are none of `claims`."""
        known = set(claims)
        known |= {claim.partition("[")[0] for claim in known}
        named = dict.fromkeys(name for entry in self.entries for name in entry.named)
        yield from (name for name in named if name not in known)


def _said(item: Mapping[str, Any]) -> dict[str, Any]:
    kind = Kind(item["kind"]) if "kind" in item else Kind.JUDGED
    return {**item, "kind": kind, "claims": tuple(item.get("claims", ()))}


def _entry(item: Mapping[str, Any]) -> Entry:
    parts = tuple(Part(**_said(part)) for part in item.get("parts", ()))
    return Entry(**{**_said(item), "parts": parts})


def coverage(name: str) -> Coverage:
    """What is said of the writeup `name`.

    Raises:
        ValueError: An entry contradicts itself.
    """
    text = files(__package__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    found = tomllib.loads(text)
    return Coverage(
        writeup=found["writeup"],
        file=found["file"],
        title=found["title"],
        entries=tuple(map(_entry, found["passages"])),
    )
