"""Files that are written whole or not at all, and JSON of a known version read back."""

import errno
import os
import stat
import tempfile
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from lazarus_bench import reading
from lazarus_bench.errors import UserError


def check_place(path: Path, what: str) -> None:
    """Raise a UserError, before the work that fills it, if a `what` cannot be written to `path`.

    A file is created and removed in the nearest existing folder above: permissions alone do not
    reveal a full or read-only file system.
    """
    try:
        target, stays = _target(path)
        if not stays:
            probe(target.parent)
        elif not os.access(target, os.W_OK):
            raise PermissionError(None, "permission denied")
    except OSError as error:
        raise unwritable(path, what, error) from error


def _target(path: Path) -> tuple[Path, bool]:
    """Where to write what `path` names, and whether it is written into and not replaced.

    Behind links lies the file; devices, FIFOs and what standard output or error goes to stay.

    Raises:
        OSError: it is no file.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return path.resolve(), False
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(None, "is a directory")
    if stat.S_ISSOCK(found.st_mode):
        raise OSError(None, "is a socket")
    stays = not stat.S_ISREG(found.st_mode) or _standard(found) is not None
    return (path, True) if stays else (path.resolve(), False)


def _standard(found: os.stat_result) -> int | None:
    """The descriptor of standard output or error, where it goes to what was `found`."""
    for descriptor in (1, 2):
        with suppress(OSError):  # closed
            if os.path.samestat(found, os.fstat(descriptor)):
                return descriptor
    return None


def _stream(path: Path) -> IO[bytes]:
    found = path.stat()
    descriptor = _standard(found)
    if descriptor is not None:
        # Opened by name, a file would be written from its beginning by the one or the other.
        return os.fdopen(os.dup(descriptor), "wb")
    return os.fdopen(_read_pipe(path), "wb") if stat.S_ISFIFO(found.st_mode) else path.open("ab")


def _read_pipe(pipe: Path) -> int:
    """A pipe to write to, once somebody reads it."""
    end = time.monotonic() + reading.PATIENCE
    while True:
        try:
            descriptor = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() > end:
                why = f"nobody reads this pipe for {reading.PATIENCE:.0f} s"
                raise TimeoutError(errno.ETIMEDOUT, why, str(pipe)) from None
        time.sleep(0.01)
    os.set_blocking(descriptor, True)
    return descriptor


def probe(folder: Path) -> None:
    """Write below `folder`, which need not exist yet, and leave nothing; OSError if it fails."""
    above = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    handle, name = tempfile.mkstemp(dir=above, prefix=".", suffix=".part")
    os.close(handle)
    Path(name).unlink()


def unwritable(path: Path, what: str, error: OSError) -> UserError:
    """The error for a `what` that cannot be written to `path`."""
    reason = (error.strerror or str(error)).lower()
    return UserError(
        f"cannot write the {what} to {path} ({reason}); name a file where you can write"
    )


def write_text(text: str, path: Path, what: str = "report") -> None:
    """Write `text`, a `what`, to `path` in UTF-8; as `write_bytes`."""
    write_bytes(text.encode(), path, what)


def write_bytes(data: bytes, path: Path, what: str) -> None:
    """Write `data`, a `what`, to `path` whole or not at all, creating the folders above it.

    Links stay, and what they name is written; a device or a FIFO is written into.

    UserError if it cannot be written.
    """
    try:
        target, stays = _target(path)
        if stays:
            with _stream(target) as stream:
                stream.write(data)
        else:
            _replace(target, data)
    except OSError as error:
        raise unwritable(path, what, error) from error


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as stream:  # the umask says who may read a new file
            if path.exists():
                part.chmod(stat.S_IMODE(path.stat().st_mode))
            stream.write(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_versioned(
    path: Path, *, kind: str, key: str, versions: Sequence[int], remedy: str, again: str
) -> dict[str, Any]:
    """The JSON object in `path`, a `kind` with one of the `versions` under `key`.

    UserError if the file is missing, is something else or has another version: `remedy` says which
    file to name instead of a missing one, and `again` how to make a new one.
    """
    try:
        data = reading.read_json(path)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise UserError(f"cannot read the {kind} {path} ({why}); name {remedy}") from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not text in UTF-8; save it as that, or name another {kind}.json"
        ) from error
    except ValueError as error:
        raise UserError(
            f"{path} is not JSON ({error}); name a {kind}.json of lazarus-bench"
        ) from error
    if not isinstance(data, dict) or key not in data:
        raise UserError(f"{path} is not a {kind} of lazarus-bench; it names no {key} version")
    # 1.0 and true equal 1, and nothing of ours wrote them.
    if type(data[key]) is not int or data[key] not in versions:
        *older, newest = map(str, versions)
        readable = f"versions {', '.join(older)} and {newest}" if older else f"version {newest}"
        raise UserError(
            f"{path} has {key} version {data[key]}, this lazarus-bench reads {readable}; read it "
            f"with the version that wrote it, or {again}"
        )
    return data
