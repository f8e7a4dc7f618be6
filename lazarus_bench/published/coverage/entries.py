"""What the `.toml` files say of a writeup's passages: one entry each."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from typing import Any

from lazarus_bench.published.coverage.passages import Passage

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
class Entry:
    """What is said of one passage.

    Attributes:
        line: The line that the passage begins on.
        quote: Words of it that no other passage on that line has.
        kind: What becomes of it.
        claims: Ids of the claims that judge it; "family/name" stands for "family/name[...]" too.
        note: What is not judged of it, or the reason why none of it is.
    """

    line: int
    quote: str
    kind: Kind = Kind.JUDGED
    claims: tuple[str, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        if not self.quote.strip():
            raise ValueError(f"the entry of line {self.line} quotes nothing")
        if (self.kind is Kind.JUDGED) != bool(self.claims):
            raise ValueError(f"line {self.line} is {self.kind} and names {len(self.claims)} claims")
        if self.kind in EXPLAINED and not self.note:
            raise ValueError(f"line {self.line} is {self.kind} without a note that says why")

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
        named = dict.fromkeys(name for entry in self.entries for name in entry.claims)
        yield from (name for name in named if name not in known)


def _entry(item: Mapping[str, Any]) -> Entry:
    kind = Kind(item["kind"]) if "kind" in item else Kind.JUDGED
    return Entry(**{**item, "kind": kind, "claims": tuple(item.get("claims", ()))})


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
