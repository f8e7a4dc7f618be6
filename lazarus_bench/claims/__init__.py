"""Claims: their statements, registry, profiles and pins."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lazarus_bench.claims.claim import Claim

ATTRIBUTE = "__lazarus_claim__"
"""Where a test function keeps its claim."""


def claim_of(test: object) -> Claim | None:
    """The claim that a test function judges; None for other tests. It loads no statistics.

    Other people's tests are looked at too, and some objects have whatever attribute they are asked
    for.
    """
    ours = sys.modules.get(f"{__name__}.claim")
    found = None if ours is None else getattr(test, ATTRIBUTE, None)
    return found if ours is not None and isinstance(found, ours.Claim) else None
