"""A folder of this user's in the temporary directory, into which nobody else can put anything."""

from __future__ import annotations

import ctypes
import os
import stat
import sys
import tempfile
from functools import cache
from pathlib import Path

from lazarus_bench.errors import UserError


def python_module(name: str) -> list[str]:
    """The command that runs a module as this process would import it.

    `python -m` looks for every module in the working directory first, where a stranger's folder
    may have one of the same name; so it does only if this process does.
    """
    here = {"", str(Path.cwd())} & set(sys.path)
    return [sys.executable, *([] if here else ["-P"]), "-m", name]


def private_folder() -> Path:
    """The user's own folder (mode 0700), made where it is missing.

    Raises:
        UserError: it is a link, somebody else's or open to others, or it cannot be made.
    """
    name = f"lazarus-bench-{os.getuid()}"
    try:
        above = Path(tempfile.gettempdir())
        # A child that was started without an environment of its own has the folder as its TMPDIR.
        folder = above if above.name == name else above / name
        folder.mkdir(mode=0o700, exist_ok=True)
        about = folder.lstat()
    except OSError as error:
        raise UserError(
            f"no private folder can be made in the temporary directory ({error}): set TMPDIR to a "
            f"folder of yours"
        ) from error
    if (
        not stat.S_ISDIR(about.st_mode)
        or about.st_uid != os.getuid()
        or stat.S_IMODE(about.st_mode) != 0o700
    ):
        raise UserError(
            f"{folder} is not a folder that only you can enter (owner you, mode 0700, no link), so "
            f"others may have put code there: remove it, or set TMPDIR to a folder of yours"
        )
    return folder


@cache
def keep_kernels_private() -> None:
    """Have mlx write the kernels that it compiles, and load them, in the user's own folder.

    mlx asks C for TMPDIR at every kernel and loads whatever library lies there under a name that
    anybody can predict. Only C's variable changes, so Python's `tempfile` and `os.environ` do not.

    Raises:
        UserError: see `private_folder`.
    """
    libc = ctypes.CDLL(None)
    libc.setenv(b"TMPDIR", os.fsencode(private_folder()), 1)
