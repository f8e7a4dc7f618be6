"""What is shown of work in progress: lines that stay, and one that the next replaces."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from lazarus_bench.errors import shown
from lazarus_bench.figures.tables import cut

QUIET_SECONDS = 60.0
"""Without a terminal, the time between two lines on what is running."""


class StatusLine:
    """Lines of progress on standard error; off a terminal the replaced one becomes a line a minute.

    `write` prints a line that stays, by default to standard error.
    """

    def __init__(self, write: Callable[[str], None] | None = None) -> None:
        self._write = write or partial(print, file=sys.stderr, flush=True)
        self._shown = 0
        self._said = time.monotonic()

    def say(self, line: str) -> None:
        """Write a line that stays."""
        self.clear()
        self._write(shown(line))

    def live(self, line: str) -> None:
        """Show what is going on now, in place of what was."""
        if not sys.stderr.isatty():
            if time.monotonic() - self._said >= QUIET_SECONDS:
                self._said = time.monotonic()
                self._write(shown(line))
            return
        seen = cut(shown(line), shutil.get_terminal_size().columns - 1)
        sys.stderr.write(f"\r{seen.ljust(self._shown)}")
        sys.stderr.flush()
        self._shown = len(seen)

    def clear(self) -> None:
        """Take the replaced line off the terminal."""
        if self._shown:
            sys.stderr.write("\r" + " " * self._shown + "\r")
            sys.stderr.flush()
            self._shown = 0


@contextmanager
def every(seconds: float, tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` again and again, so many seconds apart, from a thread while the block runs."""
    done = threading.Event()

    def work() -> None:
        while not done.wait(seconds):
            tell()

    teller = threading.Thread(target=work, daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()
