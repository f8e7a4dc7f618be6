"""What a command finds around it: words that it was given, and a standard output to write to."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lazarus_bench.errors import UserError

FULL = "no space is left to write to: make some, or write elsewhere"


def prepare() -> None:
    """Have standard output escape what its encoding lacks: helps and tables have many signs."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def check(given: Sequence[str]) -> None:
    """Make sure that the words can be read and results written.

    Raises:
        UserError: an argument is not UTF-8, or standard output is closed.
    """
    if sys.stdout is None:
        raise UserError("standard output is closed: leave it open, or send it to a file")
    for word in given:
        # So does Python read a byte that is no text.
        if any("\ud800" <= letter <= "\udfff" for letter in word):
            raise UserError(f"the argument {word!r} is not UTF-8: write it with that encoding")


def is_full(error: OSError) -> bool:
    """Whether there was no space for standard output; other files are named by the error."""
    return error.errno == errno.ENOSPC and error.filename is None


def is_homeless(error: RuntimeError) -> bool:
    """Whether a path begins with ~ and a user whom this machine does not know."""
    return str(error) == "Could not determine home directory."


def homeless(given: Sequence[str]) -> str:
    """Which of the words is such a path, in a sentence."""
    paths = (word.rpartition("=")[2] for word in given)
    unknown = next((path for path in paths if not _has_home(path)), "~")
    return f"{unknown}: there is no such user's folder: name it without ~"


def _has_home(path: str) -> bool:
    try:
        Path(path).expanduser()
    except RuntimeError:
        return False
    return True


def let_go() -> None:
    """Let what is still buffered not be tried again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
