"""`registry.json`: the pre-registration on file; a version unknown here is refused.

It holds no date and no revision, so that it changes when a claim does and at no other time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lazarus_bench.codec import from_plain, to_plain
from lazarus_bench.digests import digest_of
from lazarus_bench.errors import UserError
from lazarus_bench.report.registry.records import RegisteredClaim

VERSION = 1
FILE = "registry.json"
"""Beside the claim files, like the pins."""


def to_text(claims: Iterable[RegisteredClaim]) -> str:
    """The content of a `registry.json`."""
    content = {"registry": VERSION, "claims": to_plain(tuple(claims))}
    return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def load_registry(path: Path) -> tuple[RegisteredClaim, ...]:
    """Read what `to_text` wrote.

    Raises:
        UserError: The file is missing, is no registry, or has a version unknown here.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"cannot read the registry {path}; name a registry.json, or write one with "
            f"`lazarus-bench claims export --output {path}`"
        ) from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON; name a registry.json of lazarus-bench") from error
    if not isinstance(data, dict) or "registry" not in data:
        raise UserError(f"{path} is not a registry of lazarus-bench; it names no registry version")
    if data["registry"] != VERSION:
        raise UserError(
            f"{path} has registry version {data['registry']}, this lazarus-bench reads version "
            f"{VERSION}; read it with the version that wrote it, or export it again"
        )
    try:
        return from_dict(data)
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); export it again, or mend it") from error


def from_dict(data: Mapping[str, Any]) -> tuple[RegisteredClaim, ...]:
    """The claims of a registry's values, each with a region that can be read.

    Raises:
        ValueError: `data` is something else; the message names the first place that is wrong.
    """
    claims = from_plain(data.get("claims"), tuple[RegisteredClaim, ...], "registry.claims")
    for claim in claims:
        _ = claim.region
        if claim.decides.get("id") != claim.id:
            raise ValueError(f"what decides {claim.id} is of another claim")
    if len({claim.id for claim in claims}) < len(claims):
        raise ValueError("a claim is registered twice")
    return claims


def read_registered(directory: Path) -> dict[str, RegisteredClaim] | None:
    """The registry beside the claim files in `directory`, by claim; None where there is none.

    Raises:
        UserError: The file is damaged, or a digest in it is not that of what it names.
    """
    file = directory / FILE
    return by_id(file) if file.exists() else None


def by_id(file: Path) -> dict[str, RegisteredClaim]:
    """The claims of a registry's file, by id, each with the digest of what it says.

    Raises:
        UserError: As `read_registered`.
    """
    claims = load_registry(file)
    for claim in claims:
        if digest_of(claim.decides) != claim.digest:
            raise UserError(
                f"{file} says of {claim.id} what its digest {claim.digest[:12]} does not cover: it "
                f"was changed by hand; restore it, or export it again"
            )
    return {claim.id: claim for claim in claims}
