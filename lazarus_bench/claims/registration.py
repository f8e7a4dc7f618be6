"""Claims drawn up for the registry: all that decides each, with its digest.

A digest needs the size of the claim's family, so it is taken once the claim's file is read whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lazarus_bench.claims.claim import (
    REGISTRY,
    TESTS,
    WORDS,
    Need,
    OnInstruct,
    needs_of,
    recipes_of,
)
from lazarus_bench.claims.profiles import PROFILES
from lazarus_bench.claims.source import digest_of_test
from lazarus_bench.errors import UserError
from lazarus_bench.jobs.spec import canonical_recipe, digest_of
from lazarus_bench.judge import ALPHA, RULE, Claim, Evidence, Region, family_level, to_json
from lazarus_bench.report import printed
from lazarus_bench.report.registry import RegisteredClaim, differences, load_registry
from lazarus_bench.report.rows import UNREGISTERED

FILE = "registry.json"
"""Beside the claim files, like the pins."""


def draw_up(claim: Claim) -> RegisteredClaim:
    """The registry's entry of a claim that was read from its file."""
    # Plain values, as they are read back: a tuple would differ from the list it becomes.
    decides = json.loads(json.dumps(_decides(claim), allow_nan=False))
    return RegisteredClaim(
        id=claim.id,
        digest=digest_of(decides),
        source=claim.source,
        printed="" if claim.published is None else printed.number(claim.published.point),
        trainings=tuple(map(_label, needs_of(claim))),
        decides=decides,
    )


def _decides(claim: Claim) -> dict[str, Any]:
    size = REGISTRY.size(claim.family)
    return {
        "id": claim.id,
        "says": claim.says,
        "estimand": claim.estimand,
        "region": _region(claim.region),
        "subjects": list(claim.subjects),
        "needs": [_need(need) for need in needs_of(claim)],
        "words": list(WORDS[claim.id]),
        "binary": claim.binary,
        "difference": claim.difference,
        "exploratory": claim.exploratory,
        "quirk": claim.quirk,
        "family_size": size,
        "alpha": ALPHA,
        "level": family_level(size),
        "rule": RULE,
        "published": _published(claim.published),
        "test": digest_of_test(TESTS[claim.id]),
        "profiles": {name: _sizes(name) for name in PROFILES},
    }


def _region(region: Region) -> dict[str, Any]:
    """A region as JSON, its edges floats: ≥ 0 is ≥ 0.0."""
    fields = to_json(region)
    return {name: v if isinstance(v, str) else float(v) for name, v in fields.items()}


def _need(need: Need) -> dict[str, Any]:
    return {
        "on": "instruct sibling" if isinstance(need, OnInstruct) else "subject",
        "recipes": [canonical_recipe(recipe) for recipe in recipes_of(need)],
    }


def _label(need: Need) -> str:
    stages = ", then ".join(recipe.label for recipe in recipes_of(need)) or "the base"
    return f"{stages}, on the instruct sibling" if isinstance(need, OnInstruct) else stages


def _published(evidence: Evidence | None) -> dict[str, str] | None:
    if evidence is None:
        return None
    return {"evidence": type(evidence).__name__, "digest": digest_of(to_json(evidence))}


def _sizes(name: str) -> dict[str, Any]:
    sizes = asdict(PROFILES[name])
    del sizes["name"]
    return sizes


Registered = Mapping[str, RegisteredClaim]


def read_registered(directory: Path) -> Registered | None:
    """The registry beside the claim files in `directory`, by claim; None where there is none.

    Raises:
        UserError: The file is damaged, or a digest in it is not that of what stands beside it.
    """
    file = directory / FILE
    return by_id(file) if file.exists() else None


def by_id(file: Path) -> Registered:
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


def amended(claim: RegisteredClaim, registered: Registered | None) -> tuple[str, ...]:
    """How `claim` differs from what is on record; nothing where there is no record at all."""
    if registered is None:
        return ()
    then = registered.get(claim.id)
    return (UNREGISTERED,) if then is None else differences(then, claim)
