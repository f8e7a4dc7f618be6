"""One claim as it was registered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lazarus_bench.codec import from_plain
from lazarus_bench.judge import Region


@dataclass(frozen=True, kw_only=True)
class RegisteredClaim:
    """A claim, what decides it, and the digest of that.

    Attributes:
        id: "family/name".
        digest: SHA-256 of the canonical JSON of `decides`, 64 hexadecimal digits.
        source: Document and section of the claim, which decide nothing.
        printed: The published number in short; empty where it prints none.
        trainings: What the claim's trainings are called, in the order of `decides["needs"]`.
        decides: Everything that decides, as plain JSON values.
    """

    id: str
    digest: str
    source: str
    printed: str
    trainings: tuple[str, ...]
    decides: Mapping[str, Any]

    @property
    def family(self) -> str:
        """The part of the id before the slash."""
        return self.id.partition("/")[0]

    @property
    def region(self) -> Region:
        """Where the number has to lie.

        Raises:
            ValueError: `decides` holds no region that can be read.
        """
        place = f"{self.id}, region"
        region: Region = from_plain(self.decides.get("region"), Region, place)  # type: ignore[type-abstract]
        return region
