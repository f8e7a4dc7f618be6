"""Claims: their statements, registry, profiles and pins."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lazarus_bench.claims.claim import Claim

ATTRIBUTE = "__lazarus_claim__"
"""Where a test function keeps its claim."""


def claim_of(test: object) -> Claim | None:
    """The claim that a test function judges; None for other tests. It loads no statistics."""
    found: Claim | None = getattr(test, ATTRIBUTE, None)
    return found
