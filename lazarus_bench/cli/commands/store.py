"""List, show, verify or clean up trained artifacts.

Examples:
    lazarus-bench store ls
    lazarus-bench store show 3f2a
    lazarus-bench store gc --dry-run
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from lazarus_bench import reading
from lazarus_bench.cli import terminal
from lazarus_bench.cli.application import actions
from lazarus_bench.cli.flags import Json, StoreFolder
from lazarus_bench.errors import UserError
from lazarus_bench.figures.tables import table

if TYPE_CHECKING:
    from lazarus_bench.jobs import cleanup, measurements
    from lazarus_bench.jobs.store import Store, Stored

LISTED = 4
"""Names that a refusal lists."""

HEADERS = ("label", "digest", "state", "seed", "kind", "age", "duration", "size")
"""The first three are shown in any terminal, of the others as many as fit."""

app = actions()


def _open(named: Path | None) -> Store:
    from lazarus_bench.jobs.store import STORE_VARIABLE, Store, default_root

    root = named.expanduser() if named is not None else default_root()
    if not root.is_dir():
        raise UserError(
            f"there is no store at {root}: nothing was trained there yet, or --store or "
            f"{STORE_VARIABLE} should name another"
        )
    return Store(root)


def record(stored: Stored) -> dict[str, Any]:
    """What other programs are told of an artifact."""
    return {
        "name": stored.name,
        "digest": stored.digest,
        "kind": stored.kind,
        "label": stored.label,
        "seed": stored.seed,
        "state": stored.state,
        "damage": stored.damage,
        "created": stored.created,
        "seconds": stored.seconds,
        "bytes": stored.size,
        "attempts": stored.attempts,
        "directory": str(stored.directory),
    }


@app.command
def ls(*, store: StoreFolder = None, as_json: Json = False) -> int:
    """List finished and running trainings.

    Examples:
        lazarus-bench store ls
        lazarus-bench store ls --store DIR --json
    """
    from lazarus_bench.jobs import measurements

    opened = _open(store)
    contents = sorted(
        opened.artifacts(), key=lambda s: (s.kind, s.label or "", s.seed or 0, s.created)
    )
    total, kept = sum(stored.size for stored in contents), measurements.amount(opened.root)
    beside = f"; beside them {_told_amount(kept)}" if kept.count else ""
    if as_json:
        terminal.write_document(
            "store",
            store=str(opened.root),
            bytes=total,
            artifacts=[record(stored) for stored in contents],
            readings={"count": kept.count, "bytes": kept.size},
        )
    elif not contents:
        terminal.write(f"the store {opened.root} is empty{beside}")
    else:
        terminal.write(
            table(HEADERS, [_row(stored) for stored in contents], terminal.width(), kept=3)
        )
        terminal.write(f"\n{len(contents)} in {opened.root}, {terminal.size(total)}{beside}")
    return 0


def _row(stored: Stored) -> list[str]:
    return [
        stored.label or "?",
        stored.digest[:12],
        stored.state,
        "?" if stored.seed is None else str(stored.seed),
        stored.kind,
        terminal.span(time.time() - stored.created),
        "?" if stored.seconds is None else terminal.span(stored.seconds),
        terminal.size(stored.size),
    ]


def _told_amount(kept: measurements.Amount) -> str:
    return f"{kept}, {terminal.size(kept.size)}"


@app.command
def show(
    digest: Annotated[
        str, Parameter(metavar="DIGEST-PREFIX", help="the first characters of its digest")
    ],
    /,
    *,
    store: StoreFolder = None,
    as_json: Json = False,
) -> int:
    """Show everything about one artifact.

    Examples:
        lazarus-bench store show 3f2a   # `store ls` lists the digests
    """
    from lazarus_bench.jobs import cleanup
    from lazarus_bench.jobs.artifact import object_if_any

    opened = _open(store)
    everything = list(opened.artifacts(checksums=False))
    stored = _chosen(everything, digest, opened)
    records = {other.name: record(other) for other in reversed(everything)}
    gone = {"label": None, "state": "not in the store"}
    shown = record(stored) | {
        "spec": stored.spec,
        "manifest": object_if_any(stored.directory / "manifest.json") or None,
        "files": _files(stored.directory),
        "bases": [records.get(name, {"name": name, **gone}) for name in cleanup.bases(stored.spec)],
        "built_on_it": [record(s) for s in everything if stored.name in cleanup.bases(s.spec)],
        "metrics": _last_metrics(stored.directory),
    }
    if as_json:
        terminal.write_json({"schema": 1, **shown})  # its kind is the training's
    else:
        terminal.write(_told(shown))
    return 0


def _chosen(everything: Sequence[Stored], prefix: str, store: Store) -> Stored:
    found = [s for s in everything if s.digest.startswith(prefix) or s.name.startswith(prefix)]
    # Work that makes a damaged artifact again bears the same name; the artifact comes first.
    names = dict.fromkeys(stored.name for stored in found)
    if not prefix or not found:
        raise UserError(
            f"nothing in the store {store.root} has a digest that begins with {prefix!r}: "
            "`lazarus-bench store ls` lists what there is"
        )
    if len(names) > 1:
        some = ", ".join([*names][:LISTED]) + (", ..." if len(names) > LISTED else "")
        raise UserError(
            f"{prefix} is the beginning of {len(names)} digests ({some}): give more digits"
        )
    return found[0]


def _files(directory: Path) -> dict[str, int]:
    from lazarus_bench.jobs.artifact import below

    sizes: dict[str, int] = {}
    for path in sorted(below(directory)):
        with suppress(OSError):  # a training at work renames and removes files
            sizes[str(path.relative_to(directory))] = path.stat().st_size
    return sizes


def _last_metrics(directory: Path) -> Any:
    """The last whole line of the log: a running training may be writing the next."""
    try:
        lines = reading.read_text(directory / "metrics.jsonl").split("\n")
    except (OSError, ValueError):
        return None
    for line in reversed(lines):
        try:
            return reading.parse_json(line)
        except ValueError:
            continue
    return None


def _told(shown: dict[str, Any]) -> str:
    facts = [(name, shown[name]) for name in _FACTS if shown[name] is not None]
    made_by = (shown["manifest"] or {}).get("made_by", {})
    files = [(name, terminal.size(amount)) for name, amount in shown["files"].items()]
    parts = {
        "": _columns(facts),
        "spec": json.dumps(shown["spec"], indent=1) if shown["spec"] else "unreadable",
        "made by": _columns(made_by.items()),
        "files": _columns(files),
        "built on": _names(shown["bases"]),
        "built on it": _names(shown["built_on_it"]),
        "last metrics": json.dumps(shown["metrics"]) if shown["metrics"] else "",
    }
    return "\n\n".join(f"{title}\n{text}".strip() for title, text in parts.items() if text)


_FACTS = ("name", "digest", "label", "seed", "state", "damage", "seconds", "attempts", "directory")


def _columns(rows: Iterable[tuple[str, Any]]) -> str:
    from tabulate import tabulate

    return tabulate(list(rows), tablefmt="plain", disable_numparse=True)


def _names(records: Iterable[dict[str, Any]]) -> str:
    return _columns((r["name"], f"{r['label'] or ''} ({r['state']})".strip()) for r in records)


@app.command
def verify(*, store: StoreFolder = None, as_json: Json = False) -> int:
    """Compare every file with its checksum, unfinished trainings' included.

    Examples:
        lazarus-bench store verify

    Exit codes:
        0  all intact
        1  something is damaged
        2  bad input
    """
    from lazarus_bench.jobs import cleanup, measurements

    opened = _open(store)
    found = list(opened.artifacts())
    artifacts = [s for s in found if s.state in ("whole", "damaged")]
    damages = {s.name: cleanup.damages_of(s) for s in artifacts}
    unfinished = {s.name: cleanup.damages_of(s) for s in found if s.state == "unfinished"}
    kept, spoiled = measurements.amount(opened.root), list(measurements.damaged(opened.root))
    sentences = [*chain(*damages.values(), *unfinished.values()), *spoiled]
    if as_json:
        terminal.write_document(
            "store",
            store=str(opened.root),
            checked=len(artifacts),
            damages=damages,
            unfinished={"checked": len(unfinished), "damages": unfinished},
            readings={"checked": kept.count, "damages": spoiled},
        )
    else:
        told = f"{len(damages)} artifacts in {opened.root}: {_damaged(damages)} damaged"
        if unfinished:
            told += f"; {len(unfinished)} unfinished: {_damaged(unfinished)} damaged"
        beside = f"; {kept}: {len(spoiled) or 'none'} damaged" if kept.count else ""
        terminal.write("\n".join([*sentences, told + beside]))
    return 1 if sentences else 0


def _damaged(damages: Mapping[str, Sequence[str]]) -> int | str:
    return sum(1 for found in damages.values() if found) or "none"


@app.command
def gc(
    *,
    store: StoreFolder = None,
    as_json: Json = False,
    older_than: Annotated[
        float | None, Parameter(metavar="DAYS", help="also remove intact artifacts older than this")
    ] = None,
    dry: Annotated[
        bool, Parameter(name="--dry-run", help="only show what would be removed")
    ] = False,
) -> int:
    """Remove damaged, abandoned and outdated artifacts.

    Examples:
        lazarus-bench store gc --dry-run
        lazarus-bench store gc --older-than 30 --dry-run
    """
    if older_than is not None and not older_than >= 0:
        raise UserError(f"--older-than {older_than:g} must be 0 days or more")
    from lazarus_bench.jobs import cleanup

    opened = _open(store)
    decisions = cleanup.decide(
        opened.artifacts(checksums=True),
        versions=cleanup.current_versions(),
        now=time.time(),
        older_than=older_than,
    )
    done = decisions if dry else list(cleanup.sweep(opened, decisions))
    swept = _sweep_measurements(opened, done, dry)
    freed = sum(decision.freed for decision in done) + swept.size
    freed += 0 if dry else cleanup.sweep_leftovers(opened)
    if as_json:
        terminal.write_document(
            "store",
            store=str(opened.root),
            dry_run=dry,
            freed=freed,
            items=[record(d.stored) | {"removed": d.remove, "reason": d.reason} for d in done],
            readings={"removed": swept.count, "bytes": swept.size},
            links=[str(path.relative_to(opened.root)) for path in opened.links()],
        )
    else:
        terminal.write(_swept(opened, done, swept, freed, dry))
    return 0


def _sweep_measurements(
    store: Store, done: Iterable[cleanup.Decision], dry: bool
) -> measurements.Amount:
    """Remove, or count, the measurements of what is gone and of other code."""
    from lazarus_bench.jobs import measurements

    kept = [decision.stored.name for decision in done if not decision.remove]
    folders = list(measurements.outdated(store.root, kept))
    return measurements.amount_of(folders) if dry else measurements.sweep(store.root, folders)


def _swept(
    store: Store,
    done: Sequence[cleanup.Decision],
    swept: measurements.Amount,
    freed: int,
    dry: bool,
) -> str:
    from lazarus_bench.jobs.cleanup import A_LINK, WHOLE

    lines = [
        f"{_verb(False, dry)} {path.relative_to(store.root)}: {A_LINK}" for path in store.links()
    ]
    lines += [
        f"{_verb(decision.remove, dry)} {decision.stored.name} "
        f"({terminal.size(decision.stored.size)}): {decision.reason}"
        for decision in sorted(done, key=lambda d: (not d.remove, d.stored.name))
        if decision.remove or decision.reason != WHOLE
    ]
    if swept.count:
        lines.append(
            f"{_verb(True, dry)} {_told_amount(swept)}: of other code, of models that are gone, or "
            f"damaged"
        )
    removed = sum(decision.remove for decision in done)
    total = (
        f"{_verb(True, dry)} {removed} and {_verb(False, dry)} {len(done) - removed} in "
        f"{store.root}: {terminal.size(freed)} {'would be freed' if dry else 'freed'}"
    )
    return "\n".join([*lines, total])


def _verb(remove: bool, dry: bool) -> str:
    if dry:
        return "would remove" if remove else "would keep"
    return "removed" if remove else "kept"
