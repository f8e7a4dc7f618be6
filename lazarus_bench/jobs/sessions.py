"""Tokens of live sessions: files in the store by which a worker knows that it sees the same one."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lazarus_bench.errors import UserError

SESSIONS = ".sessions"
FORGOTTEN_SECONDS = 86400.0
"""Age at which the token of a killed session is removed; a live one keeps its own young."""


@contextmanager
def token(root: Path) -> Iterator[Path]:
    """A fresh file below `root` for as long as the block lasts.

    Raises:
        UserError: nothing can be written there.
    """
    file = root / SESSIONS / uuid.uuid4().hex
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    except OSError as error:
        raise UserError(
            f"the store {root} cannot be written ({error.strerror}): name another store"
        ) from error
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)


def keep_young(file: Path) -> None:
    """Tell that the session of `file` lives."""
    with suppress(FileNotFoundError):
        os.utime(file)


def remove_old_tokens(root: Path) -> None:
    """Remove what killed sessions left."""
    for file in (root / SESSIONS).glob("*"):
        with suppress(FileNotFoundError):
            if time.time() - file.stat().st_mtime > FORGOTTEN_SECONDS:
                file.unlink()
