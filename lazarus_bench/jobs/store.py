"""The store: one directory per digest, written beside and renamed into place."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from lazarus_bench.errors import UserError
from lazarus_bench.jobs.spec import Job

STORE_VARIABLE = "LAZARUS_BENCH_STORE"
MANIFEST = "manifest.json"
SPEC = "spec.json"
PARTIAL = ".partial"


def default_root() -> Path:
    """`LAZARUS_BENCH_STORE`, else the user's cache directory."""
    named = os.environ.get(STORE_VARIABLE)
    return Path(named).expanduser() if named else user_cache_path("lazarus-bench") / "store"


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A finished job: its directory and what its manifest says."""

    directory: Path
    manifest: Mapping[str, Any]

    @property
    def seconds(self) -> float:
        """How long the job took."""
        return float(self.manifest["seconds"])

    @property
    def created(self) -> float:
        """When it was finished, seconds since the epoch."""
        return float(self.manifest["created"])


class Store:
    """Artifacts under `root`; safe to share, since a reader never sees half of one."""

    def __init__(self, root: Path) -> None:
        """Open `root`, made on first use."""
        self.root = root
        self._verified: set[Path] = set()
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"the store {root} cannot be made ({error.strerror}): choose another with "
                f"--lb-store or {STORE_VARIABLE}"
            ) from error

    def path(self, job: Job) -> Path:
        """Where the artifact of `job` lies once it is made."""
        return self.root / f"{job.recipe.kind}-{job.digest[:20]}"

    def find(self, job: Job) -> Artifact | None:
        """The artifact of `job` when it is whole; None when it is missing or damaged."""
        directory = self.path(job)
        try:
            manifest = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
            whole = manifest["digest"] == job.digest and self._intact(directory, manifest)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return Artifact(directory=directory, manifest=manifest) if whole else None

    def _intact(self, directory: Path, manifest: Mapping[str, Any]) -> bool:
        """Compare sizes always and checksums once a session; hashing gigabytes takes time."""
        files = manifest["files"]
        if any((directory / name).stat().st_size != size for name, (size, _) in files.items()):
            return False
        if directory not in self._verified:
            if any(_checksum(directory / name) != digest for name, (_, digest) in files.items()):
                return False
            self._verified.add(directory)
        return True

    @contextmanager
    def writing(self, job: Job, about: Mapping[str, str]) -> Iterator[Path]:
        """A fresh directory that becomes the artifact when the block ends without an error.

        A whole artifact that is there already stays, since somebody may be reading it.
        """
        partial = self.root / PARTIAL / f"{job.digest[:20]}-{os.getpid()}"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        start = time.perf_counter()
        try:
            yield partial
            _write_manifest(partial, job, about, time.perf_counter() - start)
            self._publish(job, partial)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def abandon(self, pid: int) -> None:
        """Remove what the ended process `pid` was writing."""
        for partial in (self.root / PARTIAL).glob(f"*-{pid}"):
            shutil.rmtree(partial, ignore_errors=True)

    def _publish(self, job: Job, partial: Path) -> None:
        # Another process may have finished the same job meanwhile, and somebody may be reading it.
        if self.find(job) is not None:
            return
        shutil.rmtree(self.path(job), ignore_errors=True)
        try:
            partial.rename(self.path(job))
        except OSError:
            if self.find(job) is None:
                raise


def _checksum(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _checksums(directory: Path) -> dict[str, tuple[int, str]]:
    return {
        str(file.relative_to(directory)): (
            file.stat().st_size,
            _checksum(file),
        )
        for file in sorted(directory.rglob("*"))
        if file.is_file()
    }


def _write_manifest(directory: Path, job: Job, about: Mapping[str, str], seconds: float) -> None:
    spec = json.dumps(job.canonical(), indent=1, sort_keys=True)
    (directory / SPEC).write_text(spec + "\n", encoding="utf-8")
    manifest = {
        "digest": job.digest,
        "label": job.label,
        "seed": job.seed,
        "seconds": round(seconds, 3),
        "created": round(time.time(), 3),
        "made_by": dict(about),
        "files": _checksums(directory),
    }
    text = json.dumps(manifest, indent=1, sort_keys=True)
    (directory / MANIFEST).write_text(text + "\n", encoding="utf-8")
