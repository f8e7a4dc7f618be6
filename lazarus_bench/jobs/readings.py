"""The store's readings: what was measured of a model, so that no session measures it again.

They cost only time to take again, so nothing here is waited for or flushed, and what cannot be
written is not kept. Layout below the store's root:

    .readings/<20 digits of the code>/<model>/<digest>

A file begins with the checksum of its own digest and content: one that is damaged, half written or
in another's place counts as not there. The model is an artifact's name, or says that the checkpoint
lies elsewhere, and digits of its content.
"""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lazarus_bench.jobs.artifact import below
from lazarus_bench.versions import numeric_versions

ROOM = ".readings"
CONTENT = "@"
"""Stands between the name of a model and the digits of its content."""

ELSEWHERE = "checkpoint"
"""In place of an artifact's name where the model lies outside of the store."""

LARGEST = 1 << 26
"""Most bytes of one reading: what is larger, as logits over a large vocabulary, is read again."""

SOURCES = (
    "backend.py",
    "exponentials.py",
    "tasks",
    "models",
    "analysis",
    "session/codec.py",
    "session/engrams.py",
    "session/hidden.py",
    "session/interventions.py",
    "session/loaded.py",
    "session/memory.py",
    "session/quirks.py",
    "session/routers.py",
    "session/runs.py",
)
"""The package's files and rooms that a reading comes from."""

_PACKAGE = Path(__file__).resolve().parents[1]
_DIGITS = 20
_CHECKSUM = hashlib.sha256().digest_size


def code_digest() -> str:
    """SHA-256 of the source that readings come from, as it is now, and of the versions below it."""
    digest = hashlib.sha256()
    for name, version in sorted(numeric_versions().items()):
        digest.update(f"{name} {version}\n".encode())
    for file in sources():
        content = file.read_bytes()
        digest.update(f"{file.relative_to(_PACKAGE).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


@cache
def code_at_start() -> str:
    """The same, taken once a process: what was imported does not change with its files."""
    return code_digest()


def any_kept(root: Path, code: str) -> bool:
    """Whether the store at `root` has readings by the source with the digest `code`."""
    return (root / ROOM / code[:_DIGITS]).is_dir()


def sources() -> list[Path]:
    """The files of `SOURCES`, sorted."""
    named = [_PACKAGE / name for name in SOURCES]
    return sorted(
        file for path in named for file in (path.rglob("*.py") if path.is_dir() else [path])
    )


def model_name(content: str, artifact: str | None) -> str:
    """The folder of the readings of a model whose content has the digest `content`."""
    return f"{artifact or ELSEWHERE}{CONTENT}{content[:_DIGITS]}"


def content_of(manifest: Mapping[str, object]) -> str:
    """A digest of an artifact's files by its manifest, wherever and whenever it was made."""
    files = manifest["files"]
    assert isinstance(files, Mapping)
    lines = [f"{name} {size} {checksum}" for name, (size, checksum) in sorted(files.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def content_of_checkpoint(directory: Path, fingerprint: str) -> str:
    """The same of a given checkpoint: its fingerprint, which samples large files, and their times.

    A weight changed between the samples changes the time; a copy elsewhere is read anew.
    """
    lines = [fingerprint]
    for file in sorted(directory.glob("*.safetensors")):
        found = file.stat()
        lines.append(f"{file.name} {found.st_size} {found.st_mtime_ns}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Room:
    """The readings of one model by the code with the digest `code`, in the store at `root`."""

    root: Path
    code: str
    model: str

    def read(self, digest: str) -> bytes | None:
        """What is kept under `digest`; None when nothing is, or it is damaged."""
        try:
            return _checked(digest, self._file(digest).read_bytes())
        except OSError:
            return None

    def write(self, digest: str, content: bytes) -> None:
        """Keep `content` under `digest`, where the store can be written and it is not too large."""
        if len(content) > LARGEST:
            return
        file = self._file(digest)
        beside = file.with_name(f".{digest}-{uuid.uuid4().hex}")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(_checksum(digest, content) + content)
            beside.replace(file)
        except OSError:  # full, read-only, or its folder was swept just now
            with suppress(OSError):
                beside.unlink(missing_ok=True)

    def _file(self, digest: str) -> Path:
        return self.root / ROOM / self.code[:_DIGITS] / self.model / digest


def _checksum(digest: str, content: bytes) -> bytes:
    return hashlib.sha256(digest.encode() + content).digest()


def _checked(digest: str, written: bytes) -> bytes | None:
    content = written[_CHECKSUM:]
    return content if written[:_CHECKSUM] == _checksum(digest, content) else None


@dataclass(frozen=True, kw_only=True)
class Amount:
    """How many readings a store keeps, and their bytes."""

    count: int
    size: int

    def __str__(self) -> str:
        return f"{self.count} reading{'' if self.count == 1 else 's'}"


def amount(root: Path) -> Amount:
    """What the store at `root` keeps, of any code and with what killed sessions left."""
    return amount_of([root / ROOM])


def amount_of(folders: Iterable[Path]) -> Amount:
    """How many readings `folders` hold."""
    sizes = [_size(file) for folder in folders for file in below(folder)]
    return Amount(count=len(sizes), size=sum(sizes))


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def damaged(root: Path) -> Iterator[str]:
    """A sentence for each reading that is not as it was written."""
    for file in sorted(below(root / ROOM)):
        if file.name.startswith("."):  # another session is writing it
            continue
        try:
            whole = _checked(file.name, file.read_bytes()) is not None
        except OSError:
            continue
        if not whole:
            where = file.relative_to(root / ROOM)
            yield f"reading {where} is damaged: its checksum differs; it is taken again when needed"


def outdated(root: Path, artifacts: Iterable[str]) -> Iterator[Path]:
    """Folders of readings of other code than this, or of models that are not in `artifacts`."""
    kept, current = {*artifacts, ELSEWHERE}, code_digest()[:_DIGITS]
    for code in _folders(root / ROOM):
        if code.name != current:
            yield code
            continue
        yield from (m for m in _folders(code) if m.name.partition(CONTENT)[0] not in kept)


def _folders(parent: Path) -> list[Path]:
    try:
        return sorted(path for path in parent.iterdir() if path.is_dir())
    except OSError:
        return []


def sweep(root: Path, folders: Iterable[Path]) -> Amount:
    """Remove `folders`, damaged readings and what killed sessions left: what is gone now.

    A session that reads meanwhile takes again what it misses.
    """
    before = amount(root)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    for file in below(root / ROOM):
        if file.name.startswith(".") or not _whole(file):
            with suppress(OSError):
                file.unlink()
    after = amount(root)
    return Amount(count=before.count - after.count, size=before.size - after.size)


def _whole(file: Path) -> bool:
    try:
        return _checked(file.name, file.read_bytes()) is not None
    except OSError:
        return False
