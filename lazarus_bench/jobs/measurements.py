"""The store's measurements: what was measured of a model, so that no session measures it again.

They cost only time to take again, so nothing here is locked or flushed, and what cannot be written
is not kept. Layout below the store's root:

    .measurements/<instrument>@<20 digits of its code>/<model>/<digest>

A file begins with the checksum of its own digest and content: one that is damaged, incomplete or in
the wrong place counts as missing. The model is an artifact's name, or says that the checkpoint is
outside the store, and digits of its content.
"""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lazarus_bench.jobs.artifact import below
from lazarus_bench.jobs.sources import code_of

ROOM = ".measurements"
FORMER = ".readings"
"""Where versions before 0.2 kept theirs, under one digest for all code; `store gc` removes it."""

CONTENT = "@"
"""Separates the name of an instrument or a model from the digits of its content."""

ELSEWHERE = "checkpoint"
"""In place of an artifact's name where the model is outside the store."""

LARGEST = 1 << 26
"""Most bytes of one measurement: larger ones, as logits over a large vocabulary, are taken anew."""

_DIGITS = 20
_CHECKSUM = hashlib.sha256().digest_size


def instrument_folder(name: str, code: str) -> str:
    """The folder of an instrument's measurements by the source with the digest `code`."""
    return f"{name}{CONTENT}{code[:_DIGITS]}"


def _is_current(folder: Path) -> bool:
    name, _, digits = folder.name.rpartition(CONTENT)
    return bool(name) and (code_of(name) or "")[:_DIGITS] == digits


def any_kept(root: Path) -> bool:
    """Whether the store at `root` has measurements by the instruments as they are now."""
    return any(map(_is_current, _folders(root / ROOM)))


def model_name(content: str, artifact: str | None) -> str:
    """The folder of the measurements of a model whose content has the digest `content`."""
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
    """The measurements of one model in the store at `root`."""

    root: Path
    model: str

    def read(self, instrument: str, digest: str) -> bytes | None:
        """What is kept under `digest` in an instrument's folder; None if missing or damaged."""
        try:
            return _checked(digest, self._file(instrument, digest).read_bytes())
        except OSError:
            return None

    def write(self, instrument: str, digest: str, content: bytes) -> None:
        """Keep `content` under `digest`, where the store can be written and it is not too large."""
        if len(content) > LARGEST:
            return
        file = self._file(instrument, digest)
        beside = file.with_name(f".{digest}-{uuid.uuid4().hex}")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(_checksum(digest, content) + content)
            beside.replace(file)
        except OSError:  # full, read-only, or its folder was swept just now
            with suppress(OSError):
                beside.unlink(missing_ok=True)

    def _file(self, instrument: str, digest: str) -> Path:
        return self.root / ROOM / instrument / self.model / digest


def _checksum(digest: str, content: bytes) -> bytes:
    return hashlib.sha256(digest.encode() + content).digest()


def _checked(digest: str, written: bytes) -> bytes | None:
    content = written[_CHECKSUM:]
    return content if written[:_CHECKSUM] == _checksum(digest, content) else None


@dataclass(frozen=True, kw_only=True)
class Amount:
    """How many measurements a store keeps, and their bytes."""

    count: int
    size: int

    def __str__(self) -> str:
        return f"{self.count} measurement{'' if self.count == 1 else 's'}"


def amount(root: Path) -> Amount:
    """What the store at `root` keeps, of any code and with what killed sessions left."""
    return amount_of([root / ROOM, root / FORMER])


def amount_of(folders: Iterable[Path]) -> Amount:
    """How many measurements `folders` hold."""
    sizes = [_size(file) for f in folders if not f.is_symlink() for file in below(f)]
    return Amount(count=len(sizes), size=sum(sizes))


def _size(file: Path) -> int:
    try:
        return file.lstat().st_size
    except OSError:
        return 0


def damaged(root: Path) -> Iterator[str]:
    """A sentence for each measurement that is not as it was written."""
    for file in sorted(below(root / ROOM)):
        # What begins with a dot is being written by another session.
        if not (file.name.startswith(".") or _whole(file)) and file.exists():
            where = file.relative_to(root / ROOM)
            yield f"measurement {where} is damaged: its checksum differs; it will be taken again"


def outdated(root: Path, artifacts: Iterable[str]) -> Iterator[Path]:
    """Folders of measurements that nothing here will find again.

    Their instrument has changed or cannot be found, or their model is not in `artifacts`.
    """
    kept = {*artifacts, ELSEWHERE}
    if (root / FORMER).is_dir() and not (root / FORMER).is_symlink():
        yield root / FORMER
    for instrument in _folders(root / ROOM):
        if not _is_current(instrument):
            yield instrument
            continue
        yield from (m for m in _folders(instrument) if m.name.partition(CONTENT)[0] not in kept)


def _folders(parent: Path) -> list[Path]:
    """The folders in `parent`, which is no link; links in it lead elsewhere and are left out."""
    if parent.is_symlink():
        return []
    try:
        return sorted(p for p in parent.iterdir() if p.is_dir() and not p.is_symlink())
    except OSError:
        return []


def sweep(root: Path, folders: Iterable[Path]) -> Amount:
    """Remove `folders`, damaged measurements and what killed sessions left; return what is gone.

    A session that runs meanwhile measures again what it misses.
    """
    before = amount(root)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    for file in () if (root / ROOM).is_symlink() else below(root / ROOM):
        if file.is_symlink():
            continue
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
