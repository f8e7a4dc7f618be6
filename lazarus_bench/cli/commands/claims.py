"""List, show or export the registered claims.

Examples:
    lazarus-bench claims list --family dual
    lazarus-bench claims show dual/vo-36
    lazarus-bench claims export --json
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from lazarus_bench.cli import terminal
from lazarus_bench.cli.application import actions
from lazarus_bench.cli.flags import Hypotheses, Json, claim_ids, families
from lazarus_bench.cli.terminal import flowed, width
from lazarus_bench.errors import UserError

if TYPE_CHECKING:
    from lazarus_bench.report.registry import RegisteredClaim

Family = Annotated[
    str | None,
    Parameter(metavar="NAME", completer=families, help="only the claims of this family"),
]

app = actions()


@app.command(name="list")
def list_them(
    *,
    hypotheses: Hypotheses = None,
    as_json: Json = False,
    family: Family = None,
    since: Annotated[
        Path | None,
        Parameter(
            name="--against",
            metavar="REGISTRY.json",
            help="show which claims differ from this registry: amended, added or removed",
        ),
    ] = None,
) -> int:
    """List the claims with their digests.

    Examples:
        lazarus-bench claims list --family dual
        lazarus-bench claims list --against hypotheses/registry.json

    Exit codes:
        0  listed
        1  with --against, a claim was amended, added or removed
        2  bad input
    """
    from lazarus_bench.report.registry import KEPT, against, by_id, list_claims, tally

    claims = _claims(hypotheses, family)
    statuses = None
    if since is not None:
        then = by_id(since).values()
        statuses = against((c for c in then if not family or c.family == family), claims)
    if as_json:
        digests = {claim.id: claim.digest for claim in claims}
        found = statuses or dict.fromkeys(digests)
        listed = [
            {"id": name, "digest": digests.get(name)} | (asdict(status) if status else {})
            for name, status in found.items()
        ]
        terminal.write_document("claims", claims=listed)
    else:
        terminal.write(list_claims(claims, width(), statuses))
        if statuses is not None:
            terminal.write(f"\n{tally(statuses)}")
    return int(any(status.what != KEPT for status in (statuses or {}).values()))


@app.command
def show(
    claim: Annotated[
        str, Parameter(metavar="ID", completer=claim_ids, help="the claim's id, such as dual/vo-36")
    ],
    /,
    *,
    hypotheses: Hypotheses = None,
    as_json: Json = False,
) -> int:
    """Show one claim and everything that determines its verdict.

    Examples:
        lazarus-bench claims show dual/vo-36
    """
    from lazarus_bench.report.registry import chosen, render_claim

    found = chosen(_with_histories(hypotheses), claim)
    if as_json:
        terminal.write_document("claim", **asdict(found))
    else:
        terminal.write(flowed(render_claim(found), width()))
    return 0


@app.command
def export(
    *,
    hypotheses: Hypotheses = None,
    as_json: Json = False,
    family: Family = None,
    output: Annotated[
        str | None,
        Parameter(
            metavar="PATH",
            help="write to a file or folder instead of standard output: a folder gets "
            "registry.json and registry.md, a file name ending in .json JSON, any other "
            "Markdown",
        ),
    ] = None,
    known: Annotated[
        str | None,
        Parameter(
            metavar="TEXT",
            help="what was known of the numbers of new and amended claims, for their history; "
            "needed where a claim on record is amended",
        ),
    ] = None,
    seen: Annotated[
        str | None,
        Parameter(
            metavar="FIRST-LAST",
            help="the seeds whose numbers were known, such as 0-4: verdicts on them are post hoc",
        ),
    ] = None,
) -> int:
    """Write the registry of claims as Markdown or JSON.

    A folder's registry is the record: what is new or amended is added to each claim's history.

    Examples:
        lazarus-bench claims export --output hypotheses/   # puts the claims on record
        lazarus-bench claims export --output hypotheses/ --known 'reports/lab' --seen 0-4
        lazarus-bench claims export --json
    """
    from lazarus_bench.report.files import write_text
    from lazarus_bench.report.registry import (
        FILE,
        PAGE,
        put_on_record,
        render_registry,
        to_text,
    )

    claims = _with_histories(hypotheses, family)
    to_folder = output is not None and (Path(output).is_dir() or output.endswith("/"))
    if (known is not None or seen is not None) and not to_folder:
        raise UserError(
            "--known and --seen enter the history on record: name its folder with --output DIR/"
        )
    seeds = _seeds(seen)
    if output is None:
        terminal.write(to_text(claims) if as_json else render_registry(claims), as_json=as_json)
        return 0
    path = Path(output)
    if to_folder:
        _check_folder(claims, path)
        today, record = datetime.now(UTC).date().isoformat(), _on_record(path)
        claims = put_on_record(claims, record, on=today, known=known, seen=seeds)
        write_text(to_text(claims), path / FILE, "registry")
        write_text(render_registry(claims), path / PAGE, "registry")
        print(f"written: {path / FILE} and {path / PAGE}, {len(claims)} claims", file=sys.stderr)
        return 0
    as_json = as_json or path.suffix.lower() == ".json"
    write_text(to_text(claims) if as_json else render_registry(claims), path, "registry")
    return 0


def _seeds(given: str | None) -> tuple[int, int] | None:
    """The first and the last seed of "0-4", or of "3"."""
    if given is None:
        return None
    found = re.fullmatch(r"([0-9]{1,6})(?:-([0-9]{1,6}))?", given.strip())
    first, last = (found[1], found[2] or found[1]) if found else ("1", "0")
    if int(first) > int(last):
        raise UserError(f"--seen {given} names no seeds: give the first and the last, such as 0-4")
    return int(first), int(last)


def _claims(hypotheses: Path | None, family: str | None = None) -> Sequence[RegisteredClaim]:
    from lazarus_bench.claims.claim_files import read_claims
    from lazarus_bench.cli.inputs import claims_at
    from lazarus_bench.report.registry import drawn_up, of_family

    claims = drawn_up(read_claims(claims_at(hypotheses)))
    return of_family(claims, family) if family else claims


def _with_histories(
    hypotheses: Path | None, family: str | None = None
) -> Sequence[RegisteredClaim]:
    """The claims, with their histories on the record beside their files."""
    from lazarus_bench.claims.folder import claims_folder
    from lazarus_bench.report.registry import with_history

    claims = _claims(hypotheses, family)
    return with_history(claims, _on_record(claims_folder(hypotheses)))


def _on_record(folder: Path) -> dict[str, RegisteredClaim] | None:
    """The registry in a folder, by id, whatever its digests say; None where there is none."""
    from lazarus_bench.report.registry import FILE, load_registry

    file = folder / FILE
    return {claim.id: claim for claim in load_registry(file)} if file.exists() else None


def _check_folder(claims: Sequence[RegisteredClaim], folder: Path) -> None:
    """Make sure that a registry is written where one belongs and none loses claims by it."""
    from lazarus_bench.report.registry import FILE, load_registry

    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder: make it, or name one that is there")
    if not (folder / FILE).exists():
        return
    lost = {c.family for c in load_registry(folder / FILE)} - {c.family for c in claims}
    told = {c.family for c in claims}
    if lost and len(told) == 1:
        raise UserError(
            f"{folder / FILE} also has {', '.join(sorted(lost))}, which this export would "
            f"remove from the registry: leave --family out, or name a file"
        )
