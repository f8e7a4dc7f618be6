"""Files that are written whole or not at all."""

import os
import tempfile
from pathlib import Path

from lazarus_bench.errors import UserError


def write_text(text: str, path: Path, what: str = "report") -> None:
    """Write `text`, which is a `what`, to `path` whole or not at all, making the folders above it.

    Raises:
        UserError: The path cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(text, path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(
            f"cannot write the {what} to {path} ({reason}); name a file where you can write"
        ) from error


def _replace(text: str, path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(None, "is a directory")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    beside = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        beside.chmod(0o644)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
