"""What a store holds, for people and for upkeep: also what is damaged, and unfinished work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lazarus_bench.digests import digest_of
from lazarus_bench.jobs.artifact import SPEC, damages, read_artifact
from lazarus_bench.jobs.attempts import ATTEMPT, below, newest, past, read_object

State = Literal["whole", "damaged", "unfinished", "running"]


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One directory of a store; what its files do not tell any more is None.

    `damage` is the first thing that is wrong, a sentence. `created` is in seconds since the epoch,
    the newest change where no manifest tells it. `seconds` and `attempts` count all attempts.
    """

    directory: Path
    state: State
    damage: str | None
    spec: Mapping[str, Any] | None
    label: str | None
    seed: int | None
    created: float
    seconds: float | None
    size: int
    attempts: int | None

    @property
    def name(self) -> str:
        """The recipe's kind and 20 digits of the digest."""
        return self.directory.name

    @property
    def kind(self) -> str:
        """The recipe's kind."""
        return self.name.rpartition("-")[0]

    @property
    def digest(self) -> str:
        """All 64 digits where the spec can be read, else the 20 of the name."""
        return digest_of(self.spec) if self.spec is not None else self.name.rpartition("-")[2]


def directory_name(canonical: Mapping[str, Any]) -> str:
    """What the directory of the job is called that `canonical` describes."""
    return f"{canonical['kind']}-{digest_of(canonical)[:20]}"


def stored_artifact(directory: Path, *, checksums: bool) -> Stored:
    """The artifact at `directory`, whole or damaged."""
    digest = directory.name.rpartition("-")[2]
    damage = next(damages(directory, digest, checksums=checksums), None)
    try:
        artifact = read_artifact(directory)
    except (OSError, ValueError):
        artifact = None
    return Stored(
        directory=directory,
        state="damaged" if damage else "whole",
        damage=damage,
        spec=_spec(directory),
        label=artifact.label if artifact else None,
        seed=artifact.seed if artifact else None,
        created=artifact.created if artifact else newest(directory),
        seconds=artifact.seconds if artifact else None,
        size=disk_use(directory),
        attempts=artifact.attempts if artifact else None,
    )


def unfinished(directory: Path, *, running: bool) -> Stored:
    """The work at `directory` of an attempt that is under way or was killed."""
    number, seconds = past(directory)
    note = _object(directory / ATTEMPT) or {}
    return Stored(
        directory=directory,
        state="running" if running else "unfinished",
        damage=None,
        spec=_spec(directory),
        label=note.get("label"),
        seed=note.get("seed"),
        created=newest(directory),
        seconds=seconds if number else None,
        size=disk_use(directory),
        attempts=number or None,
    )


def _spec(directory: Path) -> Mapping[str, Any] | None:
    """The spec, unless it is another job's: a damaged one must not speak for its directory."""
    spec = _object(directory / SPEC)
    try:
        return spec if spec is not None and directory_name(spec) == directory.name else None
    except KeyError:
        return None


def _object(file: Path) -> Mapping[str, Any] | None:
    try:
        return read_object(file)
    except (OSError, ValueError):
        return None


def disk_use(directory: Path) -> int:
    """Bytes of the files at `directory`."""
    total = 0
    for path in below(directory):
        try:
            total += path.lstat().st_size
        except OSError:  # its process may be at work
            continue
    return total
