"""The store: one directory per digest, written beside and renamed into place.

Any number of processes and machines may share one. Whoever makes an artifact holds its job's lock;
whoever reads one needs none, since it appears whole. Layout below `root`:

    <kind>-<20 digits>/            an artifact
    .partial/<kind>-<20 digits>/   the work of an attempt that is under way or was killed
    .locks/                        one file a job that was ever claimed
    .removed/                      what is being deleted
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_cache_path

from lazarus_bench.errors import RefusedWriteError, UserError
from lazarus_bench.jobs.artifact import (
    ATTEMPT,
    MANIFEST,
    SPEC,
    Artifact,
    Stored,
    begin,
    damages,
    read_artifact,
    stored_artifact,
    unfinished,
    write_manifest,
    write_spec,
)
from lazarus_bench.jobs.locks import Locks
from lazarus_bench.jobs.spec import Job
from lazarus_bench.training.kept import flush
from lazarus_bench.training.record import RESUME

__all__ = ["MANIFEST", "RESUME", "SPEC", "STORE_VARIABLE", "Artifact", "Store", "Stored"]

STORE_VARIABLE = "LAZARUS_BENCH_STORE"
PARTIAL = ".partial"
LOCKS = ".locks"
REMOVED = ".removed"


def default_root() -> Path:
    """`LAZARUS_BENCH_STORE`, else the user's cache directory."""
    named = os.environ.get(STORE_VARIABLE)
    return Path(named).expanduser() if named else user_cache_path("lazarus-bench") / "store"


class Store:
    """Artifacts under `root`; safe to share, since a reader never sees half of one."""

    def __init__(self, root: Path) -> None:
        """Open `root`, made when something is first written; one may also only read it.

        Raises:
            UserError: it is a file, or lies below one.
        """
        self.root = root
        self.locks = Locks(root / LOCKS)
        self._verified: set[tuple[Path, int, int]] = set()
        there = _nearest(root)
        if not there.is_dir():
            raise UserError(
                f"the store {root} cannot be made ({there} is a file): choose another store, or "
                f"set {STORE_VARIABLE}"
            )

    def writable(self) -> bool:
        """Whether artifacts can be made here."""
        return os.access(_nearest(self.root), os.W_OK | os.X_OK)

    def path(self, job: Job) -> Path:
        """Where the artifact of `job` lies once it is made."""
        return self.root / _name(job)

    def working(self, job: Job) -> Path:
        """Where `job` is being made.

        It outlives a killed attempt, so that the next one can go on from its `resume/`; a training
        appends its `metrics.jsonl` there, which others may read for live progress.
        """
        return self.root / PARTIAL / _name(job)

    def find(self, job: Job) -> Artifact | None:
        """The artifact of `job` when it is whole; None when it is missing or damaged."""
        found = self._inspect(self.path(job), job.digest)
        return found if isinstance(found, Artifact) else None

    def damage(self, job: Job) -> str | None:
        """One sentence that names the file and what is wrong; None when whole or not there."""
        found = self._inspect(self.path(job), job.digest)
        return found if isinstance(found, str) else None

    def _inspect(self, directory: Path, digest: str) -> Artifact | str | None:
        """The artifact at `directory` or its damage: read again when it was replaced meanwhile."""
        while True:
            before = _identity(directory)
            if before is None:
                return None
            found = self._look(directory, digest)
            if isinstance(found, Artifact) or _identity(directory) == before:
                return found

    def _look(self, directory: Path, digest: str) -> Artifact | str:
        """Compare sizes always and checksums once a session; hashing gigabytes takes time."""
        known = _version(directory)
        wrong = next(damages(directory, digest, checksums=known not in self._verified), None)
        if wrong is not None:
            return wrong
        try:
            artifact = read_artifact(directory)
        except (OSError, ValueError) as error:  # removed or replaced since
            return f"artifact {directory.name} is damaged: {MANIFEST} is unreadable ({error})"
        if known is not None and known == _version(directory):
            self._verified.add(known)
        return artifact

    @contextmanager
    def claim(self, job: Job, *, wait: bool) -> Iterator[bool]:
        """Be the only process that makes `job`, for as long as the block lasts.

        Yields False at once when another one does so and `wait` is False. The kernel releases the
        lock of a process that dies. Look for the artifact again once you have it.

        Raises:
            UserError: nothing can be written here, or the file system has no locks.
        """
        with self._explained(job):
            lock = self.locks.acquire(_name(job), wait=wait)
        try:
            yield lock is not None
        finally:
            if lock is not None:
                lock.release()

    @contextmanager
    def writing(self, job: Job, about: Mapping[str, str]) -> Iterator[Path]:
        """`working(job)`, which becomes the artifact when the block ends without an error.

        The caller holds the claim on `job`. What a killed attempt left there is still there; an
        interrupt, an exit or an error of a file system keeps it, any other error removes it,
        since a training that diverged must start over. A whole artifact that is there already
        stays.

        Raises:
            RefusedWriteError: the store is full or read-only, or its file system fails.
        """
        directory = self.working(job)
        self._refuse_links(directory)
        with self._explained(job):
            directory.mkdir(parents=True, exist_ok=True)
        try:
            with self._explained(job):
                attempt = begin(directory, job)
                write_spec(directory, job)
            with self._kept():
                yield directory
            with self._explained(job):
                write_spec(directory, job)
                write_manifest(directory, job, about, attempt)
                self._publish(job, directory)
        except (
            RefusedWriteError,
            OSError,
        ):  # no fault of what was trained, which the next verifies
            raise
        except Exception:
            self.discard(directory)
            raise

    def finish(self, job: Job) -> Artifact | None:
        """The artifact of `job` from the work of an attempt that could only not put it in place.

        The caller holds the claim on `job`.

        Raises:
            RefusedWriteError: it cannot be put there now either.
        """
        directory = self.working(job)
        self._refuse_links(directory)
        if next(damages(directory, job.digest, checksums=True), None) is not None:
            return None
        with self._explained(job):
            self._publish(job, directory)
        return self.find(job)

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """A refusal of the file system while a recipe writes below the store, as its sentence."""
        try:
            yield
        except UserError:
            raise
        except Exception as error:
            refused = _unwritten(error, self.root)
            if refused is None:
                raise
            raise refused from error

    @staticmethod
    def _refuse_links(directory: Path) -> None:
        for path in (directory.parent, directory, *directory.rglob("*")):
            if path.is_symlink():
                raise UserError(f"{path} is a link, and nothing is made behind one: remove it")

    @contextmanager
    def _explained(self, job: Job) -> Iterator[None]:
        try:
            yield
        except (OSError, NotImplementedError) as error:
            refused = refusal(self.root, job.label, error)
            if refused is None:
                raise
            raise refused from error

    def _publish(self, job: Job, directory: Path) -> None:
        shutil.rmtree(directory / RESUME, ignore_errors=True)
        (directory / ATTEMPT).unlink(missing_ok=True)
        while self.find(job) is None:
            self.discard(self.path(job))
            try:
                directory.rename(self.path(job))
                flush(self.root)
                return
            except OSError as error:
                # A process without our lock (an older version's) may have put its own there just
                # now: then the loop looks whether that one is whole.
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise
        self.discard(directory)

    def discard(self, directory: Path) -> None:
        """Delete `directory` if it is there; at no time is half of it to be seen at its place."""
        aside = self.root / REMOVED / f"{directory.name}-{uuid.uuid4().hex}"
        try:
            if aside.parent.is_symlink():
                raise NotADirectoryError(aside.parent)
            aside.parent.mkdir(exist_ok=True)
            directory.rename(aside)
        except FileNotFoundError:
            return
        except OSError:  # a full disk may have no room for the new name; a link is not followed
            aside = directory
        if aside.is_symlink():
            aside.unlink(missing_ok=True)
        shutil.rmtree(aside, ignore_errors=True)

    def artifacts(self, *, checksums: bool = False) -> Iterator[Stored]:
        """Everything the store holds by name: artifacts whole and damaged, and unfinished work.

        Sizes are always compared, contents only with `checksums`. What other processes remove
        meanwhile is left out.
        """
        for directory in filter(_is_ours, _directories(self.root)):
            identity = _identity(directory)
            stored = stored_artifact(directory, checksums=checksums)
            if identity is not None and _identity(directory) == identity:
                yield stored
        yield from self.unfinished()

    def unfinished(self) -> Iterator[Stored]:
        """The work of attempts that are under way or were killed."""
        for directory in filter(_is_ours, _inside(self.root / PARTIAL)):
            stored = unfinished(directory, running=self.locks.held(directory.name))
            if _identity(directory) is not None:
                yield stored

    def leftovers(self) -> Iterator[Path]:
        """What a process was killed over while it deleted it."""
        yield from _inside(self.root / REMOVED)

    def links(self) -> Iterator[Path]:
        """Links in place of the store's own folders, or of what lies in them: never followed."""
        for room in sorted(self.root.glob(".*")):
            entries = [room] if room.is_symlink() or not room.is_dir() else sorted(room.iterdir())
            yield from (path for path in entries if path.is_symlink())


def _nearest(root: Path) -> Path:
    """`root`, or the nearest folder above it that is there."""
    whole = root.absolute()
    return next(path for path in (whole, *whole.parents) if os.path.lexists(path))


_NAMED = re.compile(r".+-[0-9a-f]{20}")


def _name(job: Job) -> str:
    return f"{job.recipe.kind}-{job.digest[:20]}"


def _directories(parent: Path) -> list[Path]:
    try:
        return sorted(p for p in parent.iterdir() if p.is_dir() and not p.name.startswith("."))
    except OSError:
        return []


def _is_ours(directory: Path) -> bool:
    """Whether it is called as an artifact is; other folders are somebody's and never removed."""
    return _NAMED.fullmatch(directory.name) is not None


def _inside(room: Path) -> list[Path]:
    """The folders in one of the store's own; links lead elsewhere, so they are left out."""
    return [] if room.is_symlink() else [p for p in _directories(room) if not p.is_symlink()]


def _identity(directory: Path) -> tuple[int, int] | None:
    try:
        found = directory.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _version(directory: Path) -> tuple[Path, int, int] | None:
    """Changes whenever another artifact is published at `directory`."""
    try:
        return directory, directory.stat().st_ino, (directory / MANIFEST).stat().st_mtime_ns
    except OSError:
        return None


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FAILING = (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EXDEV)
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)

_FULL_WORDS = ("[write] Unable to write", "No space left on device", "os error 28", "os error 122")
"""How libraries without `OSError` say it: mlx of its own files, Rust (tokenizers, safetensors)."""

_OPENING_WORDS = "[save_safetensors] Failed to open file"
"""mlx's words when it cannot make a file, whatever the reason."""


def _elsewhere(error: BaseException, root: Path) -> bool:
    """Whether `error` names a file that is not below `root`."""
    named = getattr(error, "filename", None)
    if not isinstance(named, (str, os.PathLike)):
        return False
    return not Path(named).absolute().is_relative_to(root.absolute())


def _number(error: BaseException) -> int | None:
    """The operating system's number of `error`, also where another process reported it in words."""
    if isinstance(error, OSError):
        return error.errno
    told = re.search(r"\b\w+Error: \[Errno (\d+)\]", str(error))
    return int(told[1]) if told else None


def is_full(error: BaseException, root: Path) -> bool:
    """Whether `error` means that no more can be written below `root`."""
    number = _number(error)
    if number is not None:
        return number in _FULL and not _elsewhere(error, root)
    if _OPENING_WORDS not in str(error):
        return any(words in str(error) for words in _FULL_WORDS)
    try:
        disk = os.statvfs(root)
    except OSError:
        return False
    # btrfs and others have no limit of names, and report none.
    return disk.f_files > 0 and disk.f_favail == 0


def _unwritten(error: BaseException, root: Path) -> RefusedWriteError | None:
    """The sentence for an `error` of the file system below `root`: it is full, or it fails."""
    if is_full(error, root):
        return _full(root)
    number = _number(error)
    if number is None or number not in _FAILING or _elsewhere(error, root):
        return None
    return RefusedWriteError(
        f"the file system of the store {root} fails ({os.strerror(number)}), and what was "
        f"kept so far stays there: run the same command again once it works, or name another store"
    )


def _full(root: Path) -> RefusedWriteError:
    """The sentence for a full store."""
    try:
        free = f"{shutil.disk_usage(root).free / 1e6:.0f} MB free"
    except OSError as error:
        free = error.strerror or "free space unknown"
    return RefusedWriteError(
        f"the store {root} is full ({free}), and what was kept so far stays there: free space "
        f"(`lazarus-bench store gc` removes unfinished work too, with --older-than DAYS whole "
        f"artifacts) or name another store"
    )


def refusal(root: Path, what: str, error: BaseException) -> RefusedWriteError | None:
    """The sentence for `error`, raised when the store wrote files of its own for `what`."""
    number = error.errno if isinstance(error, OSError) else None
    unwritten = _unwritten(error, root)
    if unwritten is not None:
        return unwritten
    if number in _READ_ONLY:
        return RefusedWriteError(
            f"the store {root} is read-only, and {what} cannot be made there: name "
            f"another store, or set {STORE_VARIABLE}"
        )
    if number == errno.ENOENT and not root.exists():  # some file systems make nothing for anybody
        return RefusedWriteError(
            f"the store {root} cannot be made: choose another store, or set {STORE_VARIABLE}"
        )
    if number in _NO_LOCKS or isinstance(error, NotImplementedError):
        return RefusedWriteError(
            f"the store {root} is on a file system without file locks, which keep two processes "
            f"from one training: name another store, or set {STORE_VARIABLE}"
        )
    return None
