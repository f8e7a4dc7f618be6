"""Files by which processes and machines that share a store know of each other.

Locks, which the kernel releases when their holder dies; and tokens, by which a worker knows that it
sees its session's store.
"""

from __future__ import annotations

import errno
import os
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISREG

from filelock import FileLock, SoftFileLock, Timeout

from lazarus_bench.errors import UserError

GATE = "gate"
SUFFIX = ".lock"
POLL = 0.2
"""Seconds between two looks at a lock that somebody else holds."""


class Locks:
    """One lock file a name in `directory`.

    Whoever opens or removes a lock file holds the gate, a lock file that stays for ever: a file
    removed between another's open and lock would give two processes the same lock.
    """

    def __init__(self, directory: Path) -> None:
        """Keep the files in `directory`, made on first use."""
        self.directory = directory

    def _file(self, name: str) -> Path:
        return self.directory / f"{name}{SUFFIX}"

    def acquire(self, name: str, *, wait: bool) -> FileLock | None:
        """The lock of `name`, which the caller releases; None when it is held and not `wait`.

        Raises:
            OSError: the file system refuses the file, or has no locks.
            NotImplementedError: it has no locks.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        while True:
            with self._gate():
                lock = _attempt(self._file(name))
            if lock is not None or not wait:
                return lock
            time.sleep(POLL)

    def held(self, name: str) -> bool:
        """Whether a live process holds the lock of `name`, as far as one may look."""
        if not self._file(name).exists():
            return False
        try:
            lock = self.acquire(name, wait=False)
        except (OSError, NotImplementedError):
            return False
        if lock is not None:
            lock.release()
        return lock is None

    def clear(self) -> None:
        """Remove the files of locks that nobody holds; a link to another folder is not followed."""
        if self.directory.is_symlink():
            return
        with self._gate():
            for file in self.directory.glob(f"*{SUFFIX}"):
                lock = None if file == self._file(GATE) else _attempt(file)
                if lock is not None:
                    file.unlink(missing_ok=True)
                    lock.release()

    @contextmanager
    def _gate(self) -> Iterator[None]:
        lock = _new(self._file(GATE))
        with _hard(lock):
            lock.acquire(poll_interval=POLL / 10)
        try:
            yield
        finally:
            lock.release()


def _new(file: Path) -> FileLock:
    # An executor may release in another thread than the one that acquired.
    return FileLock(file, thread_local=False)


def _attempt(file: Path) -> FileLock | None:
    lock = _new(file)
    try:
        with _hard(lock):
            lock.acquire(blocking=False)
    except Timeout:
        return None
    return lock


@contextmanager
def _hard(lock: FileLock) -> Iterator[None]:
    """Refuse the library's substitute, which outlives a killed holder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield
    if isinstance(lock, SoftFileLock):
        lock.release()
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK), str(lock.lock_file))


SESSIONS = ".sessions"
FORGOTTEN_SECONDS = 86400.0
"""Age at which a killed session's token is removed; a live session keeps its own young."""


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
    """Show that the session of `file` lives."""
    with suppress(FileNotFoundError):
        os.utime(file)


def remove_old_tokens(root: Path) -> None:
    """Remove the tokens of killed sessions; what is no file is none of ours."""
    folder = root / SESSIONS
    for file in () if folder.is_symlink() else folder.glob("*"):
        with suppress(FileNotFoundError):
            found = file.lstat()
            if S_ISREG(found.st_mode) and time.time() - found.st_mtime > FORGOTTEN_SECONDS:
                file.unlink()
