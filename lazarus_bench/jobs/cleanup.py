"""Cleanup: what a store no longer needs, and its removal while other processes use the store."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lazarus_bench.errors import UserError
from lazarus_bench.jobs.artifact import Stored, damages, directory_name, disk_use, stored_artifact
from lazarus_bench.jobs.locks import remove_old_tokens
from lazarus_bench.jobs.store import STORE_VARIABLE, Store, refusal
from lazarus_bench.training import known_recipes
from lazarus_bench.training.kept import damage as resume_damage

DAY = 86_400.0
WHOLE = "whole"
IN_USE = "in use by a live process"
A_LINK = "a link, which is never followed"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Whether `stored` is removed, and why, which frees `freed` bytes."""

    stored: Stored
    remove: bool
    reason: str

    @property
    def freed(self) -> int:
        """Bytes of what is removed."""
        return self.stored.size if self.remove else 0


def bases(spec: Mapping[str, Any] | None) -> list[str]:
    """The names of the artifacts below the job that `spec` describes, nearest first."""
    base = (spec or {}).get("base")
    if not isinstance(base, dict) or "kind" not in base:
        return []
    return [directory_name(base), *bases(base)]


def current_versions() -> dict[str, int]:
    """The version of each kind of recipe that this and other installed packages train."""
    return {kind: recipe.version for kind, recipe in known_recipes().items()}


def damages_of(stored: Stored) -> list[str]:
    """A sentence for each file of an artifact that has changed, contents included.

    Of unfinished work, the first that keeps its training from going on.
    """
    found: Iterable[str | None]
    if stored.state == "unfinished":
        found = [resume_damage(stored.directory)]
    else:
        found = damages(stored.directory, stored.name.rpartition("-")[2], checksums=True)
    told = [sentence for sentence in found if sentence is not None]
    return told if stored.directory.is_dir() else []  # another process may have removed it


def decide(
    contents: Iterable[Stored],
    *,
    versions: Mapping[str, int],
    now: float,
    older_than: float | None = None,
) -> list[Decision]:
    """What to do with everything in a store.

    What a live process is making is kept, with its bases. Damaged artifacts, unfinished work and
    artifacts of another recipe version are removed, with what is built on them; of the rest, so are
    artifacts made more than `older_than` days before `now`, seconds since the epoch, on which
    nothing is built that is kept. `contents` are all of `Store.artifacts(checksums=True)`,
    `versions` the current version of each kind.
    """
    everything = list(contents)
    used = _in_use(everything)
    gone = {s.name: why for s in everything if (why := _fault(s, versions)) and s.name not in used}

    def lost(stored: Stored) -> str | None:
        """The artifact whose removal takes `stored` along: itself or a base."""
        return next((name for name in (stored.name, *bases(stored.spec)) if name in gone), None)

    old: set[str] = set()
    linked = {s.name for s in everything if s.directory.is_symlink()}
    if older_than is not None:
        before = now - older_than * DAY
        whole = [s for s in everything if s.state == "whole" and not lost(s)]
        old = {s.name for s in whole if s.created < before and s.name not in used | linked}
        old -= {name for s in whole if s.name not in old for name in bases(s.spec)}

    def decision(stored: Stored) -> tuple[bool, str]:
        cause = lost(stored)
        if stored.name in used:
            return False, IN_USE
        if stored.directory.is_symlink():
            return False, A_LINK
        if stored.state == "unfinished":
            return True, "left unfinished"
        if cause == stored.name:
            return True, gone[cause]
        if cause is not None:
            return True, f"built on {cause}, which goes"
        if stored.name in old:
            return True, "older than asked for"
        if stored.kind not in versions:
            return False, f"kind {stored.kind} is unknown to this version of lazarus-bench"
        return False, WHOLE

    decided = ((stored, *decision(stored)) for stored in everything)
    return [Decision(stored=s, remove=remove, reason=reason) for s, remove, reason in decided]


def _in_use(everything: Iterable[Stored]) -> set[str]:
    running = [stored for stored in everything if stored.state == "running"]
    return {name for stored in running for name in (stored.name, *bases(stored.spec))}


def _fault(stored: Stored, versions: Mapping[str, int]) -> str | None:
    """Why an artifact is of no use by itself; one behind a link is not ours to judge."""
    if stored.directory.is_symlink():
        return None
    if stored.state == "damaged":
        return stored.damage
    spec: Mapping[str, Any] | None = stored.spec if stored.state == "whole" else None
    while isinstance(spec, dict) and "kind" in spec:
        current = versions.get(spec["kind"], spec.get("version"))
        if spec.get("version") != current:
            return f"recipe {spec['kind']} is now version {current}, not {spec.get('version')}"
        spec = spec.get("base")
    return None


def sweep(store: Store, decisions: Iterable[Decision]) -> Iterator[Decision]:
    """Carry out `decisions`, and yield each as it came out.

    Each removal holds the job's lock; what has changed since, or came into use, stays.

    Raises:
        UserError: nothing can be removed here.
    """
    if not store.writable():
        raise UserError(
            f"the store {store.root} is read-only, so nothing can be removed from it: run gc where "
            f"it can be written, or name another with --store or {STORE_VARIABLE}"
        )
    # What is built on another goes first: an interrupt then leaves no artifact without its base.
    for decision in sorted(decisions, key=lambda d: -len(bases(d.stored.spec))):
        yield _carry_out(store, decision) if decision.remove else decision


def _carry_out(store: Store, decision: Decision) -> Decision:
    stored = decision.stored
    kept = Decision(stored=stored, remove=False, reason=IN_USE)
    try:
        lock = store.locks.acquire(stored.name, wait=False)
    except (OSError, NotImplementedError) as error:
        raise refusal(store.root, f"a lock on {stored.name}", error) or error from error
    if lock is None:
        return kept
    try:
        # The work of `stored` itself looks as if it ran, since its lock is ours.
        others = [other for other in store.unfinished() if other.name != stored.name]
        same = stored.directory.is_dir() and not stored.directory.is_symlink()
        if stored.state != "unfinished":
            again = stored_artifact(stored.directory, checksums=stored.state == "damaged")
            same = same and (again.state, again.created) == (stored.state, stored.created)
        if stored.name in _in_use(others) or not same:
            return kept
        store.discard(stored.directory)
    finally:
        lock.release()
    return decision


def sweep_leftovers(store: Store) -> int:
    """Finish deletions that a process was killed over, and drop unused locks: the bytes freed.

    Raises:
        UserError: something of another user's cannot be deleted.
    """
    freed = 0
    for directory in store.leftovers():
        freed += disk_use(directory)
        shutil.rmtree(directory, ignore_errors=True)
        if directory.exists():
            raise UserError(f"{directory} cannot be deleted: let its owner remove it")
    if store.locks.directory.is_dir() and not store.locks.directory.is_symlink():
        store.locks.clear()
    remove_old_tokens(store.root)
    return freed
