"""Claim files read by their path, without pytest's session: for listing and exporting claims."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

from lazarus_bench.claims.claim import REGISTRY, set_apart
from lazarus_bench.claims.folder import PATTERNS
from lazarus_bench.claims.importing import imported
from lazarus_bench.claims.registration import draw_up
from lazarus_bench.errors import UserError
from lazarus_bench.judge import Claim
from lazarus_bench.report.registry import RegisteredClaim

_NEAREST = 3


def read_claims(directory: Path) -> tuple[RegisteredClaim, ...]:
    """The claims in the files of `directory`, drawn up for the registry, in the order of the files.

    Raises:
        UserError: There is no such folder, no claim in it, or a file that cannot be read.
    """
    with _claims_of(directory) as claims:
        return tuple(draw_up(claim) for claim in claims)


def read_records(directory: Path) -> tuple[Claim, ...]:
    """The claims in the files of `directory` as they are written there, in the order of the files.

    Raises:
        UserError: As `read_claims`.
    """
    with _claims_of(directory) as claims:
        return claims


@contextmanager
def _claims_of(directory: Path) -> Iterator[tuple[Claim, ...]]:
    """The claims, for as long as the block lasts on the registry as its only ones."""
    if not directory.is_dir():
        raise UserError(
            f"there is no folder {directory}: name the folder of claim files with --hypotheses"
        )
    files = dict.fromkeys(p for pattern in PATTERNS for p in directory.rglob(pattern))
    with set_apart(), imported(directory) as read:
        for file in sorted(files):
            read(file)
        claims = tuple(REGISTRY.claims.values())
        if not claims:
            raise UserError(
                f"no file of {directory} holds a claim: name the folder of claim files with "
                f"--hypotheses"
            )
        yield claims


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


def nearest(wanted: str, names: Sequence[str]) -> str:
    """Say which `names` are like `wanted`, whole or after the slash; empty where none is."""
    found = get_close_matches(wanted, names, _NEAREST, cutoff=0.5)
    ends = {name.partition("/")[2]: name for name in names}
    found += [ends[end] for end in get_close_matches(wanted.rpartition("/")[2], ends, _NEAREST)]
    likely = list(dict.fromkeys(found))[:_NEAREST]
    return f"; the nearest are {', '.join(likely)}" if likely else ""
