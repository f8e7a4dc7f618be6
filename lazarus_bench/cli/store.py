"""`lazarus-bench store`: list, show, verify and clean up what was trained."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tabulate import tabulate

from lazarus_bench.cli import quantities, terminal
from lazarus_bench.cli.stored_table import table
from lazarus_bench.errors import UserError
from lazarus_bench.jobs import measurements, upkeep
from lazarus_bench.jobs.attempts import below
from lazarus_bench.jobs.store import STORE_VARIABLE, Store, Stored, default_root

SHOWN = 4
"""Names that a refusal lists."""


def run(options: argparse.Namespace) -> int:
    """Carry out `options.action`.

    Raises:
        UserError: there is no such store or artifact, or nothing can be removed.
    """
    store = _open(options.store)
    if options.action == "ls":
        return _ls(store, options.json)
    if options.action == "show":
        return _show(store, options.digest, options.json)
    if options.action == "verify":
        return _verify(store, options.json)
    return _gc(store, options.older_than, options.dry_run, options.json)


def _open(named: str | None) -> Store:
    root = Path(named).expanduser() if named is not None else default_root()
    if not root.is_dir():
        raise UserError(
            f"there is no store at {root}: nothing was trained there yet, or --store or "
            f"{STORE_VARIABLE} should name another"
        )
    return Store(root)


def _print_json(content: Any) -> None:
    print(json.dumps(content, indent=1))


def _record(stored: Stored) -> dict[str, Any]:
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


def _ls(store: Store, as_json: bool) -> int:
    contents = sorted(
        store.artifacts(), key=lambda s: (s.kind, s.label or "", s.seed or 0, s.created)
    )
    total, kept = sum(stored.size for stored in contents), measurements.amount(store.root)
    beside = f"; beside them {_told_amount(kept)}" if kept.count else ""
    if as_json:
        _print_json(
            {
                "store": str(store.root),
                "bytes": total,
                "artifacts": [_record(stored) for stored in contents],
                "readings": {"count": kept.count, "bytes": kept.size},
            }
        )
    elif not contents:
        print(f"the store {store.root} is empty{beside}")
    else:
        print(table(contents, terminal.width()))
        print(f"\n{len(contents)} in {store.root}, {quantities.size(total)}{beside}")
    return 0


def _told_amount(kept: measurements.Amount) -> str:
    return f"{kept}, {quantities.size(kept.size)}"


def _show(store: Store, prefix: str, as_json: bool) -> int:
    everything = list(store.artifacts(checksums=False))
    stored = _chosen(everything, prefix, store)
    shown = _record(stored) | {
        "spec": stored.spec,
        "manifest": _read(stored.directory / "manifest.json"),
        "files": _files(stored.directory),
        "bases": [_relative(name, everything) for name in upkeep.bases(stored.spec)],
        "built_on_it": [_record(s) for s in everything if stored.name in upkeep.bases(s.spec)],
        "metrics": _last_metrics(stored.directory),
    }
    if as_json:
        _print_json(shown)
    else:
        print(_told(shown))
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
        some = ", ".join([*names][:SHOWN]) + (", ..." if len(names) > SHOWN else "")
        raise UserError(
            f"{prefix} is the beginning of {len(names)} digests ({some}): give more digits"
        )
    return found[0]


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _files(directory: Path) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for path in sorted(below(directory)):
        with suppress(OSError):  # a training at work renames and removes files
            sizes[str(path.relative_to(directory))] = path.stat().st_size
    return sizes


def _relative(name: str, everything: Iterable[Stored]) -> dict[str, Any]:
    found = next((_record(stored) for stored in everything if stored.name == name), None)
    return found or {"name": name, "label": None, "state": "not in the store"}


def _last_metrics(directory: Path) -> Any:
    """The last whole line of the log: a running training may be writing the next."""
    try:
        lines = (directory / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return None
    for line in reversed(lines):
        try:
            return json.loads(line)
        except ValueError:
            continue
    return None


def _told(shown: dict[str, Any]) -> str:
    facts = [(name, shown[name]) for name in _FACTS if shown[name] is not None]
    made_by = (shown["manifest"] or {}).get("made_by", {})
    files = [(name, quantities.size(amount)) for name, amount in shown["files"].items()]
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
    return tabulate(list(rows), tablefmt="plain", disable_numparse=True)


def _names(records: Iterable[dict[str, Any]]) -> str:
    return _columns((r["name"], f"{r['label'] or ''} ({r['state']})".strip()) for r in records)


def _verify(store: Store, as_json: bool) -> int:
    artifacts = [s for s in store.artifacts() if s.state in ("whole", "damaged")]
    damages = {s.name: upkeep.damages_of(s) for s in artifacts}
    kept, spoiled = measurements.amount(store.root), list(measurements.damaged(store.root))
    sentences = [*(sentence for found in damages.values() for sentence in found), *spoiled]
    if as_json:
        _print_json(
            {
                "store": str(store.root),
                "checked": len(artifacts),
                "damages": damages,
                "readings": {"checked": kept.count, "damages": spoiled},
            }
        )
    else:
        beside = f"; {kept}: {len(spoiled) or 'none'} damaged" if kept.count else ""
        print("\n".join([*sentences, _checked(store, damages) + beside]))
    return 1 if sentences else 0


def _checked(store: Store, damages: dict[str, list[str]]) -> str:
    damaged = sum(1 for found in damages.values() if found)
    return f"{len(damages)} artifacts in {store.root}: {damaged or 'none'} damaged"


def _gc(store: Store, older_than: float | None, dry: bool, as_json: bool) -> int:
    if older_than is not None and not older_than >= 0:
        raise UserError(f"--older-than {older_than:g} must be 0 days or more")
    decisions = upkeep.decide(
        store.artifacts(checksums=True),
        versions=upkeep.current_versions(),
        now=time.time(),
        older_than=older_than,
    )
    done = decisions if dry else list(upkeep.sweep(store, decisions))
    swept = _sweep_measurements(store, done, dry)
    freed = sum(decision.freed for decision in done) + swept.size
    freed += 0 if dry else upkeep.sweep_leftovers(store)
    if as_json:
        _print_json(
            {
                "store": str(store.root),
                "dry_run": dry,
                "freed": freed,
                "items": [
                    _record(d.stored) | {"removed": d.remove, "reason": d.reason} for d in done
                ],
                "readings": {"removed": swept.count, "bytes": swept.size},
            }
        )
    else:
        print(_swept(store, done, swept, freed, dry))
    return 0


def _sweep_measurements(
    store: Store, done: Iterable[upkeep.Decision], dry: bool
) -> measurements.Amount:
    """Remove, or count, the measurements of what is gone and of other code."""
    kept = [decision.stored.name for decision in done if not decision.remove]
    folders = list(measurements.outdated(store.root, kept))
    return measurements.amount_of(folders) if dry else measurements.sweep(store.root, folders)


def _swept(
    store: Store,
    done: Sequence[upkeep.Decision],
    swept: measurements.Amount,
    freed: int,
    dry: bool,
) -> str:
    lines = [
        f"{_verb(decision.remove, dry)} {decision.stored.name} "
        f"({quantities.size(decision.stored.size)}): {decision.reason}"
        for decision in sorted(done, key=lambda d: (not d.remove, d.stored.name))
        if decision.remove or decision.reason != upkeep.WHOLE
    ]
    if swept.count:
        lines.append(
            f"{_verb(True, dry)} {_told_amount(swept)}: of other code, of models that are gone, or "
            f"damaged"
        )
    removed = sum(decision.remove for decision in done)
    total = (
        f"{_verb(True, dry)} {removed} and {_verb(False, dry)} {len(done) - removed} in "
        f"{store.root}: {quantities.size(freed)} {'would be freed' if dry else 'freed'}"
    )
    return "\n".join([*lines, total])


def _verb(remove: bool, dry: bool) -> str:
    if dry:
        return "would remove" if remove else "would keep"
    return "removed" if remove else "kept"
