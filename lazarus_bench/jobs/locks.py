"""Files by which processes and machines that share a store know of each other.

Locks, which the kernel releases when their holder dies; and tokens, by which a worker knows that it
sees its session's store.
"""

from __future__ import annotations

import os
import socket
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_IMODE, S_ISDIR, S_ISREG, S_IWGRP

from filelock import FileLock, Timeout

from lazarus_bench.errors import UserError

GATE = "gate"
SUFFIX = ".lock"
POLL = 0.2
"""Seconds between two looks at a lock that somebody else holds."""

SILENT_SECONDS = 5.0
"""How long one waits for a lock before saying so."""

HOURS_VARIABLE = "LAZARUS_BENCH_LOCK_HOURS"
HOURS = 24.0
"""How long one waits for a lock unless the variable says otherwise."""


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
            UserError: the lock is no regular file, or did not come free in the hours allowed.
            OSError: the file system refuses the file, or has no locks.
            NotImplementedError: it has no locks.
        """
        self._make_directory()
        file = self._file(name)
        waiting = _Waiting(file)
        while True:
            with hold(self._file(GATE)):
                lock = _attempt(file)
            if lock is not None or not wait:
                return lock
            waiting.pause(POLL)

    def _make_directory(self) -> None:
        """The folder, in which the group of a shared store may make files, too."""
        self.directory.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            self.directory.mkdir()
        if not S_ISDIR(mode := self.directory.lstat().st_mode):
            raise _odd(self.directory, "folder")
        if _shared(self.directory.parent) and not _shared(self.directory):
            with suppress(PermissionError):  # its owner's to change
                self.directory.chmod(S_IMODE(mode) | S_IWGRP)

    def held(self, name: str) -> bool:
        """Whether a live process holds the lock of `name`, as far as one may look."""
        if not self._file(name).exists():
            return False
        try:
            lock = self.acquire(name, wait=False)
        except (OSError, NotImplementedError, UserError):
            return False
        if lock is not None:
            lock.release()
        return lock is None

    def clear(self) -> None:
        """Remove the files of locks that nobody holds; a link to another folder is not followed."""
        if self.directory.is_symlink():
            return
        with hold(self._file(GATE)):
            for file in self.directory.glob(f"*{SUFFIX}"):
                lock = None if file == self._file(GATE) else _attempt(file)
                if lock is not None:
                    file.unlink(missing_ok=True)
                    lock.release()


@contextmanager
def hold(file: Path) -> Iterator[None]:
    """Hold the lock `file`, made with its folder, while the block lasts; wait until it is free.

    Raises:
        UserError: it is no regular file, or did not come free in the hours allowed.
    """
    waiting = _Waiting(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    while (lock := _attempt(file)) is None:
        waiting.pause(POLL / 10)
    try:
        yield
    finally:
        lock.release()


class _Waiting:
    """One wait for a lock, which is told of and ends."""

    def __init__(self, file: Path) -> None:
        self._file, self._began, self._told = file, time.monotonic(), False

    def pause(self, seconds: float) -> None:
        """Sleep; say what is waited for when that has lasted a while, and give up in the end."""
        passed = time.monotonic() - self._began
        if passed > (hours := allowed_hours()) * 3600:
            raise UserError(
                f"the lock {self._file} was not free for {hours:g} h ({_holder(self._file)}): end "
                f"who holds it, or allow more hours in {HOURS_VARIABLE}"
            )
        if passed > SILENT_SECONDS and not self._told:
            self._told = True
            print(
                f"process {os.getpid()} waits for the lock {self._file} ({_holder(self._file)}), "
                f"{hours:g} h at most",
                file=sys.stderr,
                flush=True,
            )
        time.sleep(seconds)


def allowed_hours() -> float:
    """How long one waits for a lock.

    Raises:
        UserError: `LAZARUS_BENCH_LOCK_HOURS` is no number of hours.
    """
    text = os.environ.get(HOURS_VARIABLE, str(HOURS))
    try:
        hours = float(text)
    except ValueError:
        hours = 0.0
    if not 0 < hours < float("inf"):
        raise UserError(f"{HOURS_VARIABLE}={text} is not a number of hours: give one above 0")
    return hours


def _holder(file: Path) -> str:
    """Who holds `file`, as far as known: who may only read can hold it and write nothing."""
    with suppress(OSError, ValueError), file.open("rb") as stream:
        process, host = stream.read(300).decode("ascii").split()
        if process.isdecimal() and host.replace("-", "").replace(".", "").isalnum():
            return f"last taken by process {process} on {host}"
    return "whoever holds it left no name"


def _sign(file: Path) -> None:
    """Leave our name in the lock `file`, for those who wait; a full disk matters elsewhere."""
    with suppress(OSError):
        handle = os.open(file, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW)
        with os.fdopen(handle, "w") as stream:
            stream.write(f"{os.getpid()} {socket.gethostname()}\n")


def _shared(folder: Path) -> bool:
    """Whether the folder's group may make files in it."""
    return bool(folder.stat().st_mode & S_IWGRP)


def _odd(path: Path, kind: str) -> UserError:
    return UserError(f"{path} is no regular {kind}, so it cannot be a lock: remove it")


def _attempt(file: Path) -> FileLock | None:
    """The lock `file` unless somebody holds it."""
    with suppress(FileNotFoundError):
        if not S_ISREG(file.lstat().st_mode):
            raise _odd(file, "file")
    # An executor may release in another thread than the one that acquired. The library's substitute
    # for file systems without locks would outlive a killed holder.
    lock = FileLock(
        file,
        mode=0o664 if _shared(file.parent) else -1,
        thread_local=False,
        fallback_to_soft=False,
    )
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    _sign(file)
    return lock


SESSIONS = ".sessions"
FORGOTTEN_SECONDS = 86400.0
"""Age at which a killed session's token is removed; a live session keeps its own young."""


@contextmanager
def token(root: Path) -> Iterator[Path]:
    """A fresh file below `root` for as long as the block lasts.

    Raises:
        UserError: nothing can be written there, or a link would take it elsewhere.
    """
    file = root / SESSIONS / uuid.uuid4().hex
    if file.parent.is_symlink():
        raise UserError(f"{file.parent} is a link: remove it, or name another store")
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
