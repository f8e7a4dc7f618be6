"""Files that are written whole or not at all."""

import os
import tempfile
from pathlib import Path

from lazarus_bench.errors import UserError


def check_place(path: Path, what: str) -> None:
    """Make sure that a `what` can be written to `path`, before the work that fills it.

    A file is created and removed in the nearest existing folder above: permissions alone do not
    reveal a full or read-only file system.

    Raises:
        UserError: The path cannot be written.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(None, "is a directory")
        probe(path.parent)
    except OSError as error:
        raise unwritable(path, what, error) from error


def probe(folder: Path) -> None:
    """Try to write below `folder`, which need not exist yet, and leave nothing behind.

    Raises:
        OSError: It cannot be done.
    """
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
    """Write `text`, a `what`, to `path` whole or not at all, creating the folders above it.

    Raises:
        UserError: The path cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(None, "is a directory")
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        part = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
            part.chmod(0o644)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, what, error) from error
