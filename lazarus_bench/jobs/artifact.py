"""An artifact: the files of a finished job and their manifest; and what a store holds besides.

A job that is being made, or whose process was killed, has an `Attempt` on file instead. `Stored`
describes any directory of a store, whole, damaged or unfinished.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lazarus_bench import reading
from lazarus_bench.digests import digest_of
from lazarus_bench.jobs.spec import Job
from lazarus_bench.training import kept
from lazarus_bench.training.kept import flush
from lazarus_bench.training.record import RESUME

MANIFEST = "manifest.json"
SPEC = "spec.json"
ATTEMPT = "attempt.json"

_LONGEST = 1e12
"""Seconds, some 30,000 years: what a file says beyond them is no time."""

_READ = (".safetensors", ".json", ".jsonl", ".jinja", ".model")
"""Endings of the files that are read from an artifact."""

_REQUIRED = ("digest", "label", "seed", "seconds", "created")


def read_object(file: Path) -> Mapping[str, Any]:
    """The JSON object in `file`.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds something else.
    """
    content = reading.read_json(file)
    if not isinstance(content, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 (the file is wrong, not the caller)
    return content


def object_if_any(file: Path) -> Mapping[str, Any]:
    """The JSON object in `file`; an empty one where there is none."""
    try:
        return read_object(file)
    except (OSError, ValueError):
        return {}


def _write_object(file: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, indent=1, sort_keys=True)
    file.write_text(text + "\n", encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A finished job: its directory and its manifest."""

    directory: Path
    manifest: Mapping[str, Any]

    @property
    def seconds(self) -> float:
        """How long the job took, all attempts together."""
        return float(self.manifest["seconds"])

    @property
    def created(self) -> float:
        """When it was finished, seconds since the epoch."""
        return float(self.manifest["created"])


def read_artifact(directory: Path) -> Artifact:
    """The artifact at `directory` by its manifest alone; its files are not read.

    Raises:
        OSError: the manifest is missing or unreadable.
        ValueError: it is not the manifest of an artifact.
    """
    manifest = read_object(directory / MANIFEST)
    artifact = Artifact(directory=directory, manifest=manifest)
    try:
        known = all(manifest[key] is not None for key in _REQUIRED) and SPEC in manifest["files"]
        _ = int(artifact.seconds), int(artifact.created), int(manifest["seed"])
        _ = [(int(size), str(checksum)) for size, checksum in manifest["files"].values()]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ValueError("no manifest of an artifact") from error
    if not known:
        raise ValueError("no manifest of an artifact")
    return artifact


def damages(directory: Path, digest: str, *, checksums: bool) -> Iterator[str]:
    """A sentence for each thing wrong with the artifact at `directory`.

    `digest` is what its manifest must begin with. A file that a loader would read must be listed;
    others, such as a file system's own or what only an attempt reads, are no damage. Without
    `checksums` only sizes are compared, since hashing gigabytes takes time.
    """
    start = f"artifact {directory.name} is damaged:"
    try:
        manifest = read_artifact(directory).manifest
    except FileNotFoundError:
        yield f"{start} {MANIFEST} is missing"
        return
    except (OSError, ValueError) as error:
        yield f"{start} {MANIFEST} is unreadable ({getattr(error, 'strerror', None) or error})"
        return
    if not str(manifest["digest"]).startswith(digest):
        yield f"{start} {MANIFEST} belongs to another job"
        return
    for name, (size, checksum) in manifest["files"].items():
        wrong = _wrong(directory, name, size, checksum if checksums else None)
        if wrong:
            yield f"{start} {wrong}"
    listed = set(manifest["files"]) | {MANIFEST}
    for file in sorted(below(directory)):
        name = str(file.relative_to(directory))
        if name == ATTEMPT or file.is_relative_to(directory / RESUME):
            continue
        if file.suffix in _READ and name not in listed and not name.startswith("."):
            yield f"{start} {MANIFEST} has no checksum of {name}, which lies there"


def _wrong(directory: Path, name: str, size: int, checksum: str | None) -> str | None:
    try:
        file = (directory / name).resolve()
        if not file.is_relative_to(directory.resolve()):
            return f"{MANIFEST} names {name}, which lies outside of it"
        found = file.stat()
        if not stat.S_ISREG(found.st_mode):
            return f"{name} is no file"
        if found.st_size != size:
            return f"{name}'s size differs ({found.st_size} bytes, {size} when it was made)"
        if checksum is not None and _checksum(file) != checksum:
            return f"{name}'s checksum differs from that of the file that was made"
    except (FileNotFoundError, NotADirectoryError):
        return f"{name} is missing"
    except (OSError, ValueError) as error:
        return f"{name} cannot be read ({getattr(error, 'strerror', None) or error})"
    return None


def _checksum(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def payload(directory: Path) -> list[Path]:
    """The files a job left at `directory`, sorted, without the store's own and `resume/`.

    Raises:
        RuntimeError: a recipe left a link, whose target the store could not answer for.
    """
    files = [file for file in sorted(directory.rglob("*")) if not file.is_dir()]
    own = {directory / MANIFEST, directory / ATTEMPT}
    kept = [f for f in files if f not in own and not f.is_relative_to(directory / RESUME)]
    for file in kept:
        if not stat.S_ISREG(file.lstat().st_mode):
            raise RuntimeError(f"{file} is no regular file: a recipe must write copies")
    return kept


def write_spec(directory: Path, job: Job) -> None:
    """Write how to make the weights at `directory` again."""
    _write_object(directory / SPEC, job.canonical())


def write_manifest(directory: Path, job: Job, about: Mapping[str, str], attempt: Attempt) -> None:
    """List the files at `directory` with size and checksum; all is on the disk when it returns."""
    files = payload(directory)
    manifest = {
        "digest": job.digest,
        "kind": job.recipe.kind,
        "label": job.label,
        "seed": job.seed,
        "quirks": list(job.quirks),
        "seconds": round(attempt.seconds(), 3),
        "attempts": attempt.number,
        "created": round(time.time(), 3),
        "made_by": dict(about),
        "files": {
            str(file.relative_to(directory)): (file.stat().st_size, _checksum(file))
            for file in files
        },
    }
    _write_object(directory / MANIFEST, manifest)
    directories = [directory, *(path for path in directory.rglob("*") if path.is_dir())]
    for path in (*files, directory / MANIFEST, *directories):
        flush(path)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """The `number`-th process to work on a job; those before it took `earlier` seconds."""

    number: int
    earlier: float
    start: float

    def seconds(self) -> float:
        """Seconds of all attempts so far."""
        return self.earlier + time.perf_counter() - self.start


def begin(directory: Path, job: Job) -> Attempt:
    """Count one more attempt at `directory`, and note whose it is for those who look.

    Only what a resume verifies stays of the one before.
    """
    number, earlier = past(directory)
    kept.clear(directory, own=ATTEMPT)
    note = {
        "label": job.label,
        "seed": job.seed,
        "attempts": number + 1,
        "seconds": earlier,
        "started": time.time(),
    }
    beside = directory / f"{ATTEMPT}.new"
    beside.write_text(json.dumps(note) + "\n", encoding="utf-8")
    beside.replace(directory / ATTEMPT)
    return Attempt(number=number + 1, earlier=earlier, start=time.perf_counter())


def past(directory: Path) -> tuple[int, float]:
    """How many attempts were made at `directory`, and the seconds they took.

    A killed process cannot write how long it worked; its newest file shows it.
    """
    try:
        last = read_object(directory / ATTEMPT)
        attempts, earlier, started = (float(last[k]) for k in ("attempts", "seconds", "started"))
        if not (0 <= attempts <= _LONGEST and 0 <= earlier <= _LONGEST and math.isfinite(started)):
            return 0, 0.0
        return int(attempts), earlier + min(max(0.0, newest(directory) - started), _LONGEST)
    except (OSError, ValueError, KeyError, TypeError):
        # A power cut may empty this file; only the account of time is lost with it.
        return 0, 0.0


def below(directory: Path) -> Iterator[Path]:
    """The files at `directory`; none where it is a link, and no link to a folder is followed.

    What vanishes meanwhile is left out, unlike with `Path.rglob`.
    """
    if directory.is_symlink():
        return
    for parent, _, names in os.walk(directory):
        yield from (Path(parent, name) for name in names)


def newest(directory: Path) -> float:
    """When anything at `directory` changed last, seconds since the epoch; 0 when it is gone."""
    times = [0.0]
    for path in (directory, *below(directory)):
        with suppress(OSError):  # its process may be at work
            times.append(path.stat().st_mtime)
    return max(times)


def disk_use(directory: Path) -> int:
    """Bytes of the files at `directory`."""
    total = 0
    for path in below(directory):
        with suppress(OSError):  # its process may be at work
            total += path.lstat().st_size
    return total


State = Literal["whole", "damaged", "unfinished", "running"]


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One directory of a store; what its files do not show any more is None.

    `damage` is the first thing that is wrong, a sentence. `created` is in seconds since the epoch,
    the newest change where there is no manifest. `seconds` and `attempts` count all attempts.
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
    """The name of the directory of the job that `canonical` describes."""
    return f"{canonical['kind']}-{digest_of(canonical)[:20]}"


def stored_artifact(directory: Path, *, checksums: bool) -> Stored:
    """The artifact at `directory`, whole or damaged."""
    digest = directory.name.rpartition("-")[2]
    damage = next(damages(directory, digest, checksums=checksums), None)
    about: Mapping[str, Any] = {}
    with suppress(OSError, ValueError):
        about = {"attempts": 1, **read_artifact(directory).manifest}
    return _stored(directory, "damaged" if damage else "whole", about, damage)


def unfinished(directory: Path, *, running: bool) -> Stored:
    """The work at `directory` of an attempt that is under way or was killed."""
    number, seconds = past(directory)
    about = {"attempts": number or None, "seconds": seconds if number else None}
    about = {**object_if_any(directory / ATTEMPT), **about}
    return _stored(directory, "running" if running else "unfinished", about)


def _stored(
    directory: Path, state: State, about: Mapping[str, Any], damage: str | None = None
) -> Stored:
    """What lies at `directory`, `about` which its manifest or the note of its attempt tells."""
    return Stored(
        directory=directory,
        state=state,
        damage=damage,
        spec=_spec(directory),
        label=label if isinstance(label := about.get("label"), str) else None,
        seed=_count(about.get("seed")),
        created=_seconds(about.get("created")) or newest(directory),
        seconds=_seconds(about.get("seconds")),
        size=disk_use(directory),
        attempts=_count(about.get("attempts")),
    )


def _count(value: Any) -> int | None:
    """`value`, or None where damage left no whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _seconds(value: Any) -> float | None:
    """`value`, or None where damage left no number of seconds."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and 0 <= value < _LONGEST else None


def _spec(directory: Path) -> Mapping[str, Any] | None:
    """The spec, unless it is another job's: a damaged one must not speak for its directory."""
    spec = object_if_any(directory / SPEC)
    try:
        return spec if spec and directory_name(spec) == directory.name else None
    except KeyError:
        return None
