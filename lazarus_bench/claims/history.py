"""A claim's history: when it was registered and amended, and which of its numbers were known then.

Whoever fixes a region, an estimand or a design after seeing what it gives has not predicted it. So
a verdict is *post hoc* where it rests on a seed whose numbers were known when the claim became what
it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from lazarus_bench.codec import OMITTED

REGISTERED = "registered"


@dataclass(frozen=True, kw_only=True)
class Event:
    """The registration of a claim, or an amendment.

    Attributes:
        on: The day, ISO 8601.
        changed: A phrase for each thing that was amended; nothing at the registration.
        known: What was known of the claim's numbers then, in words; empty where nobody said.
        seen: The first and the last seed whose numbers were known, or could have been.
    """

    on: str
    changed: tuple[str, ...] = field(default=(), metadata=OMITTED)
    known: str = field(default="", metadata=OMITTED)
    seen: tuple[int, int] | None = field(default=None, metadata=OMITTED)

    def __post_init__(self) -> None:
        """Refuse, with a ValueError, what is no day, and seeds that are no range."""
        date.fromisoformat(self.on)
        if self.seen is not None and not 0 <= self.seen[0] <= self.seen[1]:
            raise ValueError(f"seeds {self.seen[0]} to {self.seen[1]} are no range")

    def __str__(self) -> str:
        """In words: "2026-11-23 amended: region ≥ 0.3 → ≥ 0.36; known: …"."""
        what = f"amended: {', '.join(self.changed)}" if self.changed else REGISTERED
        seeds = "" if self.seen is None else f" (seeds {self.seen[0]} to {self.seen[1]})"
        known = f"; known: {self.known}{seeds}" if self.known or seeds else ""
        return f"{self.on} {what}{known}"


def post_hoc(history: Iterable[Event], seeds: Sequence[int]) -> tuple[str, ...]:
    """The events at which numbers of one of `seeds` were known, in words."""
    return tuple(
        str(event)
        for event in history
        if event.seen is not None and any(event.seen[0] <= s <= event.seen[1] for s in seeds)
    )
