"""One claim as it is registered: what decides it, with a digest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lazarus_bench.claims.claim import Claim, recipes_of
from lazarus_bench.claims.claim_files import nearest
from lazarus_bench.claims.registration import decides, on_instruct
from lazarus_bench.codec import from_plain
from lazarus_bench.digests import digest_of
from lazarus_bench.errors import UserError
from lazarus_bench.judge import Region
from lazarus_bench.report import printed


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


def draw_up(claim: Claim, family_size: int) -> RegisteredClaim:
    """The registry's entry of a claim that is one of `family_size`."""
    values = decides(claim, family_size)
    return RegisteredClaim(
        id=claim.id,
        digest=digest_of(values),
        source=claim.source,
        printed="" if claim.published is None else printed.number(claim.published.point),
        trainings=tuple(map(_label, claim.trainings)),
        decides=values,
    )


def drawn_up(claims: Sequence[Claim]) -> tuple[RegisteredClaim, ...]:
    """The registry's entries of all claims of some claim files, in their order."""
    sizes = Counter(claim.family for claim in claims)
    return tuple(draw_up(claim, sizes[claim.family]) for claim in claims)


def _label(need: Any) -> str:
    stages = ", then ".join(recipe.label for recipe in recipes_of(need)) or "the base"
    return f"{stages}, on the instruct sibling" if on_instruct(need) else stages


def chosen(claims: Sequence[RegisteredClaim], claim_id: str) -> RegisteredClaim:
    """The claim called `claim_id`.

    Raises:
        UserError: There is none, with the nearest names.
    """
    for claim in claims:
        if claim.id == claim_id:
            return claim
    raise UserError(
        f"no claim is called {claim_id}{nearest(claim_id, [claim.id for claim in claims])}: "
        "`lazarus-bench claims list` lists them"
    )


def of_family(claims: Sequence[RegisteredClaim], family: str) -> tuple[RegisteredClaim, ...]:
    """The claims of a family.

    Raises:
        UserError: There is no such family, with the names of those there are.
    """
    found = tuple(claim for claim in claims if claim.family == family)
    if not found:
        known = ", ".join(dict.fromkeys(claim.family for claim in claims))
        raise UserError(f"no family of claims is called {family}: choose from {known}")
    return found
