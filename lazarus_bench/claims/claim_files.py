"""Claim files read by their path, without pytest's session: for listing and exporting claims."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from lazarus_bench.claims.claim import REGISTRY, Claim
from lazarus_bench.claims.folder import PATTERNS
from lazarus_bench.claims.importing import imported
from lazarus_bench.errors import UserError

_NEAREST = 3


def read_claims(directory: Path) -> tuple[Claim, ...]:
    """The claims in the files of `directory`, in their order; UserError if there are none."""
    if not directory.is_dir():
        raise UserError(
            f"there is no folder {directory}: name the folder of claim files with --hypotheses"
        )
    files = dict.fromkeys(p for pattern in PATTERNS for p in directory.rglob(pattern))
    with REGISTRY.set_apart(), imported(directory) as read:
        for file in sorted(files):
            read(file)
        claims = tuple(REGISTRY.claims.values())
    if not claims:
        raise UserError(
            f"no file of {directory} holds a claim: name the folder of claim files with "
            f"--hypotheses"
        )
    return claims


def nearest(wanted: str, names: Sequence[str]) -> str:
    """Say which `names` are like `wanted`, whole or after the slash; empty where none is."""
    found = get_close_matches(wanted, names, _NEAREST, cutoff=0.5)
    ends = {name.partition("/")[2]: name for name in names}
    found += [ends[end] for end in get_close_matches(wanted.rpartition("/")[2], ends, _NEAREST)]
    likely = list(dict.fromkeys(found))[:_NEAREST]
    return f"; the nearest are {', '.join(likely)}" if likely else ""
