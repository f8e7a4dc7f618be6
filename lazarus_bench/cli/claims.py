"""`lazarus-bench claims`: the pre-registration, listed, shown and exported."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from lazarus_bench.claims.claim_files import read_claims
from lazarus_bench.claims.folder import claims_folder
from lazarus_bench.cli.terminal import flowed, width
from lazarus_bench.errors import UserError
from lazarus_bench.report import write_text
from lazarus_bench.report.registry import (
    FILE,
    RegisteredClaim,
    against,
    by_id,
    chosen,
    drawn_up,
    list_claims,
    load_registry,
    of_family,
    render_claim,
    render_registry,
    tally,
    to_text,
)
from lazarus_bench.report.registry.amendments import KEPT

PAGE = "registry.md"


def run(options: argparse.Namespace) -> int:
    """Carry out `options.action`.

    Raises:
        UserError: a claim, family, folder or registry that is not there, or a file that cannot be
            written.
    """
    claims = drawn_up(read_claims(claims_folder(options.hypotheses)))
    if options.action == "show":
        return _show(chosen(claims, options.claim), options.json)
    if options.family:
        claims = of_family(claims, options.family)
    if options.action == "list":
        return _list(claims, options)
    return _export(claims, options.output, options.json)


def _show(claim: RegisteredClaim, as_json: bool) -> int:
    text = json.dumps(asdict(claim), indent=1, ensure_ascii=False) + "\n"
    sys.stdout.write(text if as_json else flowed(render_claim(claim), width()))
    return 0


def _list(claims: Sequence[RegisteredClaim], options: argparse.Namespace) -> int:
    statuses = None
    if options.against is not None:
        then = by_id(Path(options.against)).values()
        family = options.family
        statuses = against((c for c in then if not family or c.family == family), claims)
    if options.json:
        digests = {claim.id: claim.digest for claim in claims}
        found = statuses or dict.fromkeys(digests)
        listed = [
            {"id": name, "digest": digests.get(name)} | (asdict(status) if status else {})
            for name, status in found.items()
        ]
        print(json.dumps(listed, indent=1, ensure_ascii=False))
    else:
        print(list_claims(claims, width(), statuses))
        if statuses is not None:
            print(f"\n{tally(statuses)}")
    return int(any(status.what != KEPT for status in (statuses or {}).values()))


def _check_folder(claims: Sequence[RegisteredClaim], folder: Path) -> None:
    """Make sure that a registry is written where one belongs and none loses claims by it.

    Raises:
        UserError: the folder is not there, or its registry has families that `claims` lack.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: make it, or name one that is there")
    if not (folder / FILE).exists():
        return
    lost = {c.family for c in load_registry(folder / FILE)} - {c.family for c in claims}
    told = {c.family for c in claims}
    if lost and len(told) == 1:
        raise UserError(
            f"{folder / FILE} also has {', '.join(sorted(lost))}, which this export would take off "
            f"the record: leave --family out, or name a file"
        )


def _export(claims: Sequence[RegisteredClaim], output: str | None, as_json: bool) -> int:
    if output is None:
        sys.stdout.write(to_text(claims) if as_json else render_registry(claims))
        return 0
    path = Path(output)
    if path.is_dir() or output.endswith("/"):
        _check_folder(claims, path)
        write_text(to_text(claims), path / FILE, "registry")
        write_text(render_registry(claims), path / PAGE, "registry")
        print(f"written: {path / FILE} and {path / PAGE}, {len(claims)} claims", file=sys.stderr)
        return 0
    as_json = as_json or path.suffix.lower() == ".json"
    write_text(to_text(claims) if as_json else render_registry(claims), path, "registry")
    return 0
