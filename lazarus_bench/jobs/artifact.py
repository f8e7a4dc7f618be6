"""An artifact: the files of a finished job, and a manifest that tells whether they are whole."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lazarus_bench.jobs.attempts import ATTEMPT, Attempt, read_object
from lazarus_bench.jobs.spec import Job
from lazarus_bench.training.record import RESUME

MANIFEST = "manifest.json"
SPEC = "spec.json"

_REQUIRED = ("digest", "label", "seed", "seconds", "created")


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A finished job: its directory and what its manifest says."""

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

    @property
    def size(self) -> int:
        """Bytes of its files, without the manifest."""
        return sum(int(size) for size, _ in self.manifest["files"].values())

    @property
    def kind(self) -> str:
        """The recipe's kind."""
        return self.directory.name.rpartition("-")[0]

    @property
    def label(self) -> str:
        """The recipe and what it starts from."""
        return str(self.manifest["label"])

    @property
    def seed(self) -> int:
        """The training's seed."""
        return int(self.manifest["seed"])

    @property
    def attempts(self) -> int:
        """How many processes worked on it, one after another."""
        return int(self.manifest.get("attempts", 1))


def read_artifact(directory: Path) -> Artifact:
    """The artifact at `directory` as its manifest tells it; its files are not looked at.

    Raises:
        OSError: there is no manifest that can be read.
        ValueError: it is none of an artifact.
    """
    manifest = read_object(directory / MANIFEST)
    artifact = Artifact(directory=directory, manifest=manifest)
    try:
        known = all(manifest[key] is not None for key in _REQUIRED) and SPEC in manifest["files"]
        _ = artifact.seconds, artifact.created, artifact.seed, artifact.size, artifact.attempts
        [str(checksum) for _, checksum in manifest["files"].values()]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError("no manifest of an artifact") from error
    if not known:
        raise ValueError("no manifest of an artifact")
    return artifact


def damages(directory: Path, digest: str, *, checksums: bool) -> Iterator[str]:
    """A sentence for each thing wrong with the artifact at `directory`.

    `digest` is what its manifest must begin with. Files that the manifest does not list are no
    damage. Without `checksums` only sizes are compared, since hashing gigabytes takes time.
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
    """What a job leaves at `directory`, sorted, without the store's own files and `resume/`.

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
    """Say beside the weights how to make them again."""
    text = json.dumps(job.canonical(), indent=1, sort_keys=True)
    (directory / SPEC).write_text(text + "\n", encoding="utf-8")


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
    text = json.dumps(manifest, indent=1, sort_keys=True)
    (directory / MANIFEST).write_text(text + "\n", encoding="utf-8")
    for file in (*files, directory / MANIFEST, *_directories(directory)):
        flush(file)


def _directories(directory: Path) -> list[Path]:
    return [directory, *(path for path in directory.rglob("*") if path.is_dir())]


def flush(path: Path) -> None:
    """Wait until the file or directory at `path` is on the disk, so that it survives a power cut.

    Raises:
        OSError: it does not fit, which some file systems tell only here.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
