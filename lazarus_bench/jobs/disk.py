"""What a file system refuses, told as one sentence with the remedy."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from lazarus_bench.errors import UserError

STORE_VARIABLE = "LAZARUS_BENCH_STORE"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)

FULL_WORDS = ("[write] Unable to write", "No space left on device", "os error 28", "os error 122")
"""How libraries without `OSError` say it: mlx of its own files, Rust (tokenizers, safetensors)."""

OPENING_WORDS = "[save_safetensors] Failed to open file"
"""How mlx says that it cannot make a file, whatever the reason."""


def is_full(error: BaseException, root: Path) -> bool:
    """Whether `error` means that no more can be written below `root`."""
    if isinstance(error, OSError):
        named = error.filename
        elsewhere = isinstance(named, (str, os.PathLike)) and not Path(
            named
        ).absolute().is_relative_to(root.absolute())
        return error.errno in FULL and not elsewhere
    if OPENING_WORDS in str(error):
        return _no_more_names(root)
    return any(words in str(error) for words in FULL_WORDS)


def _no_more_names(root: Path) -> bool:
    """Whether no file can be added, however small (btrfs and others have no such limit)."""
    try:
        disk = os.statvfs(root)
    except OSError:
        return False
    return disk.f_files > 0 and disk.f_favail == 0


def full(root: Path) -> UserError:
    """What to do about a full store."""
    try:
        free = f"{shutil.disk_usage(root).free / 1e6:.0f} MB free"
    except OSError as error:
        free = error.strerror or "free space unknown"
    return UserError(
        f"the store {root} is full ({free}): free space (`lazarus-bench store gc`, with "
        f"--older-than DAYS for whole artifacts too) or name another store"
    )


def refusal(root: Path, what: str, error: BaseException) -> UserError | None:
    """The sentence for `error`, met while the store wrote files of its own for `what`."""
    number = error.errno if isinstance(error, OSError) else None
    if is_full(error, root):
        return full(root)
    if number in READ_ONLY:
        return UserError(
            f"the store {root} is read-only, and {what} cannot be made there: name "
            f"another store, or set {STORE_VARIABLE}"
        )
    if number in NO_LOCKS or isinstance(error, NotImplementedError):
        return UserError(
            f"the store {root} lies on a file system without file locks, which keep two processes "
            f"from one training: name another store, or set {STORE_VARIABLE}"
        )
    return None
